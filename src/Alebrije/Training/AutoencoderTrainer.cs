using Alebrije.Models.Autoencoders;
using Alebrije.Preprocessing;
using Alebrije.Tensors;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Training;

/// <summary>Configuration of a training run of the autoencoder.</summary>
internal sealed record AutoencoderTrainingConfig : TrainingPlan
{
    public AutoencoderKLConfig Model { get; init; } = new();

    /// <summary>Folder of the initial weights, such as a model's <c>vae</c>; null starts from random weights.</summary>
    public string? Start { get; init; }

    /// <summary>
    /// True trains only the decoder (<c>decoder</c> and <c>post_quant_conv</c>): latents keep their values, so denoisers trained on
    /// them still fit. Requires <see cref="Start"/>.
    /// </summary>
    public bool FreezeEncoder { get; init; }

    /// <summary>Standard deviation of noise added to latents of a frozen encoder, against a denoiser's errors.</summary>
    public double LatentNoise { get; init; }

    /// <summary>Weight of the squared error, relative to 1 for the absolute error and 0.5 for that of the gradients.</summary>
    public double SquaredWeight { get; init; } = 2;

    /// <summary>Side of the crops, in pixels: a convolutional network learns from more of them in the same time.</summary>
    public int Crop { get; init; } = 64;

    /// <summary>Share of the run trained on crops; whole images follow, since the statistics of norms differ on them.</summary>
    public double CropsUntil { get; init; } = 0.8;

    /// <summary>Weight of the divergence from the standard normal, per latent element; a small one only bounds the latents.</summary>
    public double KlWeight { get; init; } = 1e-4;

    /// <summary>Crops with as many pixels as one whole image.</summary>
    public int CropsPerPicture => Math.Max(1, Model.SampleSize / Crop * (Model.SampleSize / Crop));
}

/// <summary>
/// Trains an AutoencoderKL (Rombach et al., 2022, §3.1) without an adversary: absolute and squared error, absolute error of the
/// gradients for sharp edges, and a small divergence. On export the latents' channels get mean 0 and standard deviation 1, folded into
/// the 1 x 1 convolutions around them, so that the published layout with one scaling factor serves every channel.
/// </summary>
internal sealed class AutoencoderTrainer(AutoencoderTrainingConfig config, CaptionedScenes scenes)
{
    /// <returns>The result, with the signal-to-noise ratio on held-out scenes.</returns>
    public TrainingResult Run(TrainingOptions options, CancellationToken cancellation = default)
    {
        if (config.FreezeEncoder && config.Start is null)
            throw new WeightsException("freeze_encoder keeps the encoder of an earlier autoencoder; name its folder in start.");
        using var run = new TrainingRun(options, config, new LossWatch(0.9, 10 * config.WarmUp,
            "Lower learning_rate, or fewer groups for the narrowest level (with as many groups as channels the colours are lost)."));
        using var network = new AutoencoderKL(config.Model);
        var dtype = Processor.ScalarType(config.Precision);
        return TrainingLoop.Run(run, config, new TrainingTask<PixelBatch>(network)
        {
            Trained = network.named_parameters().Where(p => IsTrained(p.name)).Select(p => (p.name, p.parameter)),
            Begin = () =>
            {
                SeededInit.Apply(network, config.Seed);
                if (config.Start is { } start) CheckpointFolder.Load(network, start);
            },
            Batches = first => new BatchQueue<PixelBatch>(MakeBatch, first),
            Loss = (batch, _, generator) => Loss(network, batch.ToTensor(), dtype, generator),
            Evaluate = () => Evaluate(run, network),
        }, cancellation);
    }

    private bool IsTrained(string name) => !config.FreezeEncoder
        || name.StartsWith("decoder.", StringComparison.Ordinal) || name.StartsWith("post_quant_conv.", StringComparison.Ordinal);

    /// <param name="network">The autoencoder.</param>
    /// <param name="pixels">[batch, 3, side, side] in [-1, 1]</param>
    /// <param name="dtype">Format of the matrix products.</param>
    /// <param name="generator">Source of the posterior's samples.</param>
    /// <returns>Scalar: reconstruction error, plus the divergence while the encoder is trained.</returns>
    private Tensor Loss(AutoencoderKL network, Tensor pixels, ScalarType dtype, Generator generator)
    {
        if (config.FreezeEncoder)
        {
            Tensor known;
            using (no_grad()) known = network.Encode(pixels.to(dtype)).Mean.to(ScalarType.Float32);
            known = known + (config.LatentNoise * randn(known.shape, generator: generator));
            return Reconstruction(network.Decode(known.to(dtype)).to(ScalarType.Float32), pixels, config.SquaredWeight);
        }

        var (mean, logVariance) = network.Encode(pixels.to(dtype));
        (mean, logVariance) = (mean.to(ScalarType.Float32), logVariance.to(ScalarType.Float32));
        var latents = AutoencoderKL.Sample(mean, logVariance, randn(mean.shape, generator: generator));
        var decoded = network.Decode(latents.to(dtype)).to(ScalarType.Float32);
        return Reconstruction(decoded, pixels, config.SquaredWeight) + (config.KlWeight * Divergence(mean, logVariance));
    }

    /// <summary>Error of pixels and of their differences to the right and downwards.</summary>
    internal static Tensor Reconstruction(Tensor decoded, Tensor pixels, double squaredWeight = 2)
    {
        var error = decoded - pixels;
        var right = error[.., .., .., 1..] - error[.., .., .., ..^1];
        var down = error[.., .., 1.., ..] - error[.., .., ..^1, ..];
        return error.abs().mean() + (squaredWeight * error.square().mean()) + (0.5 * (right.abs().mean() + down.abs().mean()));
    }

    /// <summary>Divergence of N(mean, variance) from N(0, 1), mean over elements (Kingma and Welling, 2014, appendix B).</summary>
    private static Tensor Divergence(Tensor mean, Tensor logVariance) => 0.5 * (mean.square() + logVariance.exp() - 1 - logVariance).mean();

    private PixelBatch MakeBatch(long number)
    {
        var whole = number >= config.TotalSteps * config.CropsUntil;
        var side = whole ? config.Model.SampleSize : config.Crop;
        var count = whole ? Math.Max(1, config.Batch / config.CropsPerPicture) : config.Batch;
        var pixels = new float[count * 3 * side * side];
        for (var i = 0; i < count; i++)
        {
            var index = (number * config.Batch) + i;
            var picture = scenes.Train(config.Seed, index, config.Scenes, config.Model.SampleSize).Picture;
            var random = SeededRandom.Classic(config.Seed, index);
            var (left, top) = (random.Next(picture.Width - side + 1), random.Next(picture.Height - side + 1));
            PixelBatch.Write(picture, left, top, side, pixels.AsSpan(i * 3 * side * side, 3 * side * side));
        }

        return new PixelBatch(pixels, count, side);
    }

    private Dictionary<string, double> Evaluate(TrainingRun run, AutoencoderKL network)
    {
        var probe = new AutoencoderProbe(network, scenes);
        var metrics = new Dictionary<string, double> { ["psnr_db"] = probe.SignalToNoise(config.Measured(64)) };
        probe.SaveGrid(Path.Combine(run.Folder, "samples", $"{run.Step:D7}.png"));
        // A frozen encoder's latents keep their scale; only a trained one's are standardised again.
        var channels = config.Model.LatentChannels;
        LatentScaling.Export(Path.Combine(run.Folder, "vae"), network, config.FreezeEncoder
            ? ([.. Enumerable.Repeat(0.0, channels)], [.. Enumerable.Repeat(1.0, channels)]) : probe.LatentStatistics(128));
        return metrics;
    }
}
