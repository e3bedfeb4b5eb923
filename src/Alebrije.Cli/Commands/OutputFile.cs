using System.CommandLine;

namespace Alebrije.Cli.Commands;

/// <summary>Options that name a file to be written: what it may end in is checked while the command line is read, before any work.</summary>
internal static class OutputFile
{
    /// <summary>An option <c>--out FILE</c>.</summary>
    /// <param name="endings">Endings that are possible, in lower case with their dot.</param>
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

    /// <summary>Refuses a file that cannot be written, before the work is done: it is opened for writing, and what was not there is taken away again.</summary>
    /// <exception cref="IOException">It cannot be written; one sentence.</exception>
    public static void Check(string? path, Words words)
    {
        if (path is null) return;
        if (Path.GetDirectoryName(Path.GetFullPath(path)) is { } folder && !Directory.Exists(folder))
            throw new DirectoryNotFoundException(words["output.no-folder", path, folder]);
        if (Directory.Exists(path)) throw new IOException(words["output.is-a-folder", path]);
        var wasThere = File.Exists(path) || new FileInfo(path).LinkTarget is not null;
        try
        {
            using (new FileStream(path, FileMode.OpenOrCreate, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete))
            {
            }

            if (!wasThere) File.Delete(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            var reason = e switch
            {
                UnauthorizedAccessException => words["output.denied"],
                FileNotFoundException or DirectoryNotFoundException => words["output.folder-takes-none"],
                PathTooLongException => words["output.name-too-long"],
                _ => e.Message.Split('\n')[0].TrimEnd('.'),
            };
            throw new IOException(words["output.cannot-be-written", path, reason], e);
        }
    }

    /// <summary>Refuses a folder that takes no files, before the work is done; makes it where there is none.</summary>
    /// <param name="path">The folder, or null.</param>
    /// <param name="file">Name of a file that is going to be written there.</param>
    /// <param name="words">Language.</param>
    /// <exception cref="IOException">It cannot be made or written to; one sentence.</exception>
    public static void CheckFolder(string? path, string file, Words words)
    {
        if (path is null) return;
        try
        {
            Directory.CreateDirectory(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new IOException(words["output.folder-not-made", path, e.Message.Split('\n')[0].TrimEnd('.')], e);
        }

        Check(Path.Combine(path, file), words);
    }

    /// <summary>Refuses a folder that holds something already: what is written there would replace it, or be mixed with it.</summary>
    /// <param name="option">The option that names it.</param>
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

    /// <summary>A name that no file has: the stem with <c>.png</c>, or with a number before it.</summary>
    /// <param name="stem">The path without its ending.</param>
    public static string Free(string stem)
    {
        var path = stem + ".png";
        for (var n = 2; File.Exists(path); n++) path = $"{stem}-{n}.png";
        return path;
    }

    /// <summary>A path without its ending.</summary>
    public static string StemOf(string path) => Path.Combine(Path.GetDirectoryName(path) ?? "", Path.GetFileNameWithoutExtension(path));

    private static string Listed(string[] endings, Words words) =>
        endings.Length == 1 ? endings[0] : string.Join(", ", endings[..^1]) + words["list.or"] + endings[^1];
}
