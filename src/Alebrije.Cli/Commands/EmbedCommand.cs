using System.CommandLine;
using System.Globalization;
using Alebrije.Embeddings;

namespace Alebrije.Cli.Commands;

/// <summary><c>alebrije embed --images ... --texts ... --out F</c></summary>
internal static class EmbedCommand
{
    private const int ShownNumbers = 4;

    public static Command Create(Terminal terminal)
    {
        var inputs = new EmbeddingInputs(upright: false);
        var file = OutputFile.Option([.. EmbeddingFile.Endings]);
        var command = new Command("embed") { file };
        inputs.AddTo(command);
        command.SetAction((parsed, cancellation) => Task.Run(
            async () =>
            {
                var (words, json, path) = (new Words(CommonOptions.LanguageOf(parsed)),
                    parsed.GetValue(CommonOptions.Json), parsed.GetValue(file));
                var given = inputs.Read(parsed, terminal, words, cancellation);
                if (given.Images.Count + given.Texts.Count == 0)
                    throw new UsageException(words["embed.nothing-given"]);
                OutputFile.Check(path, words);
                var journal = JournalOf(path, inputs.IsUpright(parsed));
                var embedded = EmbeddingInputs.Embed(parsed, terminal, words, given, thumbnails: false, cancellation, journal, path);
                var items = embedded.Items;
                if (path is not null)
                {
                    await EmbeddingFile.WriteAsync(path, new EmbeddingSet(embedded.Space, items), cancellation);
                    File.Delete(journal!);
                }

                if (json)
                {
                    terminal.SayJson(new { embedded.Model, embedded.Dimensions, Path = path, items, skipped = embedded.Skipped.Items },
                        compact: true);
                    return embedded.Skipped.Say(terminal);
                }

                var what = words["embed.summary", words.Images(embedded.Images.Length),
                    words.Texts(given.Texts.Count), embedded.Dimensions, embedded.Model];
                if (path is not null)
                {
                    terminal.SayText($"{words.Wrote(path)}: {what}");
                    return embedded.Skipped.Say(terminal);
                }

                terminal.SayTable(
                    [words["word.kind"], words["word.label"], words["word.embedding"]],
                    items.Select(item => new[] { item.Kind == EmbeddingKind.Image ? words["word.image"] : words["word.text"],
                        item.Label, Beginning(item.Embedding) }));
                terminal.SayText($"{what} {words["embed.keep-whole"]}");
                return embedded.Skipped.Say(terminal);
            },
            CancellationToken.None));
        return command;
    }

    /// <summary>Path of the journal of finished embeddings; turned images have other embeddings, and so another journal.</summary>
    private static string? JournalOf(string? path, bool upright) =>
        path is null ? null : path + (upright ? ".upright.journal" : ".journal");

    private static string Beginning(float[] embedding) =>
        string.Join("  ", embedding.Take(ShownNumbers).Select(x => x.ToString("0.000;-0.000", CultureInfo.InvariantCulture).PadLeft(6)))
        + (embedding.Length > ShownNumbers ? "  …" : "");
}
