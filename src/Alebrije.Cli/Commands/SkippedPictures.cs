using Alebrije.Datasets;
using Alebrije.Pipelines;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Reports;

namespace Alebrije.Cli.Commands;

/// <summary>Reads the images of a run; unreadable ones are left out, counted and listed at the end.</summary>
/// <param name="words">Language.</param>
/// <param name="upright">True to apply EXIF orientation.</param>
/// <param name="strict">True if a skipped image makes the exit status 1.</param>
internal sealed class SkippedPictures(Words words, bool upright, bool strict)
{
    /// <summary>Largest number of skipped images listed one by one.</summary>
    private const int Named = 10;

    private readonly List<string> otherKinds = [];
    private readonly List<(string Folder, IReadOnlyList<string> Files)> classless = [];

    /// <summary>True if a skipped image makes the exit status 1.</summary>
    public bool IsStrict { get; } = strict;

    /// <summary>Reader for the library's own loops.</summary>
    public PictureReader Reader { get; } = new(upright);

    /// <summary>All skipped images, for <c>skipped</c> in JSON.</summary>
    public IReadOnlyList<SkippedPicture> Items =>
    [
        .. Reader.Skipped, .. otherKinds.Select(file => new SkippedPicture(file, words["skipped.other-kind", Kind(file)])),
        .. classless.SelectMany(beside => beside.Files).Select(file => new SkippedPicture(file, words["skipped.beside-class-folders"])),
    ];

    /// <summary>Reads an image.</summary>
    /// <returns>Null if it cannot be read.</returns>
    public PillowImage? Read(string path) => Reader.Read(path);

    /// <summary>Embeds images; unreadable ones are left out.</summary>
    /// <returns>Indices in <paramref name="paths"/> of the others, and their embeddings.</returns>
    /// <exception cref="ImageFormatException">None can be read.</exception>
    public (int[] Places, float[][] Embeddings) Embed(ClipModel model,
        IReadOnlyList<string> paths, Action<int> progress, CancellationToken cancellation)
    {
        var rows = new float[]?[paths.Count];
        model.EmbedImages(paths.Count, i => Read(paths[i]), (from, batch) =>
        {
            batch.CopyTo(rows, from);
            progress(from + batch.Length);
        }, cancellation);
        int[] places = [.. Enumerable.Range(0, rows.Length).Where(i => rows[i] is not null)];
        RequireSome(paths.Count, places.Length);
        return (places, [.. places.Select(i => rows[i]!)]);
    }

    /// <summary>Skips images of unsupported kinds.</summary>
    public void AddOtherKinds(IEnumerable<string> files) => otherKinds.AddRange(files.Except(otherKinds));

    /// <summary>Adds the images that a run of the library skipped, and those next to the class folders that it read.</summary>
    public void Add(IEnumerable<SkippedPicture> skipped, IEnumerable<string?> classFolders)
    {
        foreach (var picture in skipped) Reader.Skip(picture.File, picture.Reason);
        foreach (var folder in classFolders) AddBesideClasses(folder);
    }

    /// <summary>Skips the images of a folder next to its class folders, which belong to no class.</summary>
    public void AddBesideClasses(string? folder)
    {
        if (folder is null || !Directory.Exists(folder) || classless.Any(beside => beside.Folder == folder)) return;
        if (VisibleFolder.Open(folder).Pictures is { Count: > 0 } files) classless.Add((folder, files));
    }

    /// <summary>Counts by file extension: "avif 1, tiff 2".</summary>
    public static string Kinds(IEnumerable<string> files) =>
        string.Join(", ", files.CountBy(Kind).OrderBy(kind => kind.Key, StringComparer.Ordinal).Select(kind => $"{kind.Key} {kind.Value}"));

    /// <summary>Throws if none of the requested images is left.</summary>
    /// <exception cref="ImageFormatException">None can be read; one sentence.</exception>
    public void RequireSome(int asked, int left)
    {
        if (asked == 0 || left > 0) return;
        var first = Reader.Skipped[0];
        var reason = words["skipped.cannot-be-read", first.File, LibraryErrors.In(words.Language, first.Reason)];
        throw new ImageFormatException(asked == 1 ? reason : words["skipped.none-left", asked, reason]);
    }

    /// <summary>Lists the skipped images on standard error.</summary>
    /// <returns>The exit status: 1 with <c>--strict</c> if any was skipped, else 0.</returns>
    public int Say(Terminal terminal)
    {
        var skipped = Reader.Skipped;
        foreach (var picture in skipped.Take(Named)) terminal.Note(NoteWords.Skipped(words, picture));
        if (skipped.Count > 1)
        {
            terminal.Note(skipped.Count > Named
                ? words["skipped.count-first-named", skipped.Count, Named]
                : words["skipped.count", skipped.Count]);
        }

        if (otherKinds.Count > 0)
            terminal.Note(words["skipped.other-kinds", words.Images(otherKinds.Count), Kinds(otherKinds)]);
        foreach (var (folder, files) in classless)
            terminal.Note(words.Count("skipped.beside-classes", files.Count, folder));

        return IsStrict && skipped.Count + otherKinds.Count + classless.Count > 0 ? 1 : 0;
    }

    private static string Kind(string file) => Path.GetExtension(file).TrimStart('.').ToLowerInvariant();
}
