using System.CommandLine;
using System.Globalization;
using Alebrije.Analysis;

namespace Alebrije.Cli.Commands;

/// <summary><c>alebrije embed --images ... --texts ... --out F</c></summary>
internal static class EmbedCommand
{
    private const int ShownNumbers = 4;

    public static Command Create(Terminal terminal)
    {
        var inputs = new EmbeddingInputs();
        var file = OutputFile.Option("Keeps the embeddings", [.. EmbeddingFile.Endings]);
        var command = new Command("embed", "Turns images and texts into embeddings of unit length in one space.") { file };
        inputs.AddTo(command);
        command.SetAction((parsed, cancellation) => Task.Run(
            async () =>
            {
                var (words, json, path) = (new Words(CommonOptions.LanguageOf(parsed)), parsed.GetValue(CommonOptions.Json), parsed.GetValue(file));
                var (images, texts) = inputs.Read(parsed, terminal, words);
                if (images.Count + texts.Count == 0)
                    throw new UsageException(words.In("There is nothing to embed; give --images, --texts or --texts-file.", "No hay nada que codificar; indica --images, --texts o --texts-file."));
                OutputFile.Check(path, words);
                var embedded = EmbeddingInputs.Embed(parsed, terminal, words, images, texts, thumbnails: false, cancellation, JournalOf(path));
                var items = embedded.Items;
                if (path is not null)
                {
                    await EmbeddingFile.WriteAsync(path, new EmbeddingSet(embedded.Space, items), cancellation);
                    File.Delete(JournalOf(path)!);
                }

                if (json)
                {
                    terminal.SayJson(new { embedded.Model, embedded.Dimensions, Path = path, items }, compact: true);
                    return 0;
                }

                var what = words.In(
                    $"{words.Images(images.Count)}, {words.Texts(texts.Count)}, {embedded.Dimensions} numbers each, model {embedded.Model}.",
                    $"{words.Images(images.Count)}, {words.Texts(texts.Count)}, {embedded.Dimensions} números cada uno, modelo {embedded.Model}.");
                if (path is not null)
                {
                    terminal.SayText($"{words.Wrote(path)}: {what}");
                    return 0;
                }

                terminal.SayTable(
                    [words.In("kind", "tipo"), words.In("label", "etiqueta"), "embedding"],
                    items.Select(item => new[] { item.Kind == EmbeddingKind.Image ? words.In("image", "imagen") : words.In("text", "texto"), item.Label, Beginning(item.Embedding) }));
                terminal.SayText($"{what} {words.In("Keep them whole with --out F.npy, F.parquet or F.json.", "Guárdalos enteros con --out F.npy, F.parquet o F.json.")}");
                return 0;
            },
            CancellationToken.None));
        return command;
    }

    /// <summary>Where a run keeps what it has finished until the file is whole.</summary>
    private static string? JournalOf(string? path) => path is null ? null : path + ".journal";

    private static string Beginning(float[] embedding) =>
        string.Join("  ", embedding.Take(ShownNumbers).Select(x => x.ToString("0.000;-0.000", CultureInfo.InvariantCulture).PadLeft(6))) + (embedding.Length > ShownNumbers ? "  …" : "");
}
