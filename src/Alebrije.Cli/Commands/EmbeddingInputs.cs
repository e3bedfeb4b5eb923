using System.CommandLine;
using System.Text.Json;
using Alebrije.Embeddings;
using Alebrije.Pipelines;
using Alebrije.Preprocessing;
using Alebrije.Preprocessing.Imaging;

namespace Alebrije.Cli.Commands;

/// <summary>The options <c>--images</c>, <c>--texts</c> and <c>--texts-file</c> of the verbs that embed.</summary>
/// <param name="upright">Default of <c>--orientation</c>: true to apply EXIF orientation.</param>
internal sealed class EmbeddingInputs(bool upright)
{
    /// <summary>Side of the thumbnails in tables and plots, in pixels: twice the size at which they are shown.</summary>
    private const int ThumbnailSide = 192;

    /// <summary>Largest number of images of a run without a journal.</summary>
    private const int ShortRun = 32;

    private readonly Option<string[]> images = new("--images")
    {
        HelpName = "FILE|FOLDER|PATTERN",
        AllowMultipleArgumentsPerToken = true, Arity = ArgumentArity.ZeroOrMore,
    };

    private readonly Option<string[]> texts = new("--texts")
    {
        HelpName = "TEXT", AllowMultipleArgumentsPerToken = true, Arity = ArgumentArity.ZeroOrMore,
    };

    private readonly Option<string?> textsFile = new("--texts-file") { HelpName = "FILE" };

    private readonly PictureOptions pictures = new(upright);

    /// <summary>Adds the options to a command.</summary>
    public void AddTo(Command command)
    {
        command.Add(images);
        command.Add(texts);
        command.Add(textsFile);
        pictures.AddTo(command);
    }

    /// <summary>True if EXIF orientation is applied.</summary>
    public bool IsUpright(ParseResult parsed) => pictures.IsUpright(parsed);

    /// <summary>The inputs of the command line, checked as far as possible without a model.</summary>
    /// <exception cref="UsageException">There are no inputs, or an empty text.</exception>
    /// <exception cref="FileNotFoundException">A file is missing.</exception>
    public AskedInputs Read(ParseResult parsed, Terminal terminal, Words words, CancellationToken cancellation)
    {
        var asked = parsed.GetValue(texts) ?? [];
        if (asked.Any(string.IsNullOrWhiteSpace))
            throw new UsageException(words["embed.empty-text"]);
        var all = asked.Where(text => text != "-").Concat(asked.Contains("-") ? Lines("-", terminal, words) : [])
            .Concat(parsed.GetValue(textsFile) is { } file ? Lines(file, terminal, words) : []).ToArray();
        var skipped = pictures.Read(parsed, words);
        return new AskedInputs(ImageFiles.Expand(parsed.GetValue(images) ?? [], words, skipped, cancellation), all, skipped);
    }

    /// <summary>Embeds images and texts with the chosen model. Unreadable images are left out.</summary>
    /// <exception cref="ImageFormatException">There are images, and all of them are unreadable.</exception>
    public static Embedded Embed(
        ParseResult parsed, Terminal terminal, Words words, AskedInputs asked,
        bool thumbnails, CancellationToken cancellation, string? journalFile = null, string? output = null)
    {
        var (paths, texts, skipped) = asked;
        var folder = ModelChoice.Find(parsed);
        CommonOptions.StartTorch(parsed);
        terminal.Progress(words["progress.loading-model"]);
        using var model = ClipModel.Load(folder, CommonOptions.PrecisionOf(parsed), NoteWords.Writer(terminal, words));
        if (output is not null)
        {
            var journaled = paths.Count > ShortRun ? paths.Count : 0;
            OutputFile.Check(output, words, ((long)paths.Count + texts.Count + journaled) * model.Space.Dimensions * sizeof(float));
        }

        var small = new RgbImage?[paths.Count];
        var ofImages = Images(model);
        int[] good = [.. Enumerable.Range(0, paths.Count).Where(i => ofImages[i] is not null)];
        skipped.RequireSome(paths.Count, good.Length);
        var ofTexts = texts.Count == 0 ? [] : model.EmbedTexts(texts,
            Report(done => words["progress.embedding-texts", done, texts.Count], texts.Count), cancellation);
        terminal.CloseLine();
        return new Embedded(model.Space, ImageFiles.Labels([.. good.Select(i => paths[i])]),
            [.. good.Select(i => ofImages[i]!)], texts, ofTexts, [.. good.Select(i => small[i])], skipped);

        float[]?[] Images(ClipModel model)
        {
            using var journal = journalFile is null || paths.Count <= ShortRun ? null : EmbeddingJournal.Open(journalFile, model.Space);
            var found = paths.Select(path => journal?.Find(path)).ToArray();
            int[] missing = [.. Enumerable.Range(0, paths.Count).Where(i => found[i] is null)];
            var known = paths.Count - missing.Length;
            if (known > 0) terminal.Note(words["embed.journal-found", words.Images(known), paths.Count]);
            if (missing.Length == 0) return found;
            var report = Report(done => words["progress.embedding-images", done, paths.Count], paths.Count, known);
            StoppedRun.Guard(terminal, words, parsed.GetValue(CommonOptions.Json),
                () => Kept() == 0 ? null : new { model = model.Name, journal = journalFile, images = Kept() }, () =>
            {
                try
                {
                    model.EmbedImages(missing.Length, i => Picture(missing[i]), (from, batch) =>
                    {
                        for (var i = 0; i < batch.Length; i++) found[missing[from + i]] = batch[i];
                        journal?.Add(batch.Index().Where(one => one.Item is not null)
                            .Select(one => (paths[missing[from + one.Index]], one.Item!)));
                        report(known + from + batch.Length);
                    }, cancellation);
                }
                catch (Exception) when (Kept() > 0)
                {
                    terminal.Note(words["embed.journal-kept", words.Images(Kept()), paths.Count, journalFile]);
                    throw;
                }
            });
            return found;

            int Kept() => journal is null ? 0 : found.Count(embedding => embedding is not null);
        }

        PillowImage? Picture(int i)
        {
            var image = skipped.Read(paths[i]);
            if (thumbnails && image is not null) small[i] = Shrink(image.ToRgbOnWhite());
            return image;
        }

        // Called with the number of finished items, including those of an earlier run.
        Action<int> Report(Func<int, string> sentence, int of, int before = 0)
        {
            var remaining = new RemainingTime(of, before);
            return done =>
            {
                remaining.Add(done - remaining.Done);
                terminal.Progress(sentence(done) + remaining.Sentence(words));
            };
        }
    }

    private static RgbImage Shrink(RgbImage image)
    {
        var scale = (double)ThumbnailSide / Math.Max(image.Width, image.Height);
        return scale >= 1 ? image : image.Resize(
            Math.Max(1, (int)Math.Round(image.Width * scale)), Math.Max(1, (int)Math.Round(image.Height * scale)), ResizeFilter.Lanczos);
    }

    private IReadOnlyList<string> Lines(string file, Terminal terminal, Words words)
    {
        var lines = TextLines.Read(file, terminal, words, textsFile.Name);
        var from = file == "-" ? words["embed.standard-input"] : file;
        return lines.Count > 0 ? [.. lines.Select(line => line.StartsWith('{') ? TextOf(line, words) : line)]
            : throw new UsageException(words["embed.file-without-texts", from]);
    }

    /// <summary>The text of a line of JSON, such as <c>{"text": "a lion"}</c>.</summary>
    private static string TextOf(string line, Words words)
    {
        try
        {
            using var json = JsonText.Parse(line);
            if (json.RootElement.EnumerateObject().ToArray() is [{ Name: "text", Value: { ValueKind: JsonValueKind.String } text }]
                && !string.IsNullOrWhiteSpace(text.GetString()))
                return text.GetString()!;
        }
        catch (JsonException)
        {
        }

        throw new UsageException(words["embed.line-no-json", line]);
    }
}

/// <summary>Images and texts of the command line, and the reader of the images.</summary>
internal sealed record AskedInputs(IReadOnlyList<string> Images, IReadOnlyList<string> Texts, SkippedPictures Skipped);

/// <summary>Embeddings with their labels, and the images that were left out.</summary>
internal sealed record Embedded(
    EmbeddingSpace Space, IReadOnlyList<string> ImageLabels, float[][] Images,
    IReadOnlyList<string> Texts, float[][] OfTexts, RgbImage?[] Thumbnails, SkippedPictures Skipped)
{
    public string Model => Space.Model;

    public int Dimensions => Space.Dimensions;

    /// <summary>Images first, then texts, each in the order of the command line.</summary>
    public EmbeddingItem[] Items =>
    [
        .. ImageLabels.Select((label, i) => new EmbeddingItem(EmbeddingKind.Image, label, Images[i])),
        .. Texts.Select((text, i) => new EmbeddingItem(EmbeddingKind.Text, text, OfTexts[i])),
    ];
}
