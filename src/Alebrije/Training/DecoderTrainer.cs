using Alebrije.Diffusion;
using Alebrije.Models.Autoencoders;
using Alebrije.Models.Priors;
using Alebrije.Models.UNets;
using Alebrije.Nn;
using Alebrije.Tensors;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Training;

/// <summary>One training run of the decoder, as its JSON file says it.</summary>
internal sealed record DecoderTrainingConfig : TrainingPlan
{
    /// <summary>Folder of the CLIP run.</summary>
    public required string Clip { get; init; }

    /// <summary>Folder of the autoencoder.</summary>
    public required string Autoencoder { get; init; }

    /// <summary>Folder whose weights the run starts from, such as an earlier decoder; null starts from nothing.</summary>
    public string? Start { get; init; }

    public UNet2DConditionConfig Model { get; init; } = new();

    /// <summary>Noise levels that each encoded picture is seen at.</summary>
    public int NoiseLevels { get; init; } = 4;

    public double WeightDecay { get; init; } = 0.01;

    /// <summary>Bound of the signal-to-noise ratio in the weights of the loss (Hang et al., 2023); 0 weighs all levels alike.</summary>
    public double MinSnr { get; init; } = 5;

    /// <summary>Share of pairs without image embedding and text (what guidance leads away from).</summary>
    public double Unconditional { get; init; } = 0.1;

    /// <summary>Share of pairs without text only (variations have none).</summary>
    public double TextDropout { get; init; } = 0.2;

    /// <summary>Share of pairs whose image embedding is noised, at a level up to <see cref="EmbeddingNoise"/>: a prior is never exact.</summary>
    public double NoisedEmbeddings { get; init; } = 0.5;

    public int EmbeddingNoise { get; init; } = 300;
}

/// <summary>
/// Trains the decoder (Ramesh et al., 2022, §2.1, in the latents of an autoencoder as Rombach et al., 2022): from noised latents, image embedding and
/// text to the velocity, each encoded picture at several noise levels.
/// </summary>
internal sealed class DecoderTrainer(DecoderTrainingConfig config, TrainedClip clip, CaptionedScenes scenes)
{
    private readonly NoiseSchedule schedule = NoiseSchedule.From(MiniSchedulers.Decoder);
    private readonly NoiseSchedule embeddingSchedule = NoiseSchedule.From(MiniSchedulers.ImageNoising);
    private readonly ScalarType dtype = Processor.ScalarType(config.Precision);

    /// <summary>Runs to the end of the schedule, of the time, or until cancelled; always saved.</summary>
    /// <returns>How it ended, with how often CLIP names the drawn object.</returns>
    public TrainingResult Run(TrainingOptions options, CancellationToken cancellation = default)
    {
        var steps = config.Samples / config.Batch;
        var rate = new LearningRate(config.LearningRate, config.WarmUp, steps);
        using var run = new TrainingRun(options, config, new LossWatch(1, 20 * config.WarmUp,
            "An error near 1 is that of drawing nothing. Lower learning_rate, or look at the autoencoder: its latents should have deviation 1."));
        using var network = new UNet2DConditionModel(config.Model);
        SeededInit.Apply(network, config.Seed);
        if (config.Start is { } start && run.Checkpoint is null) CopyStart(network, start);
        using var vae = LoadAutoencoder();
        using var normalizer = FitNormalizer(Path.Combine(options.Folder, "image_normalizer"));
        using var optimizer = new Optimizer(network.named_parameters().Select(p => (p.name, p.parameter)), new OptimizerConstants
        {
            Method = config.Optimizer, ProductType = dtype, Beta2 = 0.99, Epsilon = 1e-8, WeightDecay = config.WeightDecay, ClipNorm = 1, EmaDecay = config.EmaDecay,
        });
        run.Restore(network, optimizer);
        var empty = clip.Prepare("");
        var metrics = new Dictionary<string, double>();
        using var batches = new BatchQueue<PairBatch>(
            i => PairBatch.Make(scenes, clip, config.Seed, i, config.Batch, config.Scenes, vae.Config.SampleSize), run.Step);

        while (run.Step < steps && !run.IsOver(cancellation))
        {
            using var scope = NewDisposeScope();
            using var generator = new Generator((config.Seed << 32) + (ulong)run.Step);
            var batch = batches.Next();
            var seen = Drop(batch, empty, run.Step);                                         // [batch], 1 where the embedding is seen
            var (latents, condition, context) = Encode(vae, normalizer, batch, seen, generator);
            var original = latents.repeat_interleave(config.NoiseLevels, 0);                 // [batch * levels, channels, h, w]
            var timesteps = randint(0, schedule.Length, [original.shape[0]], dtype: ScalarType.Int64, generator: generator);
            var noise = randn(original.shape, generator: generator);
            var noisy = schedule.AddNoise(original, noise, timesteps);
            var target = schedule.Target(PredictionType.VPrediction, original, noise, timesteps);
            var predicted = network.call(noisy.to(dtype), timesteps, new UNetConditions(context.to(dtype).repeat_interleave(config.NoiseLevels, 0))
            {
                ClassLabels = condition.to(dtype).repeat_interleave(config.NoiseLevels, 0),
            }).to(ScalarType.Float32);
            var loss = Loss(predicted, target, timesteps);
            loss.backward();
            var learningRate = rate.At(run.Step);
            var norm = optimizer.Step(learningRate);
            run.Count(loss.ToDouble(), norm, learningRate, config.Batch * config.NoiseLevels, steps);

            if (run.IsSaveDue(config.SaveMinutes)) run.Save(network, optimizer);
            if (run.IsEvaluationDue(config.EvaluateMinutes)) metrics = Evaluate(run, network, optimizer, vae, steps);
        }

        run.Save(network, optimizer);
        metrics = Evaluate(run, network, optimizer, vae, steps);
        return new TrainingResult(run.Step, run.Seconds, run.Step >= steps, metrics);
    }

    private Tensor Loss(Tensor predicted, Tensor target, Tensor timesteps)
    {
        var errors = (predicted - target).square().mean([1, 2, 3]);                          // [batch]
        if (config.MinSnr <= 0) return errors.mean();
        var weights = schedule.MinSnrWeights(PredictionType.VPrediction, timesteps, config.MinSnr);
        return (errors * weights).sum() / weights.sum();
    }

    /// <summary>Leaves out texts and embeddings; returns which embeddings are seen.</summary>
    private Tensor Drop(PairBatch batch, (long[] Ids, int Length) empty, long step)
    {
        var random = ConditionDropout.Generator(config.Seed, step);
        var seen = new float[batch.Count];
        for (var i = 0; i < batch.Count; i++)
        {
            var draw = random.NextDouble();
            seen[i] = draw < config.Unconditional ? 0 : 1;
            if (draw < config.Unconditional + config.TextDropout) ConditionDropout.Drop(batch, i, empty);
        }

        return tensor(seen);
    }

    private (Tensor Latents, Tensor Condition, Tensor Context) Encode(
        AutoencoderKL vae, StableUnClipImageNormalizer normalizer, PairBatch batch, Tensor seen, Generator generator)
    {
        using var guard = no_grad();
        using var scope = NewDisposeScope();
        var latents = vae.Scale(vae.Encode(batch.PixelTensor().to(dtype)).Mean.to(ScalarType.Float32));
        var embeddings = clip.Images(batch.ClipTensor(), dtype);
        var context = clip.Texts(batch.IdTensor(), batch.Lengths).Encodings;
        var noised = rand([batch.Count], generator: generator).lt(config.NoisedEmbeddings);
        var levels = (rand([batch.Count], generator: generator) * config.EmbeddingNoise * noised).to(ScalarType.Int64);
        var noise = randn(embeddings.shape, generator: generator);
        var given = where(noised.unsqueeze(1), normalizer.Unscale(embeddingSchedule.AddNoise(normalizer.Scale(embeddings), noise, levels)), embeddings);
        var code = Timesteps.Encode(levels, embeddings.shape[1], cosineFirst: true, shift: 0);
        var condition = cat([given, code], 1) * seen.unsqueeze(1);
        return (latents.MoveToOuterDisposeScope(), condition.MoveToOuterDisposeScope(), context.MoveToOuterDisposeScope());
    }

    private AutoencoderKL LoadAutoencoder()
    {
        var vae = new AutoencoderKL(ConfigFile.Read<AutoencoderKLConfig>(config.Autoencoder));
        using (var weights = CheckpointFolder.OpenWeights(config.Autoencoder)) StateDict.Load(vae, weights);
        vae.eval();
        return vae;
    }

    /// <summary>Mean and deviation of the image embeddings, measured once for each run.</summary>
    private StableUnClipImageNormalizer FitNormalizer(string folder)
    {
        var normalizer = new StableUnClipImageNormalizer(new StableUnClipImageNormalizerConfig { EmbeddingDim = clip.Features });
        var file = Path.Combine(folder, "diffusion_pytorch_model.safetensors");
        if (File.Exists(file))
        {
            using var weights = CheckpointFolder.OpenWeights(folder);
            StateDict.Load(normalizer, weights);
            return normalizer;
        }

        using var guard = no_grad();
        using var scope = NewDisposeScope();
        var embeddings = cat([.. Enumerable.Range(0, 32).Select(i =>
            clip.Images(PairBatch.Make(scenes, clip, config.Seed + 1, i, 64, config.Scenes, side: 0).ClipTensor(), dtype))]);
        normalizer.Mean.copy_(embeddings.mean([0], keepdim: true));
        normalizer.Std.copy_(embeddings.std([0]).unsqueeze(0));
        ConfigFile.Write(Path.Combine(folder, "config.json"), new StableUnClipImageNormalizerConfig { EmbeddingDim = clip.Features }, "StableUnCLIPImageNormalizer");
        SafeTensorsWriter.Write(file, normalizer.state_dict(), new Dictionary<string, string> { ["format"] = "pt" });
        return normalizer;
    }

    private static void CopyStart(UNet2DConditionModel network, string folder)
    {
        using var weights = CheckpointFolder.OpenWeights(folder);
        StateDict.Load(network, weights);
    }

    private Dictionary<string, double> Evaluate(
        TrainingRun run, UNet2DConditionModel network, Optimizer optimizer, AutoencoderKL vae, long steps)
    {
        optimizer.SwapAverages();
        var probe = new DecoderProbe(network, vae, clip, scenes);
        var metrics = probe.Measure(Path.Combine(run.Folder, "samples", $"{run.Step:D7}.png"));
        var folder = Path.Combine(run.Folder, "unet");
        Directory.CreateDirectory(folder);
        SafeTensorsWriter.Write(Path.Combine(folder, "diffusion_pytorch_model.safetensors"), network.state_dict(), new Dictionary<string, string> { ["format"] = "pt" });
        ConfigFile.Write(Path.Combine(folder, "config.json"), network.Config, "UNet2DConditionModel");
        optimizer.SwapAverages();
        run.Note(string.Join(", ", metrics.Select(m => $"{m.Key} {m.Value:F3}")), steps);
        return metrics;
    }
}
