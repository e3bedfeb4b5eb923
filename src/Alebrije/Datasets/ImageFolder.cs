using System.Text.Json;
using Alebrije.Preprocessing.Imaging;

namespace Alebrije.Datasets;

/// <summary>A picture on disk with what it shows.</summary>
/// <param name="Path">The file.</param>
/// <param name="Caption">What it shows.</param>
/// <param name="Lang">Language of the caption where it is known: "en", "es".</param>
public sealed record CaptionedPicture(string Path, string Caption, string? Lang)
{
    /// <summary>Reads the picture.</summary>
    /// <exception cref="ImageFormatException">The file is no picture, or damaged.</exception>
    public RgbImage Load() => RgbImage.Load(Path);
}

/// <summary>
/// Pictures with captions on disk, in either of the usual forms: a file <c>captions.jsonl</c> whose lines name <c>file</c> and <c>caption</c>
/// (and perhaps <c>lang</c>; <c>file_name</c> and <c>text</c> are understood too), or folders named after what their pictures show.
/// </summary>
public static class ImageFolder
{
    /// <summary>Name of the file with the captions.</summary>
    public const string CaptionsFile = "captions.jsonl";

    private static readonly string[] Extensions = [".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp"];

    /// <summary>Lists the pairs of a folder: in the file's order, or by name.</summary>
    /// <exception cref="DirectoryNotFoundException">There is no such folder.</exception>
    /// <exception cref="InvalidDataException">A line is wrong, a picture it names is missing, or the folder holds no pictures with captions.</exception>
    public static IReadOnlyList<CaptionedPicture> Read(string folder)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        if (!Directory.Exists(folder))
            throw new DirectoryNotFoundException($"There is no folder {folder}.");
        var captions = Path.Combine(folder, CaptionsFile);
        var pictures = File.Exists(captions) ? ReadCaptions(folder, captions) : ReadFolders(folder);
        return pictures.Count > 0
            ? pictures
            : throw new InvalidDataException(
                $"{folder} has no pictures with captions; give it a {CaptionsFile} with lines such as {{\"file\": \"a.png\", \"caption\": \"a lion\"}}, "
                + "or put the pictures into folders named after what they show.");
    }

    private static List<CaptionedPicture> ReadCaptions(string folder, string captions)
    {
        var pictures = new List<CaptionedPicture>();
        foreach (var (number, line) in File.ReadLines(captions).Index())
        {
            if (string.IsNullOrWhiteSpace(line))
                continue;
            try
            {
                using var document = JsonDocument.Parse(line);
                var file = Text(document.RootElement, "file", "file_name");
                var caption = Text(document.RootElement, "caption", "text");
                if (file is null || caption is null)
                    throw new InvalidDataException($"{captions}, line {number + 1}: a line needs \"file\" and \"caption\".");
                var path = Path.Combine(folder, file);
                if (!File.Exists(path))
                    throw new InvalidDataException($"{captions}, line {number + 1}: there is no picture {path}.");
                pictures.Add(new CaptionedPicture(path, caption, Text(document.RootElement, "lang", "language")));
            }
            catch (JsonException e)
            {
                throw new InvalidDataException($"{captions}, line {number + 1} is no JSON object: {e.Message}", e);
            }
        }
        return pictures;
    }

    private static string? Text(JsonElement line, string name, string otherName)
    {
        if (line.ValueKind != JsonValueKind.Object)
            return null;
        foreach (var key in (ReadOnlySpan<string>)[name, otherName])
            if (line.TryGetProperty(key, out var value) && value.ValueKind == JsonValueKind.String)
                return value.GetString();
        return null;
    }

    private static List<CaptionedPicture> ReadFolders(string folder) =>
    [
        .. Directory.EnumerateDirectories(folder).Order(StringComparer.Ordinal).SelectMany(shown =>
            Directory.EnumerateFiles(shown, "*", SearchOption.AllDirectories)
                .Where(file => Extensions.Contains(Path.GetExtension(file), StringComparer.OrdinalIgnoreCase)).Order(StringComparer.Ordinal)
                .Select(file => new CaptionedPicture(file, Path.GetFileName(shown).Replace('_', ' '), null))),
    ];
}
