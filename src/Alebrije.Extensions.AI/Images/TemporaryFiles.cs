using Alebrije.Preprocessing.Imaging;

namespace Alebrije.Extensions.AI.Images;

/// <summary>Images of a request as files with names of their own in a private folder, for the parts of the library that read
/// files.</summary>
internal sealed class TemporaryFiles : IDisposable
{
    private string? folder = Directory.CreateTempSubdirectory("alebrije-images-").FullName;
    private int count;

    /// <summary>The folder.</summary>
    public string Folder => folder ?? throw new ObjectDisposedException(nameof(TemporaryFiles));

    /// <summary>Writes an image.</summary>
    /// <returns>Its path.</returns>
    public string Add(RgbImage image)
    {
        var path = Path.Combine(folder!, $"{count++}.png");
        image.SavePng(path);
        return path;
    }

    public void Dispose()
    {
        if (Interlocked.Exchange(ref folder, null) is not { } own) return;
        try
        {
            Directory.Delete(own, recursive: true);
        }
        catch (IOException)
        {
            // The system's cleaning of temporary files removes it.
        }
    }
}
