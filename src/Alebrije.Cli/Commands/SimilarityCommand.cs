using System.CommandLine;
using Alebrije.Reports;

namespace Alebrije.Cli.Commands;

/// <summary><c>alebrije similarity --images ... --texts ... [--cosine] [--out report.html|.png|.csv|.md]</c></summary>
internal static class SimilarityCommand
{
    public static Command Create(Terminal terminal)
    {
        var inputs = new EmbeddingInputs(upright: true);
        var cosine = new Option<bool>("--cosine");
        var title = new Option<string?>("--title") { HelpName = "TITLE" };
        var file = OutputFile.Option(".html", ".png", ".csv", ".md");
        var command = new Command("similarity") { cosine, title, file };
        inputs.AddTo(command);
        command.SetAction((parsed, cancellation) => Task.Run(
            () =>
            {
                var (words, path) = (new Words(CommonOptions.LanguageOf(parsed)), parsed.GetValue(file));
                var given = inputs.Read(parsed, terminal, words, cancellation);
                if (given.Images.Count == 0) throw new UsageException(words["similarity.no-images"]);
                if (given.Texts.Count == 0) throw new UsageException(words["similarity.no-texts"]);
                OutputFile.Check(path, words);
                var embedded = EmbeddingInputs.Embed(parsed, terminal, words, given, thumbnails: path is not null, cancellation);
                var table = SimilarityTable.FromEmbeddings(embedded.ImageLabels,
                    embedded.Images, embedded.Texts, embedded.OfTexts, path is null ? null : embedded.Thumbnails);
                var options = new ReportOptions
                {
                    Language = words.Language, Model = embedded.Model, Title = parsed.GetValue(title),
                    Measure = parsed.GetValue(cosine) ? SimilarityMeasure.Cosine : SimilarityMeasure.Softmax,
                };
                if (path is not null) table.Save(path, options);
                if (parsed.GetValue(CommonOptions.Json))
                {
                    terminal.SayJson(new { embedded.Model, table.Images, table.Texts,
                        table.Cosine, table.Softmax, Path = path, skipped = embedded.Skipped.Items });
                    return embedded.Skipped.Say(terminal);
                }

                if (path is null)
                {
                    terminal.SayBlock(table.ToTerminal(terminal.Width, terminal.HasColour, options));
                    terminal.Say();
                    terminal.SayText(options.Measure == SimilarityMeasure.Cosine
                        ? words["similarity.about-cosine", embedded.Model]
                        : words["similarity.about-softmax", embedded.Model]);
                }
                else
                {
                    terminal.SayText(words["embed.written", words.Wrote(path), words.Images(embedded.Images.Length),
                        words.Texts(given.Texts.Count), embedded.Model]);
                }

                return embedded.Skipped.Say(terminal);
            },
            CancellationToken.None));
        return command;
    }
}
