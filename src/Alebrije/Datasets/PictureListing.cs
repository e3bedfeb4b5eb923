using System.Text.Json;
using Alebrije.Preprocessing;

namespace Alebrije.Datasets;

/// <summary>Reading options of pairs on disk.</summary>
internal record PictureListingOptions
{
    /// <summary>Column or JSON field of the images' paths; null finds it by its usual names.</summary>
    public string? ImageColumn { get; init; }

    /// <summary>Column or JSON field of the captions; null finds it by its usual names.</summary>
    public string? CaptionColumn { get; init; }

    /// <summary>Sentences about a class of a folder of folders, <c>{}</c> being its name.</summary>
    public IReadOnlyList<string> Templates { get; init; } = ["{}", "a photo of a {}."];
}

/// <summary>Pairs of image and caption in single files on disk, and the problems of the others; no image is opened.</summary>
internal sealed class PictureListing
{
    private static readonly string[] LineFiles = [ImageFolder.CaptionsFile, "metadata.jsonl"];
    private static readonly string[] TableFiles = ["metadata.csv", "captions.csv"];
    private static readonly string[] ImageNames = ["file", "file_name",
        "filename", "image", "image_path", "img", "path", "filepath", "file_path", "picture", "imagen", "archivo"];
    private static readonly string[] CaptionNames = ["caption", "text",
        "captions", "title", "description", "sentence", "prompt", "texto", "descripcion", "descripción", "título"];
    private readonly List<CaptionedPicture> pictures = [];
    private readonly List<string> problems = [];

    /// <summary>One for each caption; those of one image need not stand together.</summary>
    public IReadOnlyList<CaptionedPicture> Pictures => pictures;

    /// <summary>A sentence for each unusable entry: a malformed line, an empty caption, a missing image.</summary>
    public IReadOnlyList<string> Problems => problems;

    /// <exception cref="DirectoryNotFoundException">There is no such folder.</exception>
    /// <exception cref="InvalidDataException">It holds nothing of the known forms.</exception>
    public static PictureListing OfFolder(string folder, PictureListingOptions options)
    {
        if (!Directory.Exists(folder)) throw new DirectoryNotFoundException($"There is no folder {folder}.");
        var listing = new PictureListing();
        if (Existing(folder, LineFiles) is { } lines) listing.AddLines(folder, lines, options);
        else if (Existing(folder, TableFiles) is { } table) return OfTable(table, options);
        else listing.AddFiles(folder, options);
        return listing.pictures.Count + listing.problems.Count > 0 ? listing : throw new InvalidDataException(
            $"{folder} has no images with captions; give it a {ImageFolder.CaptionsFile} "
                + $"with lines such as {{\"file\": \"a.png\", \"caption\": \"a lion\"}}, "
            + "put a .txt of the same name next to each image, or put the images into folders named after what they show.");
    }

    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">A column is not found, or a quoted field does not end.</exception>
    public static PictureListing OfTable(string file, PictureListingOptions options)
    {
        if (!File.Exists(file)) throw new FileNotFoundException($"There is no file {file}.");
        var listing = new PictureListing();
        using var table = CsvReader.Open(file);
        var image = Column(table, options.ImageColumn, ImageNames, "image paths", "image_column");
        var caption = Column(table, options.CaptionColumn, CaptionNames, "captions", "caption_column");
        var folder = Path.GetDirectoryName(Path.GetFullPath(file))!;
        while (table.Read() is { } row)
        {
            if (row.Length == 1 && row[0].Length == 0) continue;
            if (row.Length <= Math.Max(image, caption))
                listing.problems.Add($"{file}, line {table.Line}: {row.Length} fields are too few for an image and a caption.");
            else listing.Add($"{file}, line {table.Line}", Path.Combine(folder, row[image]), row[caption], null);
        }

        return listing.pictures.Count + listing.problems.Count > 0 ? listing
            : throw new InvalidDataException($"{file} has a header and no rows.");
    }

    /// <summary>A caption, or several, of a JSON object; null if it has none.</summary>
    public static IReadOnlyList<string>? Captions(JsonElement item, string? field)
    {
        if (item.ValueKind != JsonValueKind.Object) return null;
        foreach (var key in field is null ? CaptionNames : [field])
        {
            if (!item.TryGetProperty(key, out var value)) continue;
            if (value.ValueKind == JsonValueKind.String) return [value.GetString()!];
            if (value.ValueKind == JsonValueKind.Array && value.EnumerateArray().All(text => text.ValueKind == JsonValueKind.String))
                return [.. value.EnumerateArray().Select(text => text.GetString()!)];
        }

        return null;
    }

    private static string? Existing(string folder, string[] names) =>
        names.Select(name => Path.Combine(folder, name)).FirstOrDefault(File.Exists);

    private static int Column(CsvReader table, string? asked, string[] usual, string what, string key)
    {
        foreach (var name in asked is null ? usual : [asked])
            if (Array.FindIndex(table.Header, head => head.Trim().Equals(name, StringComparison.OrdinalIgnoreCase)) is >= 0 and var index)
                return index;
        throw new InvalidDataException(asked is null
            ? $"{table.Path}: no column of {what} is found among {string.Join(", ", table.Header)}; name it with {key}."
            : $"{table.Path}: there is no column '{asked}'; there are {string.Join(", ", table.Header)}.");
    }

    private void AddLines(string folder, string file, PictureListingOptions options)
    {
        foreach (var (number, line) in RegularFile.ReadLines(file).Index())
        {
            if (string.IsNullOrWhiteSpace(line)) continue;
            var place = $"{file}, line {number + 1}";
            try
            {
                using var document = JsonText.Parse(line);
                var item = document.RootElement;
                var path = (options.ImageColumn is null ? ImageNames : [options.ImageColumn])
                    .Select(name => Text(item, name)).FirstOrDefault(text => text is not null);
                var captions = Captions(item, options.CaptionColumn);
                if (path is null || captions is not { Count: > 0 })
                {
                    problems.Add($"{place}: a line needs \"file\" and \"caption\".");
                    continue;
                }

                var language = Text(item, "lang") ?? Text(item, "language");
                foreach (var caption in captions) Add(place, Path.Combine(folder, path), caption, language);
            }
            catch (JsonException e)
            {
                problems.Add($"{place} is not a JSON object: {e.Message.Split(" LineNumber", 2)[0]}");
            }
        }
    }

    /// <summary>Images next to their captions where there are any, else folders named after their content.</summary>
    private void AddFiles(string folder, PictureListingOptions options)
    {
        var all = VisibleFolder.Open(folder).PicturesBelow();
        var isCaptioned = all.Any(file => File.Exists(Path.ChangeExtension(file, ".txt")));
        var beside = new List<string>();
        foreach (var file in all)
        {
            var parts = Path.GetRelativePath(folder, file).Split(Path.DirectorySeparatorChar);
            if (isCaptioned) AddBeside(file);
            else if (parts.Length > 1)
                foreach (var template in options.Templates)
                    Add(file, file, template.Replace("{}", parts[0].Replace('_', ' '), StringComparison.Ordinal), null);
            else beside.Add(file);
        }

        if (pictures.Count > 0)
            problems.AddRange(beside.Select(file => $"{file} lies next to the class folders, so no folder names its class."));
    }

    private void AddBeside(string file)
    {
        var text = Path.ChangeExtension(file, ".txt");
        if (!File.Exists(text))
        {
            problems.Add($"{file} has no {Path.GetFileName(text)} next to it.");
            return;
        }

        string[] captions = [.. RegularFile.ReadLines(text).Where(line => !string.IsNullOrWhiteSpace(line))];
        if (captions.Length == 0) problems.Add($"{text} is empty; it should have a caption on each line.");
        foreach (var caption in captions) Add(text, file, caption, null);
    }

    private void Add(string place, string path, string caption, string? language)
    {
        if (string.IsNullOrWhiteSpace(caption)) problems.Add($"{place}: the caption is empty.");
        else if (!File.Exists(path)) problems.Add($"{place}: there is no image {path}.");
        else pictures.Add(new CaptionedPicture(path, caption.Trim(), language));
    }

    private static string? Text(JsonElement item, string name) =>
        item.ValueKind == JsonValueKind.Object && item.TryGetProperty(name, out var value)
        && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
}
