using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Alebrije.Catalog;
using Alebrije.Verification;

namespace Alebrije.Cli.Commands;

/// <summary><c>alebrije verify FOLDER</c></summary>
internal static class VerifyCommand
{
    public static Command Create(Terminal terminal)
    {
        var target = new Argument<string>("FOLDER");
        var command = new Command("verify") { target };
        command.SetAction((parsed, cancellation) => Task.Run(
            () =>
            {
                var words = new Words(CommonOptions.LanguageOf(parsed));
                var given = parsed.GetValue(target)!;
                var folder = Directory.Exists(given) ? given : ModelCatalog.Create().Find(given);
                CommonOptions.StartTorch(parsed);
                var done = 0;
                var report = Verifier.Run(folder, c => terminal.Progress($"{++done}  {c.Fixture} {c.Id} {c.Output}"), cancellation);
                terminal.CloseLine();
                if (parsed.GetValue(CommonOptions.Json)) terminal.SayJson(JsonNode.Parse(report.ToJson())!);
                else Say(terminal, words, report);
                return report.Ok ? 0 : 1;
            },
            CancellationToken.None));
        return command;
    }

    private static void Say(Terminal terminal, Words words, VerificationReport report)
    {
        // One fixture is shown case by case; several with a line each and the cases that differ.
        var many = report.Cases.Select(c => c.Fixture).Distinct().Count() > 1;
        if (many)
        {
            terminal.SayTable(
                ["", words["word.fixture"], ">" + words["word.agree"], ">max |Δ|"],
                report.Cases.GroupBy(c => c.Fixture).Select(f => new[]
                {
                    Mark(f.All(c => c.Ok)), f.Key ?? "", words["verify.share", f.Count(c => c.Ok), f.Count()],
                    f.Max(c => c.MaxAbs) is { } worst ? worst.ToString("G2", CultureInfo.InvariantCulture) : "",
                }));
        }

        var shown = many ? report.Cases.Where(c => !c.Ok).ToArray() : report.Cases;
        if (shown.Count > 0)
        {
            terminal.SayTable(
                ["", words["word.case"], words["word.output"], words["word.result"]],
                shown.Select(c => new[] { Mark(c.Ok), many ? $"{c.Fixture} / {c.Id}" : c.Id, c.Output ?? "", Result(words, c) }));
        }

        var (failed, count) = (report.Cases.Count(c => !c.Ok), report.Cases.Count);
        terminal.SayText(report.Ok
            ? words["verify.all-agree", count]
            : words["verify.some-differ", failed, count, report.First]);
    }

    private static string Mark(bool ok) => ok ? "✓" : "✗";

    private static string Result(Words words, VerificationCase c)
    {
        if (c.Error is not null) return c.Error;
        var size = c.MaxAbs is { } abs ? c.MaxRel is { } rel ? words["verify.largest-and-relative", abs, rel] : words["verify.largest", abs]
            : c.Texts is { } texts ? words["verify.texts-differ", c.Differences, texts]
            : c.Missing is { } missing ? words["verify.census", missing, c.Unexpected, c.Shapes]
            : c.Ok ? words["verify.agrees"] : words["verify.differs"];
        return c.Where is null || c.Ok ? size : $"{size}; {c.Where}";
    }
}
