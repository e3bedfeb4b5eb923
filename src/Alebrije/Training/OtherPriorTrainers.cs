using System.Diagnostics;
using Alebrije.Models.Clip;
using Alebrije.Models.Priors;
using Alebrije.Pipelines.Priors;
using Alebrije.Tensors;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Training;

/// <summary>One fit of the linear prior: the keys of its JSON file.</summary>
internal sealed record LinearPriorTrainingConfig : PriorPlan
{
    /// <summary>Weight of the penalty, per pair, in units of the mean squared feature.</summary>
    public double Ridge { get; init; } = 1e-3;
}

/// <summary>Fits the linear prior in closed form; embedding the pairs takes most of the time.</summary>
internal sealed class LinearPriorTrainer(LinearPriorTrainingConfig config, TrainedClip clip, CaptionedScenes scenes)
{
    /// <summary>Embeds the pairs, fits, measures, writes <c>prior_linear/</c>.</summary>
    public TrainingResult Run(TrainingOptions options, CancellationToken cancellation = default)
    {
        if (File.Exists(Path.Combine(options.Folder, "checkpoint.safetensors"))
            || File.Exists(Path.Combine(options.Folder, LinearPrior.FolderName, "config.json")))
            throw new InvalidOperationException($"{options.Folder} holds "
                + $"another run; give a folder of its own (a linear prior is fitted from scratch each time and cannot be resumed).");
        using var guard = no_grad();
        using var scope = NewDisposeScope();
        var clock = Stopwatch.StartNew();
        var (texts, images) = new PriorRun(config, clip, scenes).Pairs(config.Fitted, config.Seed + 1, Tell, cancellation);
        var fitting = clock.Elapsed.TotalSeconds;
        using var map = Fit(texts, images, config.Ridge, clip.Space, options.Folder);
        fitting = clock.Elapsed.TotalSeconds - fitting;
        using var prior = new LinearPrior(map);
        var metrics = new PriorProbe(prior, images.mean([0], keepdim: true), clip, scenes, config.Measured(PriorProbe.Most)).Measure();
        metrics["pairs"] = texts.shape[0];
        metrics["seconds_of_fit"] = fitting;
        return new TrainingResult(1, clock.Elapsed.TotalSeconds, true, metrics);

        void Tell(int done, int of)
        {
            if (done % Math.Max(1, of / 8) == 0)
                options.OnProgress?.Invoke(new TrainingProgress(done, of, double.NaN,
                    double.NaN, double.NaN, double.NaN, $"{done * config.Batch} pairs embedded"));
        }
    }

    /// <summary>Fits the map and writes its folder below a run's.</summary>
    internal static LinearPriorMap Fit(Tensor texts, Tensor images, double ridge, string space, string folder)
    {
        var map = new LinearPriorMap(new LinearPriorConfig { EmbeddingDim = (int)images.shape[1],
            EmbeddingProjDim = (int)texts.shape[1], EmbeddingSpace = space });
        map.Fit(texts, images, ridge);
        PriorExport.Write(Path.Combine(folder, LinearPrior.FolderName), map, map.Config, LinearPriorConfig.ClassName);
        return map;
    }
}

/// <summary>One training run of the one-step prior: the keys of its JSON file.</summary>
internal sealed record OneStepPriorTrainingConfig : PriorPlan
{
    public PriorTransformerConfig Model { get; init; } = new() { NumAttentionHeads = 16,
        AttentionHeadDim = 32, NumLayers = 10, AdditionalEmbeddings = 3 };

    /// <summary>Weight of the contrastive loss between outputs and texts (Patel et al., 2024, §3.3: 0.2).</summary>
    public double Contrastive { get; init; } = 0.2;

    /// <summary>Temperature of that loss.</summary>
    public double Temperature { get; init; } = 0.07;
}

/// <summary>Trains the one-step prior: squared error to the image and a contrastive loss to the text (Patel et al., 2024).</summary>
internal sealed class OneStepPriorTrainer(OneStepPriorTrainingConfig config, TrainedClip clip, CaptionedScenes scenes)
{
    /// <exception cref="ArgumentException">The layout has a time token.</exception>
    public TrainingResult Run(TrainingOptions options, CancellationToken cancellation = default)
    {
        if (config.Model.KnowsTime)
        throw new ArgumentException("A one-step prior is not conditioned on time: model.additional_embeddings has to be 3.");
        using var network = new PriorTransformer(config.Model);
        var watch = new LossWatch(1 + (config.Contrastive * Math.Log(config.Batch)), 5 * config.WarmUp,
            "That is the mean embedding: the prior has not learnt to read the text. Lower learning_rate, or train CLIP longer.");
        return new PriorRun(config, clip, scenes).Train(new OneStepPriorTask(network, config, clip.Space), watch, options, cancellation);
    }
}

/// <summary>The one-step prior in training.</summary>
internal sealed class OneStepPriorTask(PriorTransformer network, OneStepPriorTrainingConfig config, string space) : IPriorTask
{
    private readonly ScalarType dtype = Processor.ScalarType(config.Precision);

    public nn.Module Network => network;

    /// <summary>True for the statistics: required by the layout and the unit of the error, but unused in sampling.</summary>
    public bool IsFixed(string parameter) => parameter is "clip_mean" or "clip_std";

    /// <summary>Measures the statistics and initialises the output at the mean embedding.</summary>
    public void Fit(Tensor texts, Tensor images, string folder)
    {
        network.ClipMean.copy_(images.mean([0], keepdim: true));
        network.ClipStd.copy_(images.std([0]).unsqueeze(0));
        network.get_parameter("proj_to_clip_embeddings.bias")!.copy_(network.ClipMean.squeeze(0));
    }

    /// <summary>Squared error in units of the embeddings' variance, and the weighted contrastive loss.</summary>
    public Tensor Loss(PriorBatch batch, Generator generator)
    {
        var noise = randn([batch.Images.shape[0], config.Model.EmbeddingDim], generator: generator);
        var predicted = network.call(noise.to(dtype), null, batch.Conditions).to(ScalarType.Float32);
        var error = (predicted - batch.Images).square().mean() / network.ClipStd.square().mean();
        if (config.Contrastive <= 0) return error;
        var texts = ClipNetwork.Unit(batch.Conditions.TextEmbedding.to(ScalarType.Float32));
        var scale = tensor((float)-Math.Log(config.Temperature));
        return error + (config.Contrastive * ContrastiveLoss.Compute(texts, ClipNetwork.Unit(predicted), scale, Same(batch.Ids)));
    }

    public void Export(string folder) =>
        PriorExport.Write(Path.Combine(folder, OneStepPrior.FolderName),
            network, network.Config with { EmbeddingSpace = space }, "PriorTransformer");

    public (IPrior Prior, Tensor Mean) Sampled() => (new OneStepPrior(network) { OwnsNetwork = false }, network.ClipMean);

    /// <summary>[batch, batch], true where two different rows carry the same text.</summary>
    private static Tensor Same(Tensor ids) =>
        ids.unsqueeze(0).eq(ids.unsqueeze(1)).all(2).logical_and(eye(ids.shape[0], dtype: ScalarType.Bool).logical_not());
}

/// <summary>One training run of the autoregressive prior: the keys of its JSON file.</summary>
internal sealed record AutoregressivePriorTrainingConfig : PriorPlan
{
    public AutoregressivePriorConfig Model { get; init; } = new();

    /// <summary>
    /// Standard deviation, in buckets, of the Gaussian that spreads a target; 0: a single bucket, as in the paper. A small network learns
    /// the order of the buckets sooner from a spread target.
    /// </summary>
    public double TargetSpread { get; init; }
}

/// <summary>Trains the autoregressive prior (Ramesh et al., 2022, §2.2): cross entropy of codes given text and cosine.</summary>
internal sealed class AutoregressivePriorTrainer(AutoregressivePriorTrainingConfig config, TrainedClip clip, CaptionedScenes scenes)
{
    public TrainingResult Run(TrainingOptions options, CancellationToken cancellation = default)
    {
        using var network = new AutoregressivePriorTransformer(config.Model);
        var watch = new LossWatch(
            Math.Log(config.Model.NumBuckets), 5 * config.WarmUp,
                "No code is predicted better than by chance. Lower learning_rate, or take fewer buckets.");
        return new PriorRun(config, clip, scenes).Train(new AutoregressivePriorTask(network, config, clip.Space), watch, options,
            cancellation);
    }
}

/// <summary>The autoregressive prior in training.</summary>
internal sealed class AutoregressivePriorTask(AutoregressivePriorTransformer network,
    AutoregressivePriorTrainingConfig config, string space) : IPriorTask
{
    public nn.Module Network => network;

    public bool IsFixed(string parameter) => false;

    public void Fit(Tensor texts, Tensor images, string folder) => network.Quantizer.Fit(images, texts);

    public Tensor Loss(PriorBatch batch, Generator generator)
    {
        var codes = network.Quantizer.Encode(batch.Images);
        var cosines = network.Quantizer.EncodeCosines(batch.Images, batch.Conditions.TextEmbedding.to(ScalarType.Float32))
            .masked_fill(tensor(batch.Dropped), network.UnknownCosine);
        var logits = network.call(batch.Conditions, cosines, codes).to(ScalarType.Float32);       // [batch, codes, buckets]
        var scores = nn.functional.log_softmax(logits, dim: 2);
        if (config.TargetSpread <= 0) return -scores.gather(2, codes.unsqueeze(2)).mean();
        var distance = (arange(config.Model.NumBuckets) - codes.unsqueeze(2)).to(ScalarType.Float32) / config.TargetSpread;
        return -(nn.functional.softmax(-0.5 * distance.square(), dim: 2) * scores).sum(2).mean();
    }

    public void Export(string folder) => PriorExport.Write(
        Path.Combine(folder, AutoregressivePrior.FolderName), network,
        network.Config with { EmbeddingSpace = space }, AutoregressivePriorConfig.ClassName);

    public (IPrior Prior, Tensor Mean) Sampled() =>
        (new AutoregressivePrior(network, ScalarType.Float32) { OwnsNetwork = false }, network.Quantizer.Mean);
}
