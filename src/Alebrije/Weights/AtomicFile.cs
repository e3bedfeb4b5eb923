using Alebrije.Preprocessing;

namespace Alebrije.Weights;

/// <summary>Writes files that are there as a whole or not at all: under another name first, renamed when they are on the disk.</summary>
internal static class AtomicFile
{
    /// <summary>Writes a file, making its folder where there is none.</summary>
    /// <exception cref="WeightsException">The disk refuses; what was there before is untouched.</exception>
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
