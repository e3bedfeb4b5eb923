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

    /// <summary>Sizes of the network; its concepts are those of the world.</summary>
    public FirstGuessConfig Model { get; init; } = new();

    /// <summary>Captions per step from which objects and places are read only, without a picture; 0 or more.</summary>
    public int Captions { get; init; }
}

/// <summary>Trains the first guess by regression: squared error between its latents and those of the scene, and of its places.</summary>
internal sealed class GuessTrainer(GuessTrainingConfig config, TrainedClip clip, CaptionedScenes scenes)
{
    /// <returns>The result, with the errors of <see cref="LatentProbe.Guess"/>.</returns>
    public TrainingResult Run(TrainingOptions options, CancellationToken cancellation = default)
    {
        using var run = new TrainingRun(options, config, new LossWatch(2, 20 * config.WarmUp,
            "An error near 2 is that of one image for all and of objects not read. Lower learning_rate, "
                + "or look at the autoencoder: its latents should have standard deviation 1."));
        if (config.Captions < 0) throw new WeightsException($"captions is {config.Captions}, but must be 0 or more.");
        using var latents = new LatentRun(config, clip, scenes, options.Folder);
        using var network = new FirstGuessModel(config.Model with { SlotConcepts = scenes.World.Concepts.Count });
        using var probe = new LatentProbe(latents, clip, scenes, config.Measured(LatentProbe.Most));
        BatchQueue<(Tensor Texts, Tensor Objects)>? captions = null;
        var task = latents.Task(network, Loss, () =>
        {
            SeededInit.Apply(network, config.Seed);
            if (config.Start is { } start) CheckpointFolder.Load(network, start);
        });
        try
        {
            return TrainingLoop.Run(run, config,
                task with { Batches = step => Open(step), Evaluate = Evaluate, MetricFormat = "F4" }, cancellation);
        }
        finally
        {
            captions?.Dispose();
        }

        IBatches<EncodedScenes> Open(long step)
        {
            if (config.Captions > 0) captions = new(i => latents.Captions(i, config.Captions), step);
            return task.Batches(step);
        }

        Tensor Loss(LatentBatch batch, Generator generator)
        {
            var error = network.Errors(Given(batch, latents.Type), batch.Latents, batch.Objects, batch.Named).Total;
            if (captions is null) return error;
            var (texts, objects) = captions.Next();
            using (texts)
            using (objects)
                return error + network.ReadingError(texts.to(latents.Type), objects);
        }

        static (Tensor, Tensor) Given(LatentBatch batch, ScalarType type) => (batch.Condition.to(type), batch.Context.to(type));

        Dictionary<string, double> Evaluate()
        {
            PriorExport.Write(Path.Combine(run.Folder, FirstGuessConfig.Component), network, network.Config, FirstGuessConfig.ClassName);
            return probe.Guess(network);
        }
    }
}
