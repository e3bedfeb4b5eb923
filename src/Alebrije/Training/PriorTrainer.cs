using Alebrije.Diffusion;
using Alebrije.Models.Priors;
using Alebrije.Pipelines.Priors;
using Alebrije.Preprocessing;
using Alebrije.Tensors;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Training;

/// <summary>One training run of the diffusion prior (and the linear one): the keys of its JSON file.</summary>
internal sealed record PriorTrainingConfig : PriorPlan
{
    public PriorTrainingConfig() => Fitted = 8192;

    /// <summary>Source of the initial weights: folder of a model, an earlier run or a prior; null: random weights.</summary>
    public string? Start { get; init; }

    /// <summary>
    /// True if <see cref="Start"/> may be a prior of another CLIP of the same sizes, such as the one that this run's CLIP started from:
    /// means and standard deviations are measured again, and the run adapts the rest.
    /// </summary>
    public bool Adapt { get; init; }

    public PriorTransformerConfig Model { get; init; } = new();

    /// <summary>Noise levels drawn for each encoded image.</summary>
    public int NoiseLevels { get; init; } = 4;

    /// <summary>Weight of the penalty of the ridge regression, per pair, in units of the mean squared feature.</summary>
    public double Ridge { get; init; } = 1e-3;
}

/// <summary>
/// Trains the diffusion prior (Ramesh et al., 2022, §2.2): from text and a noised image embedding to the clean one, by squared
/// error. First, it measures means and standard deviations of the image embeddings and fits the linear prior in closed form.
/// </summary>
internal sealed class PriorTrainer(PriorTrainingConfig config, TrainedClip clip, CaptionedScenes scenes)
{
    /// <returns>Result with cosines to the true embeddings on held-out scenes.</returns>
    public TrainingResult Run(TrainingOptions options, CancellationToken cancellation = default)
    {
        using var network = new PriorTransformer(config.Model);
        var watch = new LossWatch(1, 5 * config.WarmUp,
            "An error of 1 is that of the mean embedding: the prior has not learnt to read the text. Lower learning_rate, or train CLIP "
            + "longer.");
        return new PriorRun(config, clip, scenes).Train(new DiffusionPriorTask(network, config, clip.Space), watch, options, cancellation);
    }
}

/// <summary>The diffusion prior in training.</summary>
internal sealed class DiffusionPriorTask(PriorTransformer network, PriorTrainingConfig config, string space) : IPriorTask
{
    private readonly NoiseSchedule schedule = NoiseSchedule.From(
        SchedulerConfig.For("DDPMScheduler") with { BetaSchedule = "squaredcos_cap_v2" });
    private readonly ScalarType dtype = Processor.ScalarType(config.Precision);

    public nn.Module Network => network;

    public bool IsFixed(string parameter) => parameter is "clip_mean" or "clip_std";

    public void Fit(Tensor texts, Tensor images, string folder)
    {
        if (config.Start is { } start) Begin(start);
        if (config.Start is null || config.Adapt)
        {
            network.ClipMean.copy_(images.mean([0], keepdim: true));
            network.ClipStd.copy_(images.std([0]).unsqueeze(0));
        }

        LinearPriorTrainer.Fit(texts, images, config.Ridge, space, folder);
    }

    public Tensor Loss(PriorBatch batch, Generator generator)
    {
        var (rows, levels) = (batch.Images.shape[0], config.NoiseLevels);
        // [batch * levels, features]
        var original = ((batch.Images - network.ClipMean) / network.ClipStd).detach().repeat_interleave(levels, 0);
        var timesteps = randint(0, schedule.Length, [original.shape[0]], dtype: ScalarType.Int64, generator: generator);
        var noisy = schedule.AddNoise(original, randn(original.shape, generator: generator), timesteps);
        var predicted = network.AtLevels(noisy.to(dtype).view(rows, levels, -1), timesteps.view(rows, levels), batch.Conditions)
            .to(ScalarType.Float32);
        return (predicted.flatten(0, 1) - original).square().mean();
    }

    /// <summary>Loads an earlier network, with its means and standard deviations.</summary>
    /// <exception cref="WeightsException">The network has other sizes, or belongs to another CLIP.</exception>
    private void Begin(string start)
    {
        var folder = Path.Combine(start, "prior") is var below && Directory.Exists(below) ? below : start;
        if (PriorTransformerConfig.Read(folder).EmbeddingSpace is { } theirs && theirs != space && !config.Adapt)
            throw new WeightsException($"{folder} was trained in another "
                + $"embedding space ({theirs}) than that of the CLIP of this run ({space}); leave out start, name its CLIP, or set adapt.");
        CheckpointFolder.Load(network, folder);
    }

    public void Export(string folder) => PriorExport.Write(Path.Combine(folder, "prior"),
        network, network.Config with { EmbeddingSpace = space }, "PriorTransformer");

    public (IPrior Prior, Tensor Mean) Sampled() =>
        (new DiffusionPrior(network, () => Schedulers.Create(MiniSchedulers.Prior), ScalarType.Float32) { OwnsNetwork = false },
            network.ClipMean);
}
