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
        // One fixture is shown case by case; of many, a line each and the cases that differ.
        var many = report.Cases.Select(c => c.Fixture).Distinct().Count() > 1;
        if (many)
        {
            terminal.SayTable(
                ["", "fixture", ">" + words.In("agree", "coinciden"), ">max |Δ|"],
                report.Cases.GroupBy(c => c.Fixture).Select(f => new[]
                {
                    Mark(f.All(c => c.Ok)), f.Key ?? "", words.In($"{f.Count(c => c.Ok)} of {f.Count()}", $"{f.Count(c => c.Ok)} de {f.Count()}"),
                    f.Max(c => c.MaxAbs) is { } worst ? worst.ToString("G2", CultureInfo.InvariantCulture) : "",
                }));
        }

        var shown = many ? report.Cases.Where(c => !c.Ok).ToArray() : report.Cases;
        if (shown.Count > 0)
        {
            terminal.SayTable(
                ["", words.In("case", "caso"), words.In("output", "salida"), words.In("result", "resultado")],
                shown.Select(c => new[] { Mark(c.Ok), many ? $"{c.Fixture} / {c.Id}" : c.Id, c.Output ?? "", Result(words, c) }));
        }

        var (failed, count) = (report.Cases.Count(c => !c.Ok), report.Cases.Count);
        terminal.SayText(report.Ok
            ? words.In($"All {count} agree.", $"Los {count} coinciden.")
            : words.In($"{failed} of {count} differ. The first: {report.First}", $"{failed} de {count} difieren. El primero: {report.First}"));
    }

    private static string Mark(bool ok) => ok ? "✓" : "✗";

    private static string Result(Words words, VerificationCase c)
    {
        if (c.Error is not null) return c.Error;
        var culture = CultureInfo.InvariantCulture;
        var size = c.MaxAbs is { } abs ? string.Create(culture, $"max |Δ| {abs:G2}") + (c.MaxRel is { } rel ? string.Create(culture, $", {words.In("relative", "relativo")} {rel:G2}") : "")
            : c.Texts is { } texts ? words.In($"{c.Differences} of {texts} texts differ", $"difieren {c.Differences} de {texts} textos")
            : c.Missing is { } missing ? words.In($"{missing} missing, {c.Unexpected} unexpected, {c.Shapes} of another shape", $"{missing} faltan, {c.Unexpected} sobran, {c.Shapes} de otra forma")
            : c.Ok ? words.In("agrees", "coincide") : words.In("differs", "difiere");
        return c.Where is null || c.Ok ? size : $"{size}; {c.Where}";
    }
}
