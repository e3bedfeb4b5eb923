using System.CommandLine;

namespace Alebrije.Cli.Commands;

/// <summary>All verbs, in the order of the help.</summary>
internal static class Verbs
{
    /// <param name="terminal">The terminal.</param>
    /// <param name="defaults">File of the user's defaults.</param>
    public static IEnumerable<Command> Create(Terminal terminal, string defaults) =>
    [
        ImagineCommand.Create(terminal),
        .. ExperimentVerbs.Create(terminal),
        UpscaleCommand.Create(terminal),
        ReplayCommand.Create(terminal),
        EmbedCommand.Create(terminal),
        SimilarityCommand.Create(terminal),
        ClassifyCommand.Create(terminal),
        IndexCommand.Create(terminal),
        SearchCommand.Create(terminal),
        GroupCommands.Duplicates(terminal),
        ClusterCommand.AddTo(GroupCommands.Cluster(terminal), terminal),
        RobustnessCommand.Create(terminal),
        PcaCommand.Create(terminal),
        ExplainCommand.Create(terminal),
        FlamingoVerbs.Caption(terminal),
        FlamingoVerbs.Ask(terminal),
        TokenizeCommand.Create(terminal),
        PreprocessCommand.Create(terminal),
        ServeCommand.Create(terminal),
        VerifyCommand.Create(terminal),
        WorldCommand.Create(terminal),
        TrainCommand.Create(terminal),
        PackCommand.Create(terminal),
        EvaluateCommand.Create(terminal),
        ModelsCommand.Create(terminal),
        BenchCommand.Create(terminal),
        DoctorCommand.Create(terminal),
        ConfigCommand.Create(terminal, defaults),
        CompletionCommand.Create(terminal),
    ];
}
