using Alebrije.Models.Guesses;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Training;

/// <summary>Configuration of a training run of the first guess.</summary>
internal sealed record GuessTrainingConfig : LatentPlan
{
    /// <summary>Defaults of a regression: more uses of every encoded scene, and no unconditional rows.</summary>
    public GuessTrainingConfig() => (Batch, Uses, Window, Unconditional, TextDropout, EmbeddingDropout) = (128, 8, 24_576, 0, 0.1, 0.15);

    /// <summary>Sizes of the network.</summary>
    public FirstGuessConfig Model { get; init; } = new();
}

/// <summary>Trains the first guess by regression: mean squared error between its latents and those of the scene.</summary>
internal sealed class GuessTrainer(GuessTrainingConfig config, TrainedClip clip, CaptionedScenes scenes)
{
    /// <returns>The result, with the errors of <see cref="LatentProbe.Guess"/>.</returns>
    public TrainingResult Run(TrainingOptions options, CancellationToken cancellation = default)
    {
        using var run = new TrainingRun(options, config, new LossWatch(1, 20 * config.WarmUp,
            "An error near 1 is that of one image for all. Lower learning_rate, "
                + "or look at the autoencoder: its latents should have standard deviation 1."));
        using var latents = new LatentRun(config, clip, scenes, options.Folder);
        using var network = FirstGuessModel.Create(config.Model);
        using var probe = new LatentProbe(latents, clip, scenes, config.Measured(LatentProbe.Most));
        var task = latents.Task(network, (batch, _) => (Guess(batch, latents.Type) - batch.Latents).square().mean(), () =>
        {
            SeededInit.Apply(network, config.Seed);
            if (config.Start is { } start) CheckpointFolder.Load(network, start);
        });
        return TrainingLoop.Run(run, config, task with { Evaluate = Evaluate, MetricFormat = "F4" }, cancellation);

        Tensor Guess(LatentBatch batch, ScalarType type) =>
            network.call(batch.Condition.to(type), batch.Context.to(type)).to(ScalarType.Float32);

        Dictionary<string, double> Evaluate()
        {
            PriorExport.Write(Path.Combine(run.Folder, FirstGuessConfig.Component), network, network.Config, FirstGuessConfig.ClassName);
            return probe.Guess(batch => Guess(batch, ScalarType.Float32));
        }
    }
}
