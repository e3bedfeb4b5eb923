using System.CommandLine;

namespace Alebrije.Cli.Commands;

/// <summary>All verbs, in the order in which help lists them.</summary>
internal static class Verbs
{
    public static IEnumerable<Command> Create(Terminal terminal) =>
    [
        ImagineCommand.Create(terminal),
        TrainCommand.Create(terminal),
        PackCommand.Create(terminal),
        EvaluateCommand.Create(terminal),
    ];
}
