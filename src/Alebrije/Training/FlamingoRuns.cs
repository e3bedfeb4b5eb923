namespace Alebrije.Training;

/// <summary>Runs of both stages of a Flamingo in one folder: <c>run-1</c>, <c>run-2</c> and the model, <c>mini-flamingo</c>.</summary>
internal static class FlamingoRuns
{
    /// <summary>Trains one stage, or both in order.</summary>
    /// <param name="config">Both stages.</param>
    /// <param name="scenes">The world.</param>
    /// <param name="stage">1, 2, or null for both.</param>
    /// <param name="options">The folder of all, and limits of each run.</param>
    /// <param name="cancellation">Stops the run, saved.</param>
    public static TrainingResult Train(FlamingoTrainingConfig config, CaptionedScenes scenes, int? stage, TrainingOptions options,
        CancellationToken cancellation)
    {
        var package = Path.Combine(options.Folder, FlamingoPackage.Name);
        var (stage1, stage2) = (config.Stage1 with { Start = Find(config.Stage1.Start) },
            config.Stage2 with { Clip = Find(config.Stage2.Clip)!, Start = Find(config.Stage2.Start) });
        if (stage is not 1) stage2.Check();
        var first = stage is 2 ? null : new FlamingoLanguageTrainer(stage1, scenes).Run(Of(1), package, cancellation);
        if (stage is 1 || first is { Finished: false }) return first!;
        using var clip = TrainedClip.Open(stage2.Clip);
        var second = new FlamingoImageTrainer(stage2, clip, scenes).Run(Of(2), package, cancellation);
        return first is null ? second : second with
        {
            Steps = first.Steps + second.Steps, Seconds = first.Seconds + second.Seconds,
            Metrics = first.Metrics.Concat(second.Metrics).ToDictionary(metric => metric.Key, metric => metric.Value),
        };

        TrainingOptions Of(int number) => options with { Folder = Path.Combine(options.Folder, $"run-{number}") };

        string? Find(string? name) => name is null ? null : options.FindModel?.Invoke(name) ?? name;
    }
}
