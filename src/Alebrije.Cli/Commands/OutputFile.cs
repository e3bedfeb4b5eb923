using System.CommandLine;
using Alebrije.Preprocessing;

namespace Alebrije.Cli.Commands;

/// <summary>Options for output files: their extension is checked during parsing, before any work.</summary>
internal static class OutputFile
{
    /// <summary>An option <c>--out FILE</c>.</summary>
    /// <param name="endings">Allowed extensions, in lower case with their dot.</param>
    public static Option<string?> Option(params string[] endings)
    {
        var option = new Option<string?>("--out") { HelpName = "FILE" };
        option.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<string?>() is { } path && !endings.Contains(Path.GetExtension(path).ToLowerInvariant()))
                result.AddError(Words.Of(result)["output.ending", path, Listed(endings, Words.Of(result))]);
        });
        return option;
    }

    /// <summary>
    /// Rejects a file that cannot be written, before the work: opens it for writing and removes it again if it did not exist.
    /// </summary>
    /// <param name="path">The file, or null.</param>
    /// <param name="words">Language.</param>
    /// <param name="leastBytes">Space that the file, and others next to it, take at least.</param>
    /// <exception cref="IOException">It cannot be written, or there is too little space; one sentence.</exception>
    public static void Check(string? path, Words words, long leastBytes = 0)
    {
        if (path is null) return;
        try
        {
            UnwritableFileException.ThrowIfUnwritable(path, leastBytes);
        }
        catch (UnwritableFileException e)
        {
            throw new IOException(Sentence(e, words), e);
        }
    }

    /// <summary>"FILE cannot be written: reason."</summary>
    public static string Sentence(UnwritableFileException refusal, Words words) =>
        words["output.cannot-be-written", refusal.File, Why(refusal, words)];

    private static string Why(UnwritableFileException refusal, Words words) => refusal.Reason switch
    {
        UnwritableReason.IsFolder => words["output.is-a-folder"],
        UnwritableReason.AccessDenied => words["output.denied"],
        UnwritableReason.NoFolder => words["output.no-folder", refusal.Folder],
        UnwritableReason.ClosedFolder => words["output.folder-takes-none", refusal.Folder],
        UnwritableReason.LongName => words["output.name-too-long"],
        UnwritableReason.ReadOnly => words["output.read-only"],
        UnwritableReason.Full => refusal is { FreeBytes: { } free, NeededBytes: { } needed }
            ? words["output.too-little-space", DiskSpace.Text(needed), DiskSpace.Text(free)] : words["output.full"],
        _ => refusal.Detail,
    };

    /// <summary>Rejects the extension of an image format that is not written.</summary>
    /// <param name="output">Value of <c>--out</c>.</param>
    /// <param name="animates">True if animations are written too.</param>
    /// <param name="words">Language of the sentence.</param>
    /// <exception cref="UsageException">It has such an extension.</exception>
    public static void RefuseOtherPictures(string output, bool animates, Words words)
    {
        if (Path.GetExtension(output).ToLowerInvariant() is not (".jpg" or ".jpeg" or ".webp" or ".gif" or ".bmp")) return;
        throw new UsageException(animates ? words["output.not-png-nor-apng", output] : words["output.not-png", output]);
    }

    /// <summary>Rejects a folder without write access, before the work; creates a missing one.</summary>
    /// <param name="path">The folder, or null.</param>
    /// <param name="file">Name of a file to be written there.</param>
    /// <param name="words">Language.</param>
    /// <param name="leastBytes">Space that the files take at least.</param>
    /// <exception cref="IOException">It cannot be created or written to, or there is too little space; one sentence.</exception>
    public static void CheckFolder(string? path, string file, Words words, long leastBytes = 0)
    {
        if (path is null) return;
        try
        {
            // Before the folder is made: a refused command leaves nothing.
            DiskSpace.Require(Path.Combine(path, file), leastBytes);
            WrittenFile.MakeFolder(path);
        }
        catch (UnwritableFileException e)
        {
            throw new IOException(words["output.folder-not-made", path, Why(e, words)], e);
        }

        Check(Path.Combine(path, file), words, leastBytes);
    }

    /// <summary>Rejects a folder that is not empty: its files would be replaced or mixed with the output.</summary>
    /// <param name="option">The option of the folder.</param>
    /// <param name="path">The folder, or null.</param>
    /// <param name="words">Language of the sentence.</param>
    /// <exception cref="IOException">It is not empty, or no folder; one sentence.</exception>
    public static void CheckEmptyFolder(string option, string? path, Words words)
    {
        if (path is null) return;
        if (File.Exists(path)) throw new IOException(words["output.folder-is-a-file", option, path]);
        if (Directory.Exists(path) && Directory.EnumerateFileSystemEntries(path).Any())
            throw new IOException(words["output.folder-not-empty", option, path]);
    }

    /// <summary>An unused file name: the stem with <c>.png</c>, or with a number before it.</summary>
    /// <param name="stem">The path without its extension.</param>
    public static string Free(string stem)
    {
        var path = stem + ".png";
        for (var n = 2; File.Exists(path); n++) path = $"{stem}-{n}.png";
        return path;
    }

    /// <summary>A path without its extension.</summary>
    public static string StemOf(string path) => Path.Combine(Path.GetDirectoryName(path) ?? "", Path.GetFileNameWithoutExtension(path));

    private static string Listed(string[] endings, Words words) =>
        endings.Length == 1 ? endings[0] : string.Join(", ", endings[..^1]) + words["list.or"] + endings[^1];
}
