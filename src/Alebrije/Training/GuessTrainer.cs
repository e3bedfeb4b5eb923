using Alebrije.Models.Guesses;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Training;

/// <summary>Configuration of a training run of the first guess.</summary>
internal sealed record GuessTrainingConfig : LatentPlan
{
    /// <summary>Defaults of a regression: every encoded scene is used more often, and a guess without any condition is of no use.</summary>
    public GuessTrainingConfig() => (Batch, Uses, Window, Unconditional, TextDropout, EmbeddingDropout) = (128, 8, 24_576, 0, 0.1, 0.15);

    /// <summary>Sizes of the network.</summary>
    public FirstGuessConfig Model { get; init; } = new();
}

/// <summary>Trains the first guess by regression: mean squared error between its latents and those of the scene.</summary>
internal sealed class GuessTrainer(GuessTrainingConfig config, TrainedClip clip, CaptionedScenes scenes)
{
    /// <summary>Runs to the end of the schedule, of the time, or until cancelled; always saved.</summary>
    /// <returns>How it ended, with the errors of <see cref="LatentProbe.Guess"/>.</returns>
    public TrainingResult Run(TrainingOptions options, CancellationToken cancellation = default)
    {
        using var run = new TrainingRun(options, config, new LossWatch(1, 20 * config.WarmUp,
            "An error near 1 is that of one image for all. Lower learning_rate, or look at the autoencoder: its latents should have standard deviation 1."));
        using var latents = new LatentRun(config, clip, scenes, options.Folder);
        var steps = latents.Steps;
        var rate = new LearningRate(config.LearningRate, config.WarmUp, steps);
        using var network = new FirstGuessModel(config.Model);
        SeededInit.Apply(network, config.Seed);
        if (config.Start is { } start && run.Checkpoint is null) CheckpointFolder.Load(network, start);
        using var optimizer = new Optimizer(network.named_parameters().Select(p => (p.name, p.parameter)), new OptimizerConstants
        {
            Method = config.Optimizer, ProductType = latents.Type, Beta2 = 0.99, Epsilon = 1e-8, WeightDecay = config.WeightDecay, ClipNorm = 1, EmaDecay = config.EmaDecay,
        });
        run.Restore(network, optimizer);
        using var probe = new LatentProbe(latents, clip, scenes);
        var metrics = new Dictionary<string, double>();
        latents.Begin(run.Step);

        while (run.Step < steps && !run.IsOver(cancellation))
        {
            using var scope = NewDisposeScope();
            using var generator = new Generator((config.Seed << 32) + (ulong)run.Step);
            var batch = latents.Next(run.Step, generator);
            var guessed = network.call(batch.Condition.to(latents.Type), batch.Context.to(latents.Type)).to(ScalarType.Float32);
            var loss = (guessed - batch.Latents).square().mean();
            loss.backward();
            var learningRate = rate.At(run.Step);
            var norm = optimizer.Step(learningRate);
            run.Count(loss.ToDouble(), norm, learningRate, config.Batch, steps);

            if (run.IsSaveDue(config.SaveMinutes)) run.Save(network, optimizer);
            if (run.IsEvaluationDue(config.EvaluateMinutes)) metrics = Evaluate(run, network, optimizer, probe, steps);
        }

        run.Save(network, optimizer);
        metrics = Evaluate(run, network, optimizer, probe, steps);
        return new TrainingResult(run.Step, run.Seconds, run.Step >= steps, metrics);
    }

    private static Dictionary<string, double> Evaluate(TrainingRun run, FirstGuessModel network, Optimizer optimizer, LatentProbe probe, long steps)
    {
        optimizer.SwapAverages();
        var metrics = probe.Guess(batch => network.call(batch.Condition, batch.Context));
        PriorExport.Write(Path.Combine(run.Folder, FirstGuessConfig.Component), network, network.Config, FirstGuessConfig.ClassName);
        optimizer.SwapAverages();
        run.Note(string.Join(", ", metrics.Select(m => $"{m.Key} {m.Value:F4}")), steps);
        return metrics;
    }
}
