using Alebrije.Datasets;
using Alebrije.Pipelines;
using Alebrije.Preprocessing.Imaging;

namespace Alebrije.Cli.Commands;

/// <summary>Reads the pictures of a run; what cannot be read is left out, counted and named at the end.</summary>
/// <param name="words">Language.</param>
/// <param name="upright">Whether pictures are turned as their EXIF orientation asks.</param>
/// <param name="strict">Whether a skipped picture makes the exit status 1.</param>
internal sealed class SkippedPictures(Words words, bool upright, bool strict)
{
    /// <summary>As many are named one by one.</summary>
    private const int Named = 10;

    private readonly List<string> otherKinds = [];
    private readonly List<(string Folder, IReadOnlyList<string> Files)> classless = [];

    /// <summary>Reads for the library's own loops.</summary>
    public PictureReader Reader { get; } = new(upright);

    /// <summary>Everything that was left out, for <c>skipped</c> in JSON.</summary>
    public IReadOnlyList<SkippedPicture> Items =>
    [
        .. Reader.Skipped, .. otherKinds.Select(file => new SkippedPicture(file, words["skipped.other-kind", Kind(file)])),
        .. classless.SelectMany(beside => beside.Files).Select(file => new SkippedPicture(file, words["skipped.beside-class-folders"])),
    ];

    /// <summary>Reads a picture.</summary>
    /// <returns>Null where it cannot be read.</returns>
    public PillowImage? Read(string path) => Reader.Read(path);

    /// <summary>Embeds pictures; those that cannot be read are left out.</summary>
    /// <returns>Places in <paramref name="paths"/> of the others, and their embeddings.</returns>
    /// <exception cref="ImageFormatException">None can be read.</exception>
    public (int[] Places, float[][] Embeddings) Embed(ClipModel model, IReadOnlyList<string> paths, Action<int> progress, CancellationToken cancellation)
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

    /// <summary>Leaves out pictures of kinds that are not read.</summary>
    public void AddOtherKinds(IEnumerable<string> files) => otherKinds.AddRange(files.Except(otherKinds));

    /// <summary>Takes over what a run of the library left out, and what lies beside the class folders that it read.</summary>
    public void Add(IEnumerable<SkippedPicture> skipped, IEnumerable<string?> classFolders)
    {
        foreach (var picture in skipped) Reader.Skip(picture.File, picture.Reason);
        foreach (var folder in classFolders) AddBesideClasses(folder);
    }

    /// <summary>Leaves out the pictures of a folder that lie beside its class folders, and so belong to no class.</summary>
    public void AddBesideClasses(string? folder)
    {
        if (folder is null || !Directory.Exists(folder) || classless.Any(beside => beside.Folder == folder)) return;
        if (VisibleFolder.Open(folder).Pictures is { Count: > 0 } files) classless.Add((folder, files));
    }

    /// <summary>The kinds of some files with their numbers: "avif 1, tiff 2".</summary>
    public static string Kinds(IEnumerable<string> files) =>
        string.Join(", ", files.CountBy(Kind).OrderBy(kind => kind.Key, StringComparer.Ordinal).Select(kind => $"{kind.Key} {kind.Value}"));

    /// <summary>Refuses to go on where no picture is left of those that were asked for.</summary>
    /// <exception cref="ImageFormatException">None can be read; one sentence.</exception>
    public void RequireSome(int asked, int left)
    {
        if (asked == 0 || left > 0) return;
        var first = Reader.Skipped[0];
        var reason = words["skipped.cannot-be-read", first.File, first.Reason];
        throw new ImageFormatException(asked == 1 ? reason : words["skipped.none-left", asked, reason]);
    }

    /// <summary>Says on standard error what was left out.</summary>
    /// <returns>The exit status: 1 with <c>--strict</c> where anything was left out, else 0.</returns>
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

        return strict && skipped.Count + otherKinds.Count + classless.Count > 0 ? 1 : 0;
    }

    private static string Kind(string file) => Path.GetExtension(file).TrimStart('.').ToLowerInvariant();
}
