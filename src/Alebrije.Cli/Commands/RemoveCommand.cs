using System.CommandLine;
using Alebrije.Catalog;

namespace Alebrije.Cli.Commands;

/// <summary><c>alebrije models remove NAME</c></summary>
internal static class RemoveCommand
{
    public static Command Create(Terminal terminal)
    {
        var name = new Argument<string>("NAME");
        var revision = new Option<string?>("--revision") { HelpName = "R" };
        var dryRun = new Option<bool>("--dry-run");
        var command = new Command("remove") { name, revision, dryRun };
        command.SetAction(parsed =>
        {
            var (words, pretend) = (new Words(CommonOptions.LanguageOf(parsed)), parsed.GetValue(dryRun));
            var removed = ModelStore.Create().Remove(parsed.GetValue(name)!, parsed.GetValue(revision), pretend);
            if (parsed.GetValue(CommonOptions.Json))
            {
                terminal.SayJson(new { removed.Name, removed.Folders, removed.Bytes, removed.Kept, DryRun = pretend });
                return 0;
            }

            foreach (var folder in removed.Folders) terminal.Say(folder);
            var size = ModelsCommand.Size(removed.Bytes);
            terminal.SayText(pretend
                ? words["remove.dry-run", removed.Name, size]
                : words["remove.removed", removed.Name, size]);
            foreach (var kept in removed.Kept) terminal.SayText(words["remove.revision-stays", kept]);
            return 0;
        });
        return command;
    }
}
