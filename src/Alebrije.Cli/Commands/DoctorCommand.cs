using System.CommandLine;

namespace Alebrije.Cli.Commands;

/// <summary><c>alebrije doctor</c></summary>
internal static class DoctorCommand
{
    public static Command Create(Terminal terminal)
    {
        var command = new Command("doctor");
        command.SetAction(parsed =>
        {
            var words = new Words(CommonOptions.LanguageOf(parsed));
            var findings = Diagnosis.Make(words, parsed.GetValue(CommonOptions.Threads), terminal.HasColour);
            var ok = findings.All(f => f.State != FindingState.Failed);
            if (parsed.GetValue(CommonOptions.Json))
            {
                terminal.SayJson(new { ok, checks = findings.Select(f =>
                    new { f.Name, Status = f.State.ToString().ToLowerInvariant(), f.Value, f.Remedy, f.Details }) });
                return ok ? 0 : 1;
            }

            terminal.SayTable(
                ["", words["word.what"], words["word.here"]],
                findings.Select(f => new[] { f.State switch { FindingState.Ok => "✓", FindingState.Missing => "–", _ => "✗" },
                    f.Label, f.Value }));
            foreach (var finding in findings.Where(f => f.Remedy is not null)) terminal.SayText($"{finding.Label}: {finding.Remedy}");
            if (findings.All(f => f.Remedy is null)) terminal.Say(words["doctor.complete"]);
            return ok ? 0 : 1;
        });
        return command;
    }
}
