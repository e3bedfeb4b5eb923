using Alebrije.Preprocessing;

namespace Alebrije.Weights;

/// <summary>Writes files atomically: under a temporary name first, renamed after they are flushed to disk.</summary>
internal static class AtomicFile
{
    /// <summary>Writes a file, creating its folder if needed.</summary>
    /// <exception cref="WeightsException">Writing failed; an existing file is unchanged.</exception>
    public static void Write(string path, Action<Stream> write)
    {
        var temporary = $"{path}.{Environment.ProcessId}.tmp";
        try
        {
            if (Path.GetDirectoryName(Path.GetFullPath(path)) is { } folder) Directory.CreateDirectory(folder);
            using (var stream = new FileStream(temporary, FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 1 << 16))
            {
                write(stream);
                stream.Flush(flushToDisk: true);
            }

            File.Move(temporary, path, overwrite: true);
        }
        catch (Exception e)
        {
            if (File.Exists(temporary)) File.Delete(temporary);
            if (WrittenFile.IsRefusal(e)) throw new WeightsException(WrittenFile.Refusal(path, e, temporary).Message, e);
            throw;
        }
    }
}
