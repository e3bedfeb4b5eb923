using System.Globalization;
using Alebrije.Pipelines;
using Alebrije.Preprocessing;
using Alebrije.Preprocessing.Imaging;

namespace Alebrije.Search;

/// <summary>A text or an image of a query.</summary>
/// <param name="Value">The text, or the path of the image.</param>
/// <param name="Weight">Its share of the query; below zero for what results should not be like.</param>
/// <param name="IsImage">True for the path of an image.</param>
public sealed record QueryPart(string Value, double Weight = 1, bool IsImage = false)
{
    /// <summary>Reads "a dog", "a dog:0.5", "photo.jpg" and "photo.jpg:2": an existing file is an image, a number at the end a
    /// weight.</summary>
    /// <param name="text">The text.</param>
    /// <param name="sign">1, or -1 for a part that is excluded.</param>
    public static QueryPart Parse(string text, int sign = 1)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(text);
        if (File.Exists(text)) return new QueryPart(text, sign, true);
        var colon = text.LastIndexOf(':');
        if (colon > 0 && double.TryParse(text.AsSpan(colon + 1), NumberStyles.AllowDecimalPoint,
            CultureInfo.InvariantCulture, out var weight)
            && text[..colon].Trim() is { Length: > 0 } value)
            return new QueryPart(value, sign * weight, File.Exists(value));
        return new QueryPart(text, sign);
    }
}

/// <summary>Restriction of a search to some images; all that are given must hold.</summary>
public sealed record SearchFilter
{
    private const double EarthRadius = 6371;

    /// <summary>The first day; the date of an image is that of its exposure, else that of its file.</summary>
    public DateOnly? After { get; init; }

    /// <summary>The day after the last one.</summary>
    public DateOnly? Before { get; init; }

    /// <summary>Part of the camera's name, in any case.</summary>
    public string? Camera { get; init; }

    /// <summary>A folder with all below it; a name without a path fits any folder of this name.</summary>
    public string? Folder { get; init; }

    /// <summary>A place and the distance from it.</summary>
    public NearPlace? Near { get; init; }

    /// <summary>A label that 'index classify' wrote.</summary>
    public string? Label { get; init; }

    /// <summary>True if nothing is restricted.</summary>
    public bool IsEmpty => this == new SearchFilter();

    internal bool Fits(IndexedPicture picture) =>
        (After is not { } after || DateOnly.FromDateTime(picture.Date) >= after)
        && (Before is not { } before || DateOnly.FromDateTime(picture.Date) < before)
        && (Camera is null || picture.Camera?.Contains(Camera, StringComparison.OrdinalIgnoreCase) == true)
        && (Folder is null || IsBelow(picture.File))
        && (Label is null || string.Equals(Label, picture.Label, StringComparison.OrdinalIgnoreCase))
        && (Near is null || (picture is { Latitude: { } latitude, Longitude: { } longitude }
            && Distance(latitude, longitude, Near.Latitude, Near.Longitude) <= Near.Kilometres));

    /// <summary>Kilometres between two places on a sphere.</summary>
    internal static double Distance(double latitude, double longitude, double otherLatitude, double otherLongitude)
    {
        var (a, b) = (double.DegreesToRadians(latitude), double.DegreesToRadians(otherLatitude));
        var half = Math.Pow(Math.Sin((b - a) / 2), 2)
            + (Math.Cos(a) * Math.Cos(b) * Math.Pow(Math.Sin(double.DegreesToRadians(otherLongitude - longitude) / 2), 2));
        return 2 * EarthRadius * Math.Asin(Math.Sqrt(Math.Min(1, half)));
    }

    private bool IsBelow(string file)
    {
        var isName = Path.GetFileName(Folder!) == Folder && !Directory.Exists(Folder);
        if (!isName) return RealPath.Lies(file, Path.TrimEndingDirectorySeparator(Path.GetFullPath(Folder!)));
        return Path.GetDirectoryName(file)!.Split(Path.DirectorySeparatorChar).Contains(Folder, StringComparer.OrdinalIgnoreCase);
    }
}

/// <summary>A circle on the earth.</summary>
/// <param name="Latitude">Degrees north, -90 to 90.</param>
/// <param name="Longitude">Degrees east, -180 to 180.</param>
/// <param name="Kilometres">Radius, above 0.</param>
public sealed record NearPlace(double Latitude, double Longitude, double Kilometres);

/// <summary>A search: texts and images, added and subtracted, over some or all images.</summary>
public sealed record SearchQuery
{
    /// <param name="text">The text.</param>
    public SearchQuery(string text) : this([new QueryPart(text)])
    {
    }

    /// <param name="parts">At least one with a weight above zero.</param>
    /// <exception cref="ArgumentException">There is none.</exception>
    public SearchQuery(IReadOnlyList<QueryPart> parts)
    {
        ArgumentNullException.ThrowIfNull(parts);
        if (!parts.Any(part => part.Weight > 0))
            throw new ArgumentException("A search needs a text or an image to look for; what is excluded is not enough.", nameof(parts));
        Parts = parts;
    }

    /// <summary>Texts and images with their weights.</summary>
    public IReadOnlyList<QueryPart> Parts { get; }

    /// <summary>Restriction to some images.</summary>
    public SearchFilter Filter { get; init; } = new();

    /// <summary>Largest number of results.</summary>
    public int Top { get; init; } = 20;

    /// <summary>Expected share of unrelated images above the cut, 0 to 1; 1 disables the cut.</summary>
    public double FalseAlarmRate { get; init; } = 0.01;

    /// <summary>The query in the space of a model: the weighted sum of unit embeddings, at unit length.</summary>
    internal float[] Embed(ClipModel model, CancellationToken cancellation)
    {
        var texts = Parts.Where(part => !part.IsImage).ToArray();
        var images = Parts.Where(part => part.IsImage).ToArray();
        var ofTexts = texts.Length == 0 ? [] : model.EmbedTexts([.. texts.Select(part => part.Value)], null, cancellation);
        var ofImages = images.Length == 0 ? [] : model.EmbedImages(images.Length,
            i => PictureContent.Read(images[i].Value).Decode(), (Action<int>?)null, cancellation);
        var sum = new double[model.Dimensions];
        foreach (var (part, row) in texts.Zip(ofTexts).Concat(images.Zip(ofImages)))
            for (var i = 0; i < sum.Length; i++) sum[i] += part.Weight * row[i];
        var length = Math.Sqrt(sum.Sum(x => x * x));
        if (length < 1e-6) throw new ArgumentException("The parts of the query cancel each other out; change a weight or leave one out.");
        return [.. sum.Select(x => (float)(x / length))];
    }
}

/// <summary>An image of the index.</summary>
/// <param name="File">Its path.</param>
/// <param name="Content">Number of its content within the index; copies share it.</param>
/// <param name="Date">Local time of the exposure, else of the file's last change.</param>
/// <param name="Width">Columns, upright.</param>
/// <param name="Height">Rows, upright.</param>
/// <param name="Latitude">Degrees north, or null.</param>
/// <param name="Longitude">Degrees east, or null.</param>
/// <param name="Camera">Maker and model, or null.</param>
/// <param name="Label">Label of 'index classify', or null.</param>
public sealed record IndexedPicture(string File, long Content, DateTime Date, int Width, int Height,
    double? Latitude, double? Longitude, string? Camera, string? Label)
{
    /// <summary>Row of its vector in the requested space, or -1.</summary>
    internal long Row { get; init; } = -1;
}

/// <summary>An image that a search found.</summary>
/// <param name="Picture">The image; of copies the first by name.</param>
/// <param name="Copies">Further files with the same content.</param>
/// <param name="Score">Cosine with the query, -1 to 1.</param>
/// <param name="Relevance">Share of unrelated queries whose normalised score is lower, 0 to 1.</param>
public sealed record SearchResult(IndexedPicture Picture, IReadOnlyList<string> Copies, double Score, double Relevance)
{
    /// <summary>Path of the image.</summary>
    public string File => Picture.File;
}

/// <summary>Result of a search.</summary>
/// <param name="Model">Name of the model.</param>
/// <param name="Results">Best first; those below the cut are left out.</param>
/// <param name="Cut">Smallest relevance of a result, 1 - the false-alarm rate; null without a cut.</param>
/// <param name="FalseAlarmRate">Expected share of unrelated images above the cut.</param>
/// <param name="Searched">Images that were compared.</param>
/// <param name="BelowCut">Results among the best that were left out.</param>
public sealed record SearchResults(string Model, IReadOnlyList<SearchResult> Results, double? Cut, double FalseAlarmRate,
    int Searched, int BelowCut);
