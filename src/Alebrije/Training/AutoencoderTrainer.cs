using Alebrije.Models.Autoencoders;
using Alebrije.Preprocessing;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Tensors;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Training;

/// <summary>One training run of the autoencoder, as its JSON file says it.</summary>
internal sealed record AutoencoderTrainingConfig : TrainingPlan
{
    public AutoencoderKLConfig Model { get; init; } = new();

    /// <summary>Folder of an autoencoder whose weights the run starts from, such as a model's <c>vae</c>; null starts from random weights.</summary>
    public string? Start { get; init; }

    /// <summary>
    /// True trains the decoder alone (<c>decoder</c> and <c>post_quant_conv</c>): latents keep their values, so that a denoiser trained on them still fits.
    /// Requires <see cref="Start"/>.
    /// </summary>
    public bool FreezeEncoder { get; init; }

    /// <summary>Standard deviation of the noise added to latents while the encoder is frozen: the decoder then tolerates a denoiser's errors.</summary>
    public double LatentNoise { get; init; }

    /// <summary>Weight of the squared error, beside 1 for the absolute error and 0.5 for that of the gradients.</summary>
    public double SquaredWeight { get; init; } = 2;

    /// <summary>Side of the crops, in pixels: a convolutional network learns from more of them in the same time.</summary>
    public int Crop { get; init; } = 64;

    /// <summary>Where whole pictures take over, as a share of the run: norms see other statistics in them.</summary>
    public double CropsUntil { get; init; } = 0.8;

    /// <summary>Weight of the divergence from the standard normal, per latent number; small, it only keeps latents within bounds.</summary>
    public double KlWeight { get; init; } = 1e-4;

    /// <summary>Crops that hold as many pixels as a whole picture.</summary>
    public int CropsPerPicture => Math.Max(1, Model.SampleSize / Crop * (Model.SampleSize / Crop));
}

/// <summary>
/// Trains an AutoencoderKL (Rombach et al., 2022, §3.1) without an adversary: absolute and squared error, absolute error of the gradients for
/// sharp edges, and a small divergence. At the end the latents' channels get mean 0 and deviation 1 by folding both into the 1 x 1
/// convolutions around them, so that the published layout with one scaling factor serves every channel.
/// </summary>
internal sealed class AutoencoderTrainer(AutoencoderTrainingConfig config, CaptionedScenes scenes)
{
    /// <summary>Runs to the end of the schedule, of the time, or until cancelled; always saved.</summary>
    /// <returns>How it ended, with the signal-to-noise ratio on held-out scenes.</returns>
    public TrainingResult Run(TrainingOptions options, CancellationToken cancellation = default)
    {
        var steps = config.Samples / config.Batch;
        if (config.FreezeEncoder && config.Start is null)
            throw new WeightsException("freeze_encoder keeps the encoder of an earlier autoencoder; name its folder in start.");
        var rate = new LearningRate(config.LearningRate, config.WarmUp, steps);
        using var run = new TrainingRun(options, config, new LossWatch(0.9, 10 * config.WarmUp,
            "Lower learning_rate, or fewer groups for the narrowest level (as many groups as channels throw the colours away)."));
        using var network = new AutoencoderKL(config.Model);
        SeededInit.Apply(network, config.Seed);
        if (config.Start is { } start && run.Checkpoint is null) CheckpointFolder.Load(network, start);
        var dtype = Processor.ScalarType(config.Precision);
        using var optimizer = new Optimizer(network.named_parameters().Select(p => (p.name, p.parameter)).Where(p => IsTrained(p.name)), new OptimizerConstants
        {
            Method = config.Optimizer, ProductType = dtype, Beta2 = 0.99, Epsilon = 1e-8, WeightDecay = 0, ClipNorm = 1, EmaDecay = config.EmaDecay,
        });
        run.Restore(network, optimizer);
        var metrics = new Dictionary<string, double>();
        using var batches = new BatchQueue<PixelBatch>(i => MakeBatch(i, steps), run.Step);

        while (run.Step < steps && !run.IsOver(cancellation))
        {
            using var scope = NewDisposeScope();
            using var generator = new Generator((config.Seed << 32) + (ulong)run.Step);
            var pixels = batches.Next().ToTensor();                                          // [batch, 3, side, side]
            var loss = Loss(network, pixels, dtype, generator);
            loss.backward();
            var learningRate = rate.At(run.Step);
            var norm = optimizer.Step(learningRate);
            run.Count(loss.ToDouble(), norm, learningRate, config.Batch, steps);

            if (run.IsSaveDue(config.SaveMinutes)) run.Save(network, optimizer);
            if (run.IsEvaluationDue(config.EvaluateMinutes)) metrics = Evaluate(run, network, optimizer, steps);
        }

        run.Save(network, optimizer);
        metrics = Evaluate(run, network, optimizer, steps);
        return new TrainingResult(run.Step, run.Seconds, run.Step >= steps, metrics);
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

    /// <summary>Divergence of N(mean, variance) from N(0, 1), per number (Kingma and Welling, 2014, appendix B).</summary>
    private static Tensor Divergence(Tensor mean, Tensor logVariance) => 0.5 * (mean.square() + logVariance.exp() - 1 - logVariance).mean();

    private PixelBatch MakeBatch(long number, long steps)
    {
        var whole = number >= steps * config.CropsUntil;
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

    private Dictionary<string, double> Evaluate(TrainingRun run, AutoencoderKL network, Optimizer optimizer, long steps)
    {
        optimizer.SwapAverages();
        var probe = new AutoencoderProbe(network, scenes);
        var metrics = new Dictionary<string, double> { ["psnr_db"] = probe.SignalToNoise(64) };
        probe.SaveGrid(Path.Combine(run.Folder, "samples", $"{run.Step:D7}.png"));
        // A frozen encoder's latents keep their scale; only a trained one's are standardised anew.
        var channels = config.Model.LatentChannels;
        LatentScaling.Export(Path.Combine(run.Folder, "vae"), network, config.FreezeEncoder
            ? ([.. Enumerable.Repeat(0.0, channels)], [.. Enumerable.Repeat(1.0, channels)]) : probe.LatentStatistics(128));
        optimizer.SwapAverages();
        run.Note(string.Join(", ", metrics.Select(m => $"{m.Key} {m.Value:F3}")), steps);
        return metrics;
    }
}

/// <summary>Pixels of a batch in [-1, 1], made off the training thread.</summary>
internal sealed record PixelBatch(float[] Pixels, int Count, int Side)
{
    /// <returns>[batch, 3, side, side] in [-1, 1]</returns>
    public Tensor ToTensor() => tensor(Pixels, [Count, 3, Side, Side]);

    /// <summary>Writes a square of a picture as planes in [-1, 1].</summary>
    public static void Write(RgbImage picture, int left, int top, int side, Span<float> planes)
    {
        for (var y = 0; y < side; y++)
            for (var x = 0; x < side; x++)
                for (var c = 0; c < 3; c++)
                    planes[(((c * side) + y) * side) + x] = (picture.Pixels[((((top + y) * picture.Width) + left + x) * 3) + c] / 127.5f) - 1;
    }
}
