using Alebrije.Preprocessing;

namespace Alebrije.Weights;

/// <summary>Writes files of weights and settings as a whole, flushed to the disk first.</summary>
internal static class AtomicFile
{
    /// <summary>Writes a file, creating its folder if needed.</summary>
    /// <exception cref="WeightsException">Writing failed; an existing file is unchanged.</exception>
    public static void Write(string path, Action<Stream> write)
    {
        try
        {
            if (Path.GetDirectoryName(Path.GetFullPath(path)) is { } folder) WrittenFile.MakeFolder(folder);
            WrittenFile.Write(path, write, (stream, writer) => writer(stream), flushToDisk: true);
        }
        catch (Exception e) when (WrittenFile.IsRefusal(e))
        {
            var refusal = WrittenFile.Refusal(path, e);
            throw new WeightsException(refusal.Message, refusal);
        }
    }
}
