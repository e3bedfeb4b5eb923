using Alebrije.Diffusion;
using Alebrije.Models.Priors;
using Alebrije.Pipelines.StableUnClip;
using Alebrije.Tensors;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Training;

/// <summary>One training run of the diffusion prior (and the linear one), as its JSON file says it.</summary>
internal sealed record PriorTrainingConfig : TrainingPlan
{
    /// <summary>Folder of the CLIP run, relative to the configuration file.</summary>
    public required string Clip { get; init; }

    public PriorTransformerConfig Model { get; init; } = new();

    /// <summary>Noise levels that each encoded picture is seen at.</summary>
    public int NoiseLevels { get; init; } = 4;

    public double WeightDecay { get; init; } = 0.02;

    /// <summary>Share of the texts replaced by the empty one, so that sampling can be guided (Ramesh et al., 2022, §2.2).</summary>
    public double TextDropout { get; init; } = 0.1;

    /// <summary>Pairs that means, deviations and the linear prior are fitted on.</summary>
    public int Fitted { get; init; } = 8192;

    /// <summary>Weight of the penalty of the ridge regression, per pair, in units of the mean squared feature.</summary>
    public double Ridge { get; init; } = 1e-3;
}

/// <summary>
/// Trains the diffusion prior (Ramesh et al., 2022, §2.2): from text and a noised image embedding to the clean one, by squared error. Before it,
/// means and deviations of the image embeddings are measured and the linear prior is fitted in closed form.
/// </summary>
internal sealed class PriorTrainer(PriorTrainingConfig config, TrainedClip clip, CaptionedScenes scenes)
{
    private readonly NoiseSchedule schedule = NoiseSchedule.From(SchedulerConfig.For("DDPMScheduler") with { BetaSchedule = "squaredcos_cap_v2" });
    private readonly ScalarType dtype = Processor.ScalarType(config.Precision);

    /// <summary>Runs to the end of the schedule, of the time, or until cancelled; always saved.</summary>
    /// <returns>How it ended, with cosines to the true embeddings on held-out scenes.</returns>
    public TrainingResult Run(TrainingOptions options, CancellationToken cancellation = default)
    {
        var steps = config.Samples / config.Batch;
        var rate = new LearningRate(config.LearningRate, config.WarmUp, steps);
        using var run = new TrainingRun(options, config, new LossWatch(1, 5 * config.WarmUp,
            "An error of 1 is that of the mean embedding: the prior has not learnt to read the text. Lower learning_rate, or train CLIP longer."));
        using var network = new PriorTransformer(config.Model);
        SeededInit.Apply(network, config.Seed);
        Fit(network, options.Folder, run.Checkpoint is not null);
        using var optimizer = new Optimizer(network.named_parameters()
            .Where(p => p.name is not ("clip_mean" or "clip_std")).Select(p => (p.name, p.parameter)), new OptimizerConstants
            {
                Method = config.Optimizer, ProductType = dtype, Beta2 = 0.99, Epsilon = 1e-8, WeightDecay = config.WeightDecay, ClipNorm = 1, EmaDecay = config.EmaDecay,
            });
        run.Restore(network, optimizer);
        var empty = clip.Prepare("");
        var metrics = new Dictionary<string, double>();
        using var batches = new BatchQueue<PairBatch>(i => PairBatch.Make(scenes, clip, config.Seed, i, config.Batch, config.Scenes, side: 0), run.Step);

        while (run.Step < steps && !run.IsOver(cancellation))
        {
            using var scope = NewDisposeScope();
            using var generator = new Generator((config.Seed << 32) + (ulong)run.Step);
            var batch = batches.Next();
            ConditionDropout.Texts(batch, empty, config.TextDropout, config.Seed, run.Step);
            var conditions = Conditions(batch, config.NoiseLevels);
            var original = ((clip.Images(batch.ClipTensor(), dtype) - network.ClipMean) / network.ClipStd).detach()
                .repeat_interleave(config.NoiseLevels, 0);                                   // [batch * levels, features]
            var timesteps = randint(0, schedule.Length, [original.shape[0]], dtype: ScalarType.Int64, generator: generator);
            var noisy = schedule.AddNoise(original, randn(original.shape, generator: generator), timesteps);
            var predicted = network.call(noisy.to(dtype), timesteps, conditions).to(ScalarType.Float32);
            var loss = (predicted - original).square().mean();
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

    private PriorConditions Conditions(PairBatch batch, int times)
    {
        var (texts, encodings, mask) = clip.Texts(batch.IdTensor(), batch.Lengths);
        return new PriorConditions(
            texts.to(dtype).repeat_interleave(times, 0), encodings.to(dtype).repeat_interleave(times, 0), mask.repeat_interleave(times, 0));
    }

    /// <summary>Measures the embeddings' mean and deviation and fits the linear prior: (TᵀT + λI) W = TᵀZ on centred embeddings.</summary>
    private void Fit(PriorTransformer network, string folder, bool isResumed)
    {
        if (isResumed) return;
        using var guard = no_grad();
        using var scope = NewDisposeScope();
        var (texts, images) = Pairs(config.Fitted, config.Seed + 1);
        network.ClipMean.copy_(images.mean([0], keepdim: true));
        network.ClipStd.copy_(images.std([0]).unsqueeze(0));

        var (x, y) = (texts - texts.mean([0]), images - images.mean([0]));
        var penalty = config.Ridge * x.square().mean().ToDouble() * x.shape[0];
        var weight = linalg.solve(x.t().mm(x) + (penalty * eye(x.shape[1])), x.t().mm(y));   // [features, features]
        var bias = images.mean([0]) - texts.mean([0]).unsqueeze(0).mm(weight).squeeze(0);
        Directory.CreateDirectory(Path.Combine(folder, LinearPrior.FolderName));
        SafeTensorsWriter.Write(Path.Combine(folder, LinearPrior.FolderName, "diffusion_pytorch_model.safetensors"),
        [
            KeyValuePair.Create("map.weight", weight.t().contiguous()), KeyValuePair.Create("map.bias", bias),
        ]);
    }

    private (Tensor Texts, Tensor Images) Pairs(int count, ulong seed)
    {
        var (texts, images) = (new List<Tensor>(), new List<Tensor>());
        for (var i = 0; i < count / config.Batch; i++)
        {
            var batch = PairBatch.Make(scenes, clip, seed, i, config.Batch, config.Scenes, side: 0);
            images.Add(clip.Images(batch.ClipTensor(), dtype));
            texts.Add(clip.Texts(batch.IdTensor(), batch.Lengths).Embeddings);
        }

        return (cat(texts), cat(images));
    }

    private Dictionary<string, double> Evaluate(TrainingRun run, PriorTransformer network, Optimizer optimizer, long steps)
    {
        optimizer.SwapAverages();
        var metrics = new PriorProbe(network, clip, scenes).Measure();
        var folder = Path.Combine(run.Folder, "prior");
        Directory.CreateDirectory(folder);
        SafeTensorsWriter.Write(Path.Combine(folder, "diffusion_pytorch_model.safetensors"), network.state_dict(), new Dictionary<string, string> { ["format"] = "pt" });
        ConfigFile.Write(Path.Combine(folder, "config.json"), network.Config, "PriorTransformer");
        optimizer.SwapAverages();
        run.Note(string.Join(", ", metrics.Select(m => $"{m.Key} {m.Value:F3}")), steps);
        return metrics;
    }
}

/// <summary>Leaves conditions out during training, so that sampling can be guided; drawn from seed and step alone.</summary>
internal static class ConditionDropout
{
    /// <summary>Replaces a share of a batch's texts by the empty one.</summary>
    public static void Texts(PairBatch batch, (long[] Ids, int Length) empty, double share, ulong seed, long step)
    {
        var random = Generator(seed, step);
        for (var i = 0; i < batch.Count; i++)
            if (random.NextDouble() < share) Drop(batch, i, empty);
    }

    /// <summary>Replaces one text of a batch by the empty one.</summary>
    public static void Drop(PairBatch batch, int row, (long[] Ids, int Length) empty)
    {
        empty.Ids.CopyTo(batch.Ids, row * empty.Ids.Length);
        batch.Lengths[row] = empty.Length;
    }

    /// <summary>Random numbers of one step; .NET's seeded generator is the same on every machine.</summary>
    public static Random Generator(ulong seed, long step) =>
        new((int)(((seed * 0x9E3779B97F4A7C15) ^ ((ulong)step * 0xBF58476D1CE4E5B9) ^ 0x64726F70) >> 33));
}
