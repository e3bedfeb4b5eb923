using Alebrije.Datasets;
using Alebrije.Weights;

namespace Alebrije.Training;

/// <summary>The trainers by name, each with its configuration file.</summary>
public static class Trainers
{
    /// <summary>What can be trained.</summary>
    public static IReadOnlyList<string> Names { get; } = ["clip", "autoencoder", "prior", "decoder"];

    /// <summary>Trains one part, as its configuration file says.</summary>
    /// <param name="name">One of <see cref="Names"/>.</param>
    /// <param name="configFile">JSON; an unknown key is an error.</param>
    /// <param name="options">Where the run lives and how long it may go on.</param>
    /// <param name="cancellation">Stops the run, saved.</param>
    /// <returns>How it ended.</returns>
    /// <exception cref="WeightsException">The configuration cannot be read, or has a key that means nothing.</exception>
    /// <exception cref="InvalidOperationException">The folder holds another run, or the loss is no number any more.</exception>
    public static TrainingResult Run(string name, string configFile, TrainingOptions options, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        return name switch
        {
            "clip" => new ClipTrainer(Read<ClipTrainingConfig>(configFile), CaptionedScenes.Open()).Run(options, cancellation),
            "autoencoder" => new AutoencoderTrainer(Read<AutoencoderTrainingConfig>(configFile), CaptionedScenes.Open()).Run(options, cancellation),
            "prior" => TrainPrior(Read<PriorTrainingConfig>(configFile), options, cancellation),
            "decoder" => TrainDecoder(Read<DecoderTrainingConfig>(configFile), options, cancellation),
            _ => throw new ArgumentException($"There is no trainer '{name}'; there are {string.Join(", ", Names)}.", nameof(name)),
        };
    }

    private static TrainingResult TrainPrior(PriorTrainingConfig config, TrainingOptions options, CancellationToken cancellation)
    {
        using var clip = TrainedClip.Open(config.Clip);
        return new PriorTrainer(config, clip, CaptionedScenes.Open()).Run(options, cancellation);
    }

    private static TrainingResult TrainDecoder(DecoderTrainingConfig config, TrainingOptions options, CancellationToken cancellation)
    {
        using var clip = TrainedClip.Open(config.Clip);
        return new DecoderTrainer(config, clip, CaptionedScenes.Open()).Run(options, cancellation);
    }

    private static T Read<T>(string file) => ConfigFile.Read<T>(file, unknownKeysAllowed: false);
}
