using System.Text.Json;
using Alebrije.Preprocessing;

namespace Alebrije.Datasets;

/// <summary>An image on disk with any number of labels.</summary>
/// <param name="Path">The file.</param>
/// <param name="Labels">Labels of its content; may be empty.</param>
public sealed record LabelledImage(string Path, IReadOnlyList<string> Labels)
{
    /// <summary>
    /// Reads images with their labels: a CSV (RFC 4180) with the columns <c>image</c> and <c>labels</c>, separated by semicolons; a folder
    /// with <c>captions.jsonl</c> whose lines name <c>file</c> and <c>labels</c> or <c>objects</c>, as <c>world --export</c> writes it; or
    /// folders named after the content of their images.
    /// </summary>
    /// <param name="path">The file or folder.</param>
    /// <param name="cancellation">Stops between two folders.</param>
    /// <exception cref="FileNotFoundException">Neither a file nor a folder has this name, or a named image is missing.</exception>
    /// <exception cref="InvalidDataException">A line is wrong, or there are no images.</exception>
    public static IReadOnlyList<LabelledImage> Read(string path, CancellationToken cancellation = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (!File.Exists(path) && !Directory.Exists(path))
            throw new FileNotFoundException($"There is neither a file nor a folder {path}.", path);
        var captions = System.IO.Path.Combine(path, ImageFolder.CaptionsFile);
        var images = File.Exists(path) ? FromCsv(path) : File.Exists(captions)
            ? FromLines(path, captions) : FromFolders(path, cancellation);
        if (images.Count == 0)
            throw new InvalidDataException($"{path} has no labelled images; "
                + $"give a CSV with the columns image and labels, or folders named after what their images show.");
        if (images.FirstOrDefault(image => !File.Exists(image.Path)) is { } missing)
            throw new FileNotFoundException($"{path} names the image {missing.Path}, which is not there.", missing.Path);
        return images;
    }

    private static List<LabelledImage> FromCsv(string path)
    {
        using var table = CsvReader.Open(path);
        var head = table.Header.Select(field => field.Trim().ToLowerInvariant()).ToList();
        var (image, labels) = (head.IndexOf("image"), head.IndexOf("labels"));
        if (image < 0 || labels < 0)
            throw new InvalidDataException($"{path} begins with the columns "
                + $"{string.Join(", ", head)}; it needs image and labels, such as: image,labels and then a.png,lion;cat.");
        var folder = System.IO.Path.GetDirectoryName(System.IO.Path.GetFullPath(path))!;
        var images = new List<LabelledImage>();
        while (table.Read() is { } fields)
        {
            if (fields is [""]) continue;
            if (fields.Length != head.Count)
                throw new InvalidDataException($"{path}, line {table.Line}: {fields.Length} fields, and the first line has {head.Count}.");
            images.Add(new LabelledImage(System.IO.Path.Combine(folder, fields[image]), Split(fields[labels])));
        }

        return images;
    }

    private static string[] Split(string labels) =>
        labels.Split(';', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);

    /// <summary>Lines of one image, such as its captions in two languages, are one.</summary>
    private static List<LabelledImage> FromLines(string folder, string captions)
    {
        var images = new Dictionary<string, LabelledImage>(StringComparer.Ordinal);
        foreach (var (number, line) in RegularFile.ReadLines(captions).Index())
        {
            if (string.IsNullOrWhiteSpace(line)) continue;
            try
            {
                using var document = JsonText.Parse(line);
                var root = document.RootElement;
                var file = root.GetProperty("file").GetString()!;
                var labels = (root.TryGetProperty("labels", out var named) ? named : root.GetProperty("objects"))
                    .EnumerateArray().Select(label => label.GetString()!).Distinct(StringComparer.Ordinal);
                images.TryAdd(file, new LabelledImage(System.IO.Path.Combine(folder, file), [.. labels]));
            }
            catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException)
            {
                throw new InvalidDataException(
                    $"{captions}, line {number + 1}: a line needs \"file\" and a list \"labels\" or \"objects\".", e);
            }
        }

        return [.. images.Values];
    }

    /// <summary>An image that links put into several folders shows what each of them is named after.</summary>
    private static List<LabelledImage> FromFolders(string folder, CancellationToken cancellation) =>
    [
        .. VisibleFolder.Open(folder).Folders.SelectMany(shown =>
            shown.PicturesBelow(cancellation: cancellation).Select(file => (File: file, Label: shown.Name)))
            .GroupBy(picture => RealPath.Of(picture.File), StringComparer.Ordinal)
            .Select(picture => new LabelledImage(picture.First().File,
                [.. picture.Select(one => one.Label).Distinct(StringComparer.Ordinal)])),
    ];
}
