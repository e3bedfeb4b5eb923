using Alebrije.Diffusion;
using Alebrije.Models.Guesses;
using Alebrije.Models.UNets;
using Alebrije.Published;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Training;

/// <summary>Configuration of a training run of the decoder.</summary>
internal sealed record DecoderTrainingConfig : LatentPlan
{
    /// <summary>Sizes of the network; <c>in_channels</c> is twice that of the latents where <see cref="Guess"/> is set.</summary>
    public UNet2DConditionConfig Model { get; init; } = new();

    /// <summary>Folder of a first guess, or of a model or run with one, concatenated to the latents; null: none, as published.</summary>
    public string? Guess { get; init; }

    /// <summary>
    /// Share of the noise levels drawn from <see cref="NoisyFrom"/> to 999, which decide the shape of the image; the others are
    /// drawn from all levels.
    /// </summary>
    public double NoisyShare { get; init; } = 0.5;

    /// <summary>Lowest of the noisy levels, 0 to 999.</summary>
    public int NoisyFrom { get; init; } = 700;

    /// <summary>
    /// Noise level from which the noised first guess is drawn, as a share of the schedule: <c>guess_strength</c> of
    /// generation_config.json. 1: drawing starts from noise.
    /// </summary>
    public double GuessStrength { get; init; } = 1;

    /// <summary>Share of the noise levels drawn from those below <see cref="GuessStrength"/>, 0 to 1.</summary>
    public double GuessShare { get; init; }

    /// <summary>Bound of the signal-to-noise ratio in the weights of the loss (Hang et al., 2023); 0 weighs all levels alike.</summary>
    public double MinSnr { get; init; }
}

/// <summary>
/// Trains the decoder (Ramesh et al., 2022, §2.1, in the latents of an autoencoder as Rombach et al., 2022): from noisy latents, image
/// embedding, text and first guess to the velocity. Every step takes different scenes at one noise level each.
/// </summary>
internal sealed class DecoderTrainer(DecoderTrainingConfig config, TrainedClip clip, CaptionedScenes scenes)
{
    private readonly NoiseSchedule schedule = NoiseSchedule.From(MiniSchedulers.Decoder);

    /// <returns>The result, with the errors of <see cref="LatentProbe.Velocity"/> and CLIP's accuracy on drawn objects.</returns>
    public TrainingResult Run(TrainingOptions options, CancellationToken cancellation = default)
    {
        using var run = new TrainingRun(options, config, new LossWatch(1, 20 * config.WarmUp,
            "An error near 1 is that of drawing nothing. Lower learning_rate, "
                + "or look at the autoencoder: its latents should have standard deviation 1."));
        using var latents = new LatentRun(config, clip, scenes, options.Folder);
        using var guess = OpenGuess(latents);
        using var network = new UNet2DConditionModel(config.Model);
        if (config.GuessStrength is not (> 0 and <= 1) || config.GuessShare is not (>= 0 and <= 1)) throw new WeightsException(
            $"guess_strength {config.GuessStrength} must be above 0 and at most 1, and guess_share {config.GuessShare} from 0 to 1.");
        using var probe = new LatentProbe(latents, clip, scenes, config.Measured(LatentProbe.Most));
        var task = latents.Task(network, Loss, () =>
        {
            SeededInit.Apply(network, config.Seed);
            if (config.Start is { } start) Start(network, start);
        });
        return TrainingLoop.Run(run, config, task with { Evaluate = () => Evaluate(run, network, guess, latents, probe) }, cancellation);

        Tensor Loss(LatentBatch batch, Generator generator)
        {
            var timesteps = NoiseLevels.Lower(
                NoiseLevels.Draw(batch.Latents.shape[0], schedule.Length, config.NoisyShare, config.NoisyFrom, generator),
                config.GuessShare, Math.Max(1, (int)Math.Round(config.GuessStrength * schedule.Length)), generator);
            var noise = randn(batch.Latents.shape, generator: generator);
            var target = schedule.Target(PredictionType.VPrediction, batch.Latents, noise, timesteps);
            var predicted = Predict(network, guess, schedule.AddNoise(batch.Latents, noise, timesteps), timesteps, batch, latents.Type);
            return Error(predicted, target, timesteps);
        }
    }

    /// <summary>The predicted velocity, [batch, channels, side, side] float32.</summary>
    private static Tensor Predict(
        UNet2DConditionModel network, FirstGuessModel? guess, Tensor noisy, Tensor timesteps, LatentBatch batch, ScalarType type)
    {
        var conditions = new UNetConditions(batch.Context.to(type)) { ClassLabels = batch.Condition.to(type) };
        if (guess is not null) noisy = cat([noisy, Hint(guess, batch, type)], 1);
        return network.call(noisy.to(type), timesteps, conditions).to(ScalarType.Float32);
    }

    /// <summary>The first guess, [batch, channels, side, side]; zeros for rows without any condition.</summary>
    private static Tensor Hint(FirstGuessModel guess, LatentBatch batch, ScalarType type)
    {
        using var guard = no_grad();
        return guess.call(batch.Condition.to(type), batch.Context.to(type)).to(ScalarType.Float32) * batch.Conditional;
    }

    private Tensor Error(Tensor predicted, Tensor target, Tensor timesteps)
    {
        var errors = (predicted - target).square().mean([1, 2, 3]);                          // [batch]
        if (config.MinSnr <= 0) return errors.mean();
        var weights = schedule.MinSnrWeights(PredictionType.VPrediction, timesteps, config.MinSnr);
        return (errors * weights).sum() / weights.sum();
    }

    private FirstGuessModel? OpenGuess(LatentRun latents)
    {
        var channels = latents.Vae.Config.LatentChannels;
        var wanted = config.Guess is null ? channels : 2 * channels;
        if (config.Model.InChannels != wanted)
            throw new WeightsException(
                $"in_channels is {config.Model.InChannels}, but "
                    + $"{(config.Guess is null ? "latents alone" : "latents with a first guess")} "
                        + $"have {wanted}; set it to {wanted}.");
        if (config.Guess is not { } path) return null;
        var folder = Path.Combine(path, FirstGuessConfig.Component) is var below && Directory.Exists(below) ? below : path;
        var network = ComponentCatalog.BuildFor([folder], () => new FirstGuessModel(ConfigFile.Read<FirstGuessConfig>(folder)));
        CheckpointFolder.Load(network, folder);
        network.eval();
        return network;
    }

    /// <summary>
    /// Copies an earlier decoder's weights. One without a first guess gets zero weights for the channels of the guess, so its output is
    /// unchanged at first; its middle block is left out if the run's network has none.
    /// </summary>
    private void Start(UNet2DConditionModel network, string folder)
    {
        var earlier = ConfigFile.Read<UNet2DConditionConfig>(folder);
        if (earlier.InChannels == config.Model.InChannels && earlier.MidBlockType == config.Model.MidBlockType)
        {
            CheckpointFolder.Load(network, folder);
            return;
        }

        using var guard = no_grad();
        using var scope = NewDisposeScope();
        using var other = new UNet2DConditionModel(config.Model with { InChannels = earlier.InChannels,
            MidBlockType = earlier.MidBlockType });
        CheckpointFolder.Load(other, folder);
        var weights = other.state_dict();
        foreach (var (name, tensor) in network.state_dict())
        {
            if (!weights.TryGetValue(name, out var known))
                throw new WeightsException($"{folder} has no {name}: a run's network has no middle where the one it starts from has none.");
            if (tensor.shape.AsSpan().SequenceEqual(known.shape))
            {
                tensor.copy_(known);
                continue;
            }

            tensor.zero_();
            tensor.narrow(1, 0, Math.Min(tensor.shape[1], known.shape[1]))
                .copy_(known.narrow(1, 0, Math.Min(tensor.shape[1], known.shape[1])));
        }
    }

    private Dictionary<string, double> Evaluate(
        TrainingRun run, UNet2DConditionModel network, FirstGuessModel? guess, LatentRun latents, LatentProbe probe)
    {
        var metrics = probe.Velocity(schedule, (noisy, timesteps, batch) => Predict(network, guess, noisy, timesteps, batch, latents.Type));
        var drawn = new DecoderProbe(network, guess, config.GuessStrength, latents, clip, scenes, config.Measured(DecoderProbe.Most))
            .Measure(Path.Combine(run.Folder, "samples", $"{run.Step:D7}.png"));
        foreach (var (name, value) in drawn) metrics[name] = value;
        PriorExport.Write(Path.Combine(run.Folder, "unet"), network, network.Config, "UNet2DConditionModel");
        return metrics;
    }
}
