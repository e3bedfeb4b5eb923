using System.CommandLine;
using Alebrije.Preprocessing;

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
                result.AddError($"--out {path}: the file has to end in {Listed(endings)}.");
        });
        return option;
    }

    /// <summary>Refuses a file that cannot be written, before the work is done: it is opened for writing, and what was not there is taken away again.</summary>
    /// <exception cref="IOException">It cannot be written; one sentence.</exception>
    public static void Check(string? path, Words words)
    {
        if (path is null) return;
        try
        {
            UnwritableFileException.ThrowIfUnwritable(path);
        }
        catch (UnwritableFileException e)
        {
            throw new IOException(Sentence(e, words), e);
        }
    }

    /// <summary>"FILE cannot be written: reason."</summary>
    public static string Sentence(UnwritableFileException refusal, Words words) => words.In(refusal.Message, $"No se puede escribir {refusal.File}: {refusal.Reason switch
    {
        UnwritableReason.IsFolder => "es una carpeta",
        UnwritableReason.AccessDenied => "acceso denegado",
        UnwritableReason.NoFolder => $"no existe la carpeta {refusal.Folder}",
        UnwritableReason.ClosedFolder => $"la carpeta {refusal.Folder} no admite archivos nuevos",
        UnwritableReason.LongName => "el nombre es demasiado largo",
        _ => refusal.Detail,
    }}.");

    /// <summary>Refuses the name of a picture of another format than those that are written.</summary>
    /// <param name="output">What <c>--out</c> named.</param>
    /// <param name="animates">Whether animations are written too.</param>
    /// <param name="words">Language of the sentence.</param>
    /// <exception cref="UsageException">It ends like one.</exception>
    public static void RefuseOtherPictures(string output, bool animates, Words words)
    {
        if (Path.GetExtension(output).ToLowerInvariant() is not (".jpg" or ".jpeg" or ".webp" or ".gif" or ".bmp")) return;
        throw new UsageException(words.In(
            $"--out {output}: pictures are written as .png, because it keeps the recipe{(animates ? ", and animations as .apng" : "")}; name such a file or a folder.",
            $"--out {output}: las imágenes se escriben como .png, que conserva la receta{(animates ? ", y las animaciones como .apng" : "")}; nombra un archivo así o una carpeta."));
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
            throw new IOException(words.In($"The folder {path} cannot be made: {e.Message.Split('\n')[0].TrimEnd('.')}.", $"No se puede crear la carpeta {path}: {e.Message.Split('\n')[0].TrimEnd('.')}."), e);
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
        if (File.Exists(path)) throw new IOException(words.In($"{option} {path} is a file; name a folder.", $"{option} {path} es un archivo; nombra una carpeta."));
        if (Directory.Exists(path) && Directory.EnumerateFileSystemEntries(path).Any())
            throw new IOException(words.In($"{option} {path} is not empty; name a new or an empty folder, so that nothing in it is replaced.", $"{option} {path} no está vacía; nombra una carpeta nueva o vacía, para que nada de ella se reemplace."));
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

    private static string Listed(string[] endings) =>
        endings.Length == 1 ? endings[0] : $"{string.Join(", ", endings[..^1])} or {endings[^1]}";
}
