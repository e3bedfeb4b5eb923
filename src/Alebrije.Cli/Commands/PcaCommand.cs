using System.CommandLine;
using System.Globalization;
using Alebrije.Embeddings;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Reports;

namespace Alebrije.Cli.Commands;

/// <summary><c>alebrije pca --images ... --texts ... [--out plot.png|.svg|.html|.csv]</c></summary>
internal static class PcaCommand
{
    public static Command Create(Terminal terminal)
    {
        var inputs = new EmbeddingInputs(upright: true);
        var title = new Option<string?>("--title") { HelpName = "TITLE" };
        var file = OutputFile.Option(".png", ".svg", ".html", ".csv");
        var command = new Command("pca") { title, file };
        inputs.AddTo(command);
        command.SetAction((parsed, cancellation) => Task.Run(
            () =>
            {
                var (words, path) = (new Words(CommonOptions.LanguageOf(parsed)), parsed.GetValue(file));
                var given = inputs.Read(parsed, terminal, words, cancellation);
                var tooFew = words["pca.too-few"];
                if (given.Images.Count + given.Texts.Count < 2) throw new UsageException(tooFew);
                OutputFile.Check(path, words);
                var embedded = EmbeddingInputs.Embed(parsed, terminal, words, given, thumbnails: path is not null, cancellation);
                if (embedded.Items.Length < 2)
                {
                    embedded.Skipped.Say(terminal);
                    throw new InvalidDataException(tooFew);
                }

                var plot = EmbeddingPlot.Of(embedded.Items,
                    path is null ? null : [.. embedded.Thumbnails, .. new RgbImage?[given.Texts.Count]]);
                var options = new ReportOptions { Language = words.Language, Model = embedded.Model, Title = parsed.GetValue(title) };
                if (path is not null) plot.Save(path, options);
                if (parsed.GetValue(CommonOptions.Json))
                {
                    terminal.SayJson(new { embedded.Model, plot.Points, plot.ExplainedVarianceRatio,
                        Path = path, skipped = embedded.Skipped.Items });
                    return embedded.Skipped.Say(terminal);
                }

                var shares = plot.ExplainedVarianceRatio.Select(share =>
                    share.ToString("P1", CultureInfo.InvariantCulture).Replace(" ", "", StringComparison.Ordinal)).ToArray();
                var variance = words["pca.variance", shares[0], shares[1]];
                if (path is null)
                {
                    if (terminal.HasColour) terminal.Show(RgbImage.FromBytes(plot.ToPng(options)), terminal.Width, halfBlocks: false);
                    terminal.SayTable(
                        [words["word.kind"], words["word.label"], ">x", ">y"],
                        plot.Points.Select(p => new[] { p.Kind == EmbeddingKind.Image ? words["word.image"] : words["word.text"],
                            p.Label, Number(p.X), Number(p.Y) }));
                    terminal.SayText(words["pca.draw-it", variance, embedded.Model]);
                }
                else
                {
                    terminal.SayText(words["embed.written", words.Wrote(path), words.Images(embedded.Images.Length),
                        words.Texts(given.Texts.Count), embedded.Model] + $" {variance}.");
                }

                return embedded.Skipped.Say(terminal);
            },
            CancellationToken.None));
        return command;
    }

    private static string Number(double value) => value.ToString("0.000;-0.000", CultureInfo.InvariantCulture);
}
