using System.CommandLine;
using System.Globalization;
using Alebrije.Pipelines;
using Alebrije.Preprocessing;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Reports;

namespace Alebrije.Cli.Commands;

/// <summary><c>alebrije explain IMAGE --texts ... [--layers all|last] [--out map.png]</c></summary>
internal static class ExplainCommand
{
    public static Command Create(Terminal terminal)
    {
        var image = new Argument<string>("IMAGE");
        var texts = new Option<string[]>("--texts") { HelpName = "TEXT", AllowMultipleArgumentsPerToken = true, Required = true };
        var layers = new Option<string>("--layers") { DefaultValueFactory = _ => "all" };
        layers.AcceptOnlyFromAmong("all", "last");
        var file = OutputFile.Option(".png");
        var command = new Command("explain") { image, texts, layers, file };
        command.SetAction((parsed, _) => Task.Run(
            () =>
            {
                var (words, path, asked) = (new Words(CommonOptions.LanguageOf(parsed)), parsed.GetValue(file), parsed.GetValue(texts)!);
                if (asked.Any(string.IsNullOrWhiteSpace))
                    throw new UsageException(words["explain.empty-text"]);
                OutputFile.Check(path, words);
                var picture = PillowImage.Load(parsed.GetValue(image)!).Upright();
                var folder = ModelChoice.Find(parsed);
                CommonOptions.StartTorch(parsed);
                using var model = ClipModel.Load(folder, CommonOptions.PrecisionOf(parsed), NoteWords.Writer(terminal, words));
                var found = asked.Select(text => model.Explain(picture, text, parsed.GetValue(layers) == "last")).ToArray();
                if (path is not null) WrittenFile.Write(path,
                    RelevancePng.Render(found, new ReportOptions { Language = words.Language, Model = model.Name }));
                if (parsed.GetValue(CommonOptions.Json))
                {
                    terminal.SayJson(new
                    {
                        model = model.Name, image = parsed.GetValue(image), path,
                        results = found.Select(e => new { e.Text, e.Cosine, e.Grid, e.Patches,
                            e.Tokens, Words = e.Words.Select(word => new { Word = word.Token, word.Relevance }) }),
                    });
                    return 0;
                }

                foreach (var e in found)
                {
                    terminal.SayText(words["explain.text", e.Text, e.Cosine]);
                    if (path is null) terminal.Show(RelevancePng.Overlay(e), 32);
                    terminal.SayText("  " + string.Join("  ",
                        e.Words.Select(word => string.Create(CultureInfo.InvariantCulture, $"{word.Token} {word.Relevance:F3}"))));
                }

                if (path is not null) terminal.SayText(words.Wrote(path) + ".");
                return 0;
            },
            CancellationToken.None));
        return command;
    }
}
