using Alebrije.Datasets;
using Alebrije.Pipelines;
using Alebrije.Weights;

namespace Alebrije.Training;

/// <summary>The trainers by name, each with its configuration file.</summary>
public static class Trainers
{
    /// <summary>Names of the trainers.</summary>
    public static IReadOnlyList<string> Names { get; } =
        ["clip", "autoencoder", "prior", "guess", "decoder", "upsampler", "cascade", "flamingo"];

    /// <summary>Trains one part by its configuration file.</summary>
    /// <param name="name">One of <see cref="Names"/>.</param>
    /// <param name="configFile">JSON; an unknown key is an error.</param>
    /// <param name="options">Folder and limits of the run.</param>
    /// <param name="cancellation">Stops the run, saved.</param>
    /// <returns>Result of the run.</returns>
    /// <exception cref="WeightsException">The configuration cannot be read, or has an unknown key.</exception>
    /// <exception cref="InvalidOperationException">The folder holds another run, or the loss is not a number.</exception>
    public static TrainingResult Run(string name, string configFile, TrainingOptions options, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        return name switch
        {
            "clip" => ClipRuns.Train(ClipRuns.Read(configFile, options), options, cancellation),
            "autoencoder" => new AutoencoderTrainer(TrainingPlan.Read<AutoencoderTrainingConfig>(configFile), CaptionedScenes.Open())
            .Run(options, cancellation),
            "upsampler" => new UpsamplerTrainer(TrainingPlan.Read<UpsamplerTrainingConfig>(configFile), CaptionedScenes.Open())
            .Run(options, cancellation),
            "prior" => RunPrior(PriorKind.Diffusion, configFile, options, cancellation),
            "guess" => TrainGuess(TrainingPlan.Read<GuessTrainingConfig>(configFile), options, cancellation),
            "cascade" => RunCascade(configFile, stage: null, options, cancellation),
            "flamingo" => RunFlamingo(configFile, stage: null, options, cancellation),
            "decoder" => TrainDecoder(TrainingPlan.Read<DecoderTrainingConfig>(configFile), options, cancellation),
            _ => throw new ArgumentException($"There is no trainer '{name}'; there are {string.Join(", ", Names)}.", nameof(name)),
        };
    }

    /// <summary>Trains CLIP on the user's images with sizes and rates that suit their count, without a configuration file.</summary>
    /// <param name="data">A folder of pictures with captions, a <c>.csv</c> or <c>.tsv</c>, or WebDataset's archives.</param>
    /// <param name="start">Model or run that supplies the initial weights; null: a small network with random weights.</param>
    /// <param name="options">Folder and limits of the run; its <c>training.json</c> records the chosen settings.</param>
    /// <param name="cancellation">Stops the run, saved.</param>
    /// <returns>Result of the run.</returns>
    /// <exception cref="InvalidDataException">There are no pictures with captions, or too many that cannot be used.</exception>
    public static TrainingResult RunOnPictures(string data, string? start,
        TrainingOptions options, CancellationToken cancellation = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(data);
        ArgumentNullException.ThrowIfNull(options);
        return ClipRuns.Train(ClipRuns.Suggest(data, start is null ? null : options.FindModel?.Invoke(start) ?? start, options),
            options, cancellation);
    }

    /// <summary>Fine-tunes a model's image tower with a classifier on a labelled folder.</summary>
    /// <param name="classifier">Pictures, model and rates.</param>
    /// <param name="options">Folder and limits of the run; the folder becomes a model with <c>head.safetensors</c>.</param>
    /// <param name="cancellation">Stops the run, saved.</param>
    /// <returns>Result with <c>accuracy</c> on the test images, also at the start and of the fine-tuned weights alone.</returns>
    /// <exception cref="InvalidDataException">Too few classes or pictures, or too many that cannot be read.</exception>
    /// <exception cref="CheckpointNotFoundException">The model has no image tower that can be trained.</exception>
    public static TrainingResult RunClassifier(ClassifierOptions classifier,
        TrainingOptions options, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(classifier);
        ArgumentNullException.ThrowIfNull(options);
        return new ClassifierTrainer(new ClassifierTrainingConfig
        {
            Images = classifier.Images, Test = classifier.Test, Start = options.FindModel?.Invoke(classifier.Model) ?? classifier.Model,
            Probe = classifier.Probe,
            Templates = classifier.Templates, Epochs = classifier.Epochs,
            LearningRate = classifier.LearningRate, Batch = classifier.Batch, Flip = classifier.Flip, Seed = classifier.Seed,
            Precision = classifier.Precision, WarmUp = 10, EmaDecay = 0.99, World = null, SaveMinutes = 2,
        }).Run(options, classifier.Mix, cancellation);
    }

    /// <summary>Trains a prior by its configuration file, whose keys depend on the kind.</summary>
    /// <param name="kind">Any but <see cref="PriorKind.None"/>.</param>
    /// <param name="configFile">JSON; an unknown key is an error.</param>
    /// <param name="options">Folder and limits of the run; the prior is in a subfolder.</param>
    /// <param name="cancellation">Stops the run, saved.</param>
    /// <returns>Result with cosines to the true embeddings on held-out scenes.</returns>
    /// <exception cref="WeightsException">The configuration cannot be read, or has an unknown key.</exception>
    /// <exception cref="InvalidOperationException">The folder holds another run, or the loss is not a number.</exception>
    public static TrainingResult RunPrior(PriorKind kind, string configFile,
        TrainingOptions options, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        var scenes = CaptionedScenes.Open;
        return kind switch
        {
            PriorKind.Linear => Train<LinearPriorTrainingConfig>((config, clip) =>
                new LinearPriorTrainer(config, clip, scenes()).Run(options, cancellation)),
            PriorKind.OneStep => Train<OneStepPriorTrainingConfig>((config, clip) =>
                new OneStepPriorTrainer(config, clip, scenes()).Run(options, cancellation)),
            PriorKind.Autoregressive => Train<AutoregressivePriorTrainingConfig>(
                (config, clip) => new AutoregressivePriorTrainer(config, clip, scenes()).Run(options, cancellation)),
            PriorKind.Diffusion => Train<PriorTrainingConfig>(
                (config, clip) => new PriorTrainer(config with { Start = FindOrNull(options, config.Start) }, clip, scenes()).Run(options,
                    cancellation)),
            _ => throw new ArgumentException($"There is nothing to train in a prior of kind '{PriorNames.Of(kind)}'.", nameof(kind)),
        };

        TrainingResult Train<T>(Func<T, TrainedClip, TrainingResult> train) where T : PriorPlan
        {
            var config = TrainingPlan.Read<T>(configFile);
            using var clip = TrainedClip.Open(Find(options, config.Clip));
            return train(config, clip);
        }
    }

    /// <summary>
    /// Trains a cascade of two stages in the layout of DeepFloyd IF: images of 32 pixels from text, and four times as large ones from
    /// these.
    /// </summary>
    /// <param name="configFile">JSON with the keys <c>stage1</c> and <c>stage2</c>; an unknown key is an error.</param>
    /// <param name="stage">1 or 2 alone; null trains both, one after the other.</param>
    /// <param name="options">Folder of both runs (<c>run-1</c>, <c>run-2</c>) and of the model (<c>mini-cascade</c>), and limits of
    /// each.</param>
    /// <param name="cancellation">Stops the run, saved.</param>
    /// <returns>Result of the stage, or of both together.</returns>
    /// <exception cref="WeightsException">The configuration cannot be read, or sizes do not fit together.</exception>
    /// <exception cref="CheckpointNotFoundException">Only stage 2 is requested, and stage 1 was not trained in the folder.</exception>
    /// <exception cref="InvalidOperationException">The folder holds another run, or the loss is not a number.</exception>
    public static TrainingResult RunCascade(string configFile, int? stage, TrainingOptions options,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (stage is not (null or 1 or 2)) throw new ArgumentOutOfRangeException(nameof(stage), stage, "A cascade has the stages 1 and 2.");
        var config = TrainingPlan.Read<CascadeTrainingConfig>(configFile, read => [read.Stage1, read.Stage2]);
        return CascadeRuns.Train(config, CaptionedScenes.Open(), stage, options, cancellation);
    }

    /// <summary>
    /// Trains a Flamingo of two stages on the world of scenes: a language model on texts, then resampler and gated blocks on scenes, with
    /// the language model and the image tower of a CLIP frozen.
    /// </summary>
    /// <param name="configFile">JSON with the keys <c>stage1</c> and <c>stage2</c>; an unknown key is an error.</param>
    /// <param name="stage">1 or 2 alone; null trains both, one after the other.</param>
    /// <param name="options">Folder of both runs (<c>run-1</c>, <c>run-2</c>) and of the model (<c>mini-flamingo</c>), and limits of
    /// each.</param>
    /// <param name="cancellation">Stops the run, saved.</param>
    /// <returns>Result of the stage, or of both together.</returns>
    /// <exception cref="WeightsException">The configuration cannot be read, or sizes do not fit together.</exception>
    /// <exception cref="CheckpointNotFoundException">Only stage 2 is requested, and stage 1 was not trained in the folder.</exception>
    /// <exception cref="InvalidOperationException">The folder holds another run, or the loss is not a number.</exception>
    public static TrainingResult RunFlamingo(string configFile, int? stage, TrainingOptions options,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (stage is not (null or 1 or 2))
            throw new ArgumentOutOfRangeException(nameof(stage), stage, "A Flamingo has the stages 1 and 2.");
        var config = TrainingPlan.Read<FlamingoTrainingConfig>(configFile, read => [read.Stage1, read.Stage2]);
        return FlamingoRuns.Train(config, CaptionedScenes.Open(), stage, options, cancellation);
    }

    private static TrainingResult TrainGuess(GuessTrainingConfig config, TrainingOptions options, CancellationToken cancellation)
    {
        using var clip = TrainedClip.Open(Find(options, config.Clip));
        config = config with { Prior = FindOrNull(options, config.Prior) };
        return new GuessTrainer(config, clip, CaptionedScenes.Open()).Run(options, cancellation);
    }

    private static TrainingResult TrainDecoder(DecoderTrainingConfig config, TrainingOptions options, CancellationToken cancellation)
    {
        using var clip = TrainedClip.Open(Find(options, config.Clip));
        config = config with { Prior = FindOrNull(options, config.Prior), Guess = FindOrNull(options, config.Guess) };
        return new DecoderTrainer(config, clip, CaptionedScenes.Open()).Run(options, cancellation);
    }

    private static string Find(TrainingOptions options, string model) => options.FindModel?.Invoke(model) ?? model;

    private static string? FindOrNull(TrainingOptions options, string? model) => model is null ? null : Find(options, model);
}
