using Alebrije.Preprocessing.Imaging;

namespace Alebrije.Datasets;

/// <summary>An image that was left out.</summary>
/// <param name="File">The file.</param>
/// <param name="Reason">Why, such as "cut short: the JPEG file ends before its last row."</param>
public sealed record SkippedPicture(string File, string Reason);

/// <summary>Reads images, of which some may be damaged: those are skipped and recorded with their errors. Thread-safe.</summary>
/// <param name="upright">True if images are turned by their EXIF orientation; see <see cref="PillowImage.Upright"/>.</param>
public sealed class PictureReader(bool upright)
{
    private readonly SortedDictionary<string, string> skipped = new(StringComparer.Ordinal);
    private readonly Lock gate = new();

    /// <summary>Files skipped so far, each once, by name.</summary>
    public IReadOnlyList<SkippedPicture> Skipped
    {
        get
        {
            lock (gate) return [.. skipped.Select(pair => new SkippedPicture(pair.Key, pair.Value))];
        }
    }

    /// <summary>Reads an image, or leaves it out.</summary>
    /// <returns>Null where it cannot be read.</returns>
    public PillowImage? Read(string path)
    {
        try
        {
            var image = PillowImage.Load(path);
            return upright ? image.Upright() : image;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Skip(path, e);
            return null;
        }
    }

    /// <summary>Leaves a file or folder out.</summary>
    public void Skip(string path, Exception error)
    {
        ArgumentNullException.ThrowIfNull(path);
        ArgumentNullException.ThrowIfNull(error);
        Skip(path, Reason(path, error));
    }

    /// <summary>The reason in an error, without the file that it names first.</summary>
    internal static string Reason(string path, Exception error)
    {
        // A name may have line breaks itself.
        var named = error.Message.StartsWith(path, StringComparison.Ordinal);
        var reason = (named ? error.Message[path.Length..] : error.Message).Split('\n')[0].Trim();
        return !named ? reason : reason.StartsWith("is ", StringComparison.Ordinal) ? reason["is ".Length..]
            : $"{path.ReplaceLineEndings(" ")} {reason}";
    }

    /// <summary>Leaves a file or folder out.</summary>
    public void Skip(string path, string reason)
    {
        ArgumentNullException.ThrowIfNull(path);
        lock (gate) skipped.TryAdd(path, reason);
    }
}
