using Alebrije.Diffusion;
using Alebrije.Models.Autoencoders;
using Alebrije.Models.Guesses;
using Alebrije.Models.Priors;
using Alebrije.Nn;
using Alebrije.Pipelines.Priors;
using Alebrije.Published;
using Alebrije.Tensors;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Training;

/// <summary>A batch of a latent model in training.</summary>
/// <param name="Latents">[batch, channels, side, side]</param>
/// <param name="Condition">[batch, 2 features]: image embedding and code of its noise level, zeros where it is dropped.</param>
/// <param name="Context">[batch, tokens, width] text encodings, those of the empty text where it is dropped.</param>
/// <param name="Conditional">[batch, 1, 1, 1] float32: 0 where both are dropped, else 1.</param>
/// <param name="Objects">[batch, most objects, 5] float32, as <see cref="EncodedScenes.Objects"/>.</param>
/// <param name="Named">[batch] bool: true where the text is given.</param>
internal sealed record LatentBatch(
    Tensor Latents, Tensor Condition, Tensor Context, Tensor Conditional, Tensor Objects, Tensor Named)
{
    /// <summary>All tensors.</summary>
    public IEnumerable<Tensor> Parts => [Latents, Condition, Context, Conditional, Objects, Named];
}

/// <summary>Frozen networks, scenes and conditions for training the first guess and the decoder.</summary>
internal sealed class LatentRun : IDisposable
{
    private const string CacheName = "scenes.cache";
    private readonly LatentPlan plan;
    private readonly TrainedClip clip;
    private readonly CaptionedScenes scenes;
    private readonly NoiseSchedule embeddingSchedule = NoiseSchedule.From(MiniSchedulers.ImageNoising);
    private readonly StableUnClipImageNormalizer normalizer;
    private readonly DiffusionPrior? prior;
    private readonly SceneEncoder encoder;
    private readonly Tensor empty;

    /// <param name="plan">Networks, mixture, shares of dropped conditions.</param>
    /// <param name="clip">The frozen CLIP; the caller disposes it.</param>
    /// <param name="scenes">The world.</param>
    /// <param name="folder">The run's folder.</param>
    public LatentRun(LatentPlan plan, TrainedClip clip, CaptionedScenes scenes, string folder)
    {
        plan.Check();
        (this.plan, this.clip, this.scenes, Folder) = (plan, clip, scenes, folder);
        Type = Processor.ScalarType(plan.Precision);
        Vae = ComponentCatalog.BuildFor([plan.Autoencoder],
            () => new AutoencoderKL(ConfigFile.Read<AutoencoderKLConfig>(plan.Autoencoder)));
        CheckpointFolder.Load(Vae, plan.Autoencoder);
        Vae.eval();
        if (plan.Prior is { } path) prior = OpenPrior(path);
        normalizer = FitNormalizer(Path.Combine(folder, "image_normalizer"));
        encoder = new SceneEncoder(clip, Vae, prior, plan, Type);
        using var scope = NewDisposeScope();
        empty = encoder.EmptyText.DetachFromDisposeScope();
    }

    /// <summary>The run's folder.</summary>
    public string Folder { get; }

    /// <summary>Format of the matrix products.</summary>
    public ScalarType Type { get; }

    /// <summary>The frozen autoencoder.</summary>
    public AutoencoderKL Vae { get; }

    private long SceneCount => Math.Max(1, plan.TotalSteps * plan.Fresh);

    /// <summary>A training task whose batches are scenes from the rolling window, with conditions dropped and noised.</summary>
    /// <param name="network">The network.</param>
    /// <param name="loss">Loss of a batch.</param>
    /// <param name="begin">Sets the weights of a new run.</param>
    public TrainingTask<EncodedScenes> Task(nn.Module network, Func<LatentBatch, Generator, Tensor> loss, Action begin) => new(network)
    {
        Begin = begin,
        Batches = step => new SceneCache(Path.Combine(Folder, CacheName), plan.Sizes, Identity(), encoder.Shapes, Group, step),
        Loss = (scenes, step, generator) => loss(Condition(scenes, step, generator), generator),
        Optimizer = new() { Beta2 = 0.99, Epsilon = 1e-8, WeightDecay = plan.WeightDecay },
    };

    /// <summary>The batch of a step, with conditions dropped and noised.</summary>
    private LatentBatch Condition(EncodedScenes batch, long step, Generator generator)
    {
        var random = ConditionDropout.Generator(plan.Seed, step);
        var count = batch.Count;
        var (image, text, noised) = (new float[count], new float[count], new float[count]);
        for (var i = 0; i < count; i++)
        {
            var draw = random.NextDouble();
            var none = draw < plan.Unconditional;
            var noText = !none && (draw -= plan.Unconditional) < plan.TextDropout;
            var noImage = !none && !noText && draw - plan.TextDropout < plan.EmbeddingDropout;
            (image[i], text[i]) = (none || noImage ? 0 : 1, none || noText ? 0 : 1);
            noised[i] = random.NextDouble() < plan.NoisedEmbeddings ? 1 : 0;
        }

        var (seen, read) = (tensor(image).unsqueeze(1), tensor(text).reshape(-1, 1, 1));
        // A sample of the prior belongs to its text: without the text the true embedding is used.
        var sampled = batch.Sampled.abs().sum(1).gt(0).logical_and(tensor(text).gt(0));       // [batch]
        var levels = (rand([count], generator: generator) * plan.EmbeddingNoise * tensor(noised)).to(ScalarType.Int64);
        var given = where(sampled.unsqueeze(1), batch.Sampled, Noised(batch.Images, levels, generator));
        var condition = Condition(given, where(sampled, zeros_like(levels), levels)) * seen;
        var context = where(read.gt(0), batch.Texts, empty);
        var conditional = tensor(image).maximum(tensor(text)).reshape(-1, 1, 1, 1);
        return new LatentBatch(batch.Latents, condition, context, conditional, batch.Objects, tensor(text).gt(0));
    }

    /// <summary>Captions of a step without their pictures, and their objects, from other scenes than those of <see cref="Task"/>.</summary>
    /// <param name="step">Number of the step.</param>
    /// <param name="count">Captions.</param>
    /// <returns>Text encodings [count, tokens, width]; float32 [count, most objects, 5], as <see cref="EncodedScenes.Objects"/>.</returns>
    public (Tensor Texts, Tensor Objects) Captions(long step, int count)
    {
        const ulong own = 0x63617074;
        var captioned = Enumerable.Range(0, count).Select(i => scenes.Captioned(
            plan.Seed + own, (step * count) + i, plan.WorldOf(step * plan.Fresh, SceneCount))).ToArray();
        var prepared = captioned.Select(one => clip.Prepare(one.Caption)).ToArray();
        using var scope = NewDisposeScope();
        var ids = tensor(prepared.SelectMany(one => one.Ids).ToArray(), [count, clip.Tokens]);
        var texts = clip.Texts(ids, [.. prepared.Select(one => one.Length)], Type).Encodings;
        var objects = tensor(PairBatch.NumbersOf(count, i => captioned[i].Objects),
            [count, FirstGuessConfig.MostSlots, FirstGuessModel.ObjectNumbers]);
        return (texts.DetachFromDisposeScope(), objects.DetachFromDisposeScope());
    }

    /// <summary>Fixed scenes with their true embeddings and complete captions, for evaluating a network in training.</summary>
    public LatentBatch Encode(PairBatch batch)
    {
        var encoded = encoder.Encode(batch);
        var condition = Condition(encoded.Images, zeros([batch.Count], ScalarType.Int64));
        return new LatentBatch(encoded.Latents, condition, encoded.Texts, ones(batch.Count, 1, 1, 1), encoded.Objects,
            ones(batch.Count, ScalarType.Bool));
    }

    /// <summary>[batch, tokens, width]: encodings of the empty text.</summary>
    public Tensor Empty(long batch) => empty.expand(batch, -1, -1);

    /// <inheritdoc/>
    public void Dispose()
    {
        empty.Dispose();
        prior?.Dispose();
        normalizer.Dispose();
        Vae.Dispose();
    }

    /// <summary>Input of a denoiser's class embedding: image embedding and code of its noise level.</summary>
    /// <param name="embeddings">[batch, features]</param>
    /// <param name="levels">[batch] int64, 0 to 999</param>
    /// <returns>[batch, 2 features]</returns>
    internal static Tensor Condition(Tensor embeddings, Tensor levels) =>
        cat([embeddings, Timesteps.Encode(levels, embeddings.shape[1], cosineFirst: true, shift: 0)], 1);

    private Tensor Noised(Tensor embeddings, Tensor levels, Generator generator)
    {
        using var guard = no_grad();
        var noise = randn(embeddings.shape, generator: generator);
        var noised = normalizer.Unscale(embeddingSchedule.AddNoise(normalizer.Scale(embeddings), noise, levels));
        return where(levels.unsqueeze(1).gt(0), noised, embeddings);
    }

    private EncodedScenes Group(long group)
    {
        var (first, count) = (group * plan.Fresh, plan.Fresh);
        var sampled = prior is null ? null : new bool[count];
        var random = ConditionDropout.Generator(plan.Seed + 0x7072696F, group);
        for (var i = 0; i < sampled?.Length; i++) sampled[i] = random.NextDouble() < plan.PriorShare;
        var batch = PairBatch.Make(scenes, clip, plan.Seed, first, count, scene => plan.WorldOf(scene, SceneCount), Vae.Config.SampleSize);
        return encoder.Encode(batch, sampled, unchecked((long)(plan.Seed << 32) + group));
    }

    /// <summary>Identity of the encoding: sums of the networks' weights, mixtures, the prior's settings.</summary>
    private string Identity()
    {
        using var guard = no_grad();
        using var scope = NewDisposeScope();
        var sums = new nn.Module?[] { clip.Network, Vae, prior?.Network }.OfType<nn.Module>()
            .Select(module => module.parameters().Sum(p => p.abs().sum().ToDouble() + p.flatten()[0].ToDouble())
                .ToString("R", System.Globalization.CultureInfo.InvariantCulture));
        var mixtures = plan.Curriculum is { } stages ? string.Join(';', stages.Select(stage => $"{stage.Share}:{stage.World}"))
            : plan.Scenes.ToString();
        return $"{string.Join('/', sums)}|{mixtures}|{SceneCount}|{plan.PriorShare}|{plan.PriorSteps}|{plan.PriorGuidance}|{Type}";
    }

    private DiffusionPrior OpenPrior(string path)
    {
        var folder = Path.Combine(path, "prior") is var below && Directory.Exists(below) ? below : path;
        var config = PriorTransformerConfig.Read(folder);
        var space = clip.Space;
        if (config.EmbeddingSpace is { } theirs && theirs != space)
            throw new WeightsException($"The prior {folder} was trained "
                + $"in another embedding space ({theirs}) than that of the CLIP of this run ({space}); train a prior on that CLIP first.");
        var network = ComponentCatalog.BuildFor([folder], () => new PriorTransformer(config));
        CheckpointFolder.Load(network, folder);
        network.eval();
        return new DiffusionPrior(network, () => Schedulers.Create(MiniSchedulers.Prior), ScalarType.Float32);
    }

    /// <summary>Mean and standard deviation of the image embeddings, measured once for each run.</summary>
    private StableUnClipImageNormalizer FitNormalizer(string folder)
    {
        var config = new StableUnClipImageNormalizerConfig { EmbeddingDim = clip.Features };
        var fitted = new StableUnClipImageNormalizer(config);
        var file = Path.Combine(folder, "diffusion_pytorch_model.safetensors");
        if (File.Exists(file))
        {
            CheckpointFolder.Load(fitted, folder);
            return fitted;
        }

        using var guard = no_grad();
        using var scope = NewDisposeScope();
        var world = plan.WorldOf(0, 1);
        var embeddings = cat([.. Enumerable.Range(0, plan.Fitted).Chunk(64).Select(chunk =>
            clip.Images(PairBatch.Make(scenes, clip, plan.Seed + 1, chunk[0], chunk.Length, _ => world, side: 0).ClipTensor(), Type))]);
        fitted.Mean.copy_(embeddings.mean([0], keepdim: true));
        fitted.Std.copy_(embeddings.std([0]).unsqueeze(0));
        ConfigFile.Write(Path.Combine(folder, "config.json"), config, "StableUnCLIPImageNormalizer");
        ComponentCatalog.Write(file, fitted.state_dict());
        return fitted;
    }
}
