using Alebrije.Models.Priors;
using Alebrije.Pipelines;
using Alebrije.Pipelines.Priors;
using Alebrije.Published;
using Alebrije.Tensors;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Training;

/// <summary>Settings common to the runs of all priors.</summary>
internal abstract record PriorPlan : TrainingPlan
{
    /// <summary>CLIP of the embeddings: a run's folder, or a model's name or folder.</summary>
    public required string Clip { get; init; }

    /// <summary>Weight decay of the matrices.</summary>
    public double WeightDecay { get; init; } = 0.02;

    /// <summary>Share of the texts replaced by the empty one, so that sampling can be guided (Ramesh et al., 2022, §2.2).</summary>
    public double TextDropout { get; init; } = 0.1;

    /// <summary>Number of pairs that means, standard deviations, directions and the linear map are measured on.</summary>
    public int Fitted { get; init; } = 4096;
}

/// <summary>Embedded pairs: a training batch of a prior.</summary>
/// <param name="Images">[batch, features] on CLIP's scale, float32.</param>
/// <param name="Conditions">Their texts, some of them dropped, in the type of the computation.</param>
/// <param name="Dropped">[batch]: true for each dropped text.</param>
/// <param name="Ids">[batch, tokens] int64, after dropping.</param>
internal sealed record PriorBatch(Tensor Images, PriorConditions Conditions, bool[] Dropped, Tensor Ids);

/// <summary>One kind of prior in training.</summary>
internal interface IPriorTask
{
    /// <summary>The network.</summary>
    nn.Module Network { get; }

    /// <summary>Parameters that are measured and not trained.</summary>
    bool IsFixed(string parameter);

    /// <summary>Measures statistics before the first step; not called when a run is resumed.</summary>
    void Fit(Tensor texts, Tensor images, string folder);

    /// <summary>The loss of one batch, a scalar.</summary>
    Tensor Loss(PriorBatch batch, Generator generator);

    /// <summary>Writes the network as a prior's folder.</summary>
    void Export(string folder);

    /// <summary>The network as it is sampled, and the mean image embedding, [1, features]; the network stays the task's.</summary>
    (IPrior Prior, Tensor Mean) Sampled();
}

/// <summary>A training run of a prior on a frozen CLIP.</summary>
internal sealed class PriorRun(PriorPlan plan, TrainedClip clip, CaptionedScenes scenes)
{
    private readonly ScalarType dtype = Processor.ScalarType(plan.Precision);

    public TrainingResult Train(IPriorTask task, LossWatch watch, TrainingOptions options, CancellationToken cancellation)
    {
        using var run = new TrainingRun(options, plan, watch);
        var empty = clip.Prepare("");
        return TrainingLoop.Run(run, plan, new TrainingTask<PairBatch>(task.Network)
        {
            Trained = task.Network.named_parameters().Where(p => !task.IsFixed(p.name)).Select(p => (p.name, p.parameter)),
            Optimizer = new() { Beta2 = 0.99, Epsilon = 1e-8, WeightDecay = plan.WeightDecay },
            Begin = () => Fit(task, options.Folder, cancellation),
            Batches = first => new BatchQueue<PairBatch>(i => PairBatch.Make(scenes, clip, plan.Seed, i, plan.Batch, plan.Scenes, side: 0),
                first),
            Loss = (batch, step, generator) =>
            {
                var dropped = ConditionDropout.Texts(batch, empty, plan.TextDropout, plan.Seed, step);
                return task.Loss(Encode(batch, dropped), generator);
            },
            Evaluate = () =>
            {
                var (prior, mean) = task.Sampled();
                var metrics = new PriorProbe(prior, mean, clip, scenes, plan.Measured(PriorProbe.Most)).Measure();
                task.Export(run.Folder);
                return metrics;
            },
        }, cancellation);
    }

    /// <summary>Embeddings of pairs that are not in training: text and image, [pairs, features] each.</summary>
    /// <param name="count">Number of pairs, rounded down to whole batches.</param>
    /// <param name="seed">Seed of the pairs.</param>
    /// <param name="done">Called with batches done and total.</param>
    /// <param name="cancellation">Checked before every batch.</param>
    public (Tensor Texts, Tensor Images) Pairs(int count, ulong seed, Action<int, int>? done = null,
        CancellationToken cancellation = default)
    {
        var (texts, images) = (new List<Tensor>(), new List<Tensor>());
        var batches = Math.Max(1, count / plan.Batch);
        for (var i = 0; i < batches; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            done?.Invoke(i, batches);
            using var scope = NewDisposeScope();
            var batch = PairBatch.Make(scenes, clip, seed, i, plan.Batch, plan.Scenes, side: 0);
            images.Add(clip.Images(batch.ClipTensor(), dtype).MoveToOuterDisposeScope());
            texts.Add(clip.Texts(batch.IdTensor(), batch.Lengths).Embeddings.MoveToOuterDisposeScope());
        }

        return (cat(texts), cat(images));
    }

    private void Fit(IPriorTask task, string folder, CancellationToken cancellation)
    {
        SeededInit.Apply(task.Network, plan.Seed);
        using var guard = no_grad();
        using var scope = NewDisposeScope();
        var (texts, images) = Pairs(plan.Fitted, plan.Seed + 1, cancellation: cancellation);
        task.Fit(texts, images, folder);
    }

    private PriorBatch Encode(PairBatch batch, bool[] dropped)
    {
        var ids = batch.IdTensor();
        var (texts, encodings, mask) = clip.Texts(ids, batch.Lengths);
        return new PriorBatch(clip.Images(batch.ClipTensor(), dtype).detach(),
            new PriorConditions(texts.to(dtype), encodings.to(dtype), mask), dropped, ids);
    }
}

/// <summary>Writes a prior's folder: config.json with its class, and the weights.</summary>
internal static class PriorExport
{
    public static void Write<T>(string folder, nn.Module network, T config, string className)
    {
        ComponentCatalog.Export(folder, network.state_dict());
        ConfigFile.Write(Path.Combine(folder, "config.json"), config, className);
    }
}
