using System.CommandLine;
using Alebrije.Analysis;
using Alebrije.Catalog;
using Alebrije.Pipelines;
using Alebrije.Preprocessing.Imaging;

namespace Alebrije.Cli.Commands;

/// <summary>The options <c>--images</c>, <c>--texts</c> and <c>--texts-file</c> of the verbs that embed.</summary>
internal sealed class EmbeddingInputs
{
    /// <summary>Side of the small pictures in tables and plots: sharp at twice the size at which they are shown.</summary>
    private const int ThumbnailSide = 192;

    /// <summary>A run of this many pictures is over before anybody stops it.</summary>
    private const int ShortRun = 32;

    private readonly Option<string[]> images = new("--images")
    {
        HelpName = "FILE|FOLDER|PATTERN", Description = "Images: files, folders, or patterns such as 'photos/*.jpg'.",
        AllowMultipleArgumentsPerToken = true, Arity = ArgumentArity.ZeroOrMore,
    };

    private readonly Option<string[]> texts = new("--texts")
    {
        HelpName = "TEXT", Description = "Texts, each in quotes.", AllowMultipleArgumentsPerToken = true, Arity = ArgumentArity.ZeroOrMore,
    };

    private readonly Option<string?> textsFile = new("--texts-file") { HelpName = "FILE", Description = "File with one text per line; - reads standard input." };

    /// <summary>Adds the options to a command.</summary>
    public void AddTo(Command command)
    {
        command.Add(images);
        command.Add(texts);
        command.Add(textsFile);
    }

    /// <summary>What was asked for, checked as far as that is possible without a model.</summary>
    /// <exception cref="UsageException">Nothing was given, or an empty text.</exception>
    /// <exception cref="FileNotFoundException">A file is missing.</exception>
    public (IReadOnlyList<string> Images, IReadOnlyList<string> Texts) Read(ParseResult parsed, Terminal terminal, Words words)
    {
        var asked = parsed.GetValue(texts) ?? [];
        if (asked.Any(string.IsNullOrWhiteSpace))
            throw new UsageException(words.In("A text is empty; write what an image might show, such as \"a lion\".", "Hay un texto vacío; escribe lo que podría mostrar una imagen, por ejemplo \"un león\"."));
        var all = asked.Concat(parsed.GetValue(textsFile) is { } file ? Lines(file, terminal, words) : []).ToArray();
        return (ImageFiles.Expand(parsed.GetValue(images) ?? [], words), all);
    }

    /// <summary>Embeds pictures and texts with the model that was asked for.</summary>
    public static Embedded Embed(
        ParseResult parsed, Terminal terminal, Words words, IReadOnlyList<string> paths, IReadOnlyList<string> texts, bool thumbnails, CancellationToken cancellation, string? journalFile = null)
    {
        var folder = ModelCatalog.Create().Find(parsed.GetValue(CommonOptions.Model)!);
        CommonOptions.StartTorch(parsed);
        terminal.Progress(words.In("loading the model", "cargando el modelo"));
        using var model = ClipModel.Load(folder, CommonOptions.PrecisionOf(parsed), terminal.Note);
        var small = new RgbImage?[paths.Count];
        var ofImages = Images(model);
        var ofTexts = texts.Count == 0 ? [] : model.EmbedTexts(texts, done => Report("texts", "textos", done, texts.Count), cancellation);
        terminal.CloseLine();
        return new Embedded(model.Space, ImageFiles.Labels(paths), ofImages, texts, ofTexts, small);

        float[][] Images(ClipModel model)
        {
            using var journal = journalFile is null || paths.Count <= ShortRun ? null : EmbeddingJournal.Open(journalFile, model.Space);
            var found = paths.Select(path => journal?.Find(path)).ToArray();
            int[] missing = [.. Enumerable.Range(0, paths.Count).Where(i => found[i] is null)];
            var known = paths.Count - missing.Length;
            if (known > 0) terminal.Note(words.In($"{words.Images(known)} of {paths.Count} were embedded before; going on from there.", $"{words.Images(known)} de {paths.Count} ya estaban codificadas; se sigue desde ahí."));
            if (missing.Length == 0) return found!;
            try
            {
                model.EmbedImages(missing.Length, i => Picture(missing[i]), (from, batch) =>
                {
                    for (var i = 0; i < batch.Length; i++) found[missing[from + i]] = batch[i];
                    journal?.Add(batch.Select((embedding, i) => (paths[missing[from + i]], embedding)));
                    Report("images", "imágenes", known + from + batch.Length, paths.Count);
                }, cancellation);
            }
            catch (Exception) when (journal is not null && found.Any(embedding => embedding is not null))
            {
                var kept = found.Count(embedding => embedding is not null);
                terminal.Note(words.In(
                    $"{words.Images(kept)} of {paths.Count} are kept in {journalFile}; the same command goes on from there.",
                    $"{words.Images(kept)} de {paths.Count} quedan guardadas en {journalFile}; la misma orden sigue desde ahí."));
                throw;
            }

            return found!;
        }

        PillowImage Picture(int i)
        {
            var image = PillowImage.Load(paths[i]);
            if (thumbnails) small[i] = Shrink(image.ToRgbOnWhite());
            return image;
        }

        void Report(string english, string spanish, int done, int of) =>
            terminal.Progress(words.In($"embedding {english}: {done} of {of}", $"codificando {spanish}: {done} de {of}"));
    }

    private static RgbImage Shrink(RgbImage image)
    {
        var scale = (double)ThumbnailSide / Math.Max(image.Width, image.Height);
        return scale >= 1 ? image : image.Resize(
            Math.Max(1, (int)Math.Round(image.Width * scale)), Math.Max(1, (int)Math.Round(image.Height * scale)), ResizeFilter.Lanczos);
    }

    private static string[] Lines(string file, Terminal terminal, Words words)
    {
        var from = file == "-" ? words.In("Standard input", "La entrada estándar") : file;
        if (file != "-" && !File.Exists(file)) throw new FileNotFoundException(words.In($"There is no file of texts {file}.", $"No existe el archivo de textos {file}."));
        var text = file == "-" ? terminal.Input.ReadToEnd() : File.ReadAllText(file);
        string[] lines = [.. text.Split('\n').Select(line => line.Trim()).Where(line => line.Length > 0)];
        return lines.Length > 0 ? lines
            : throw new UsageException(words.In($"{from} has no texts; write one per line.", $"{from} no contiene textos; escribe uno por línea."));
    }
}

/// <summary>Embeddings with their labels.</summary>
internal sealed record Embedded(
    EmbeddingSpace Space, IReadOnlyList<string> ImageLabels, float[][] Images, IReadOnlyList<string> Texts, float[][] OfTexts, RgbImage?[] Thumbnails)
{
    public string Model => Space.Model;

    public int Dimensions => Space.Dimensions;

    /// <summary>Images first, then texts, each in the order in which they were given.</summary>
    public EmbeddingItem[] Items =>
    [
        .. ImageLabels.Select((label, i) => new EmbeddingItem(EmbeddingKind.Image, label, Images[i])),
        .. Texts.Select((text, i) => new EmbeddingItem(EmbeddingKind.Text, text, OfTexts[i])),
    ];
}
