using Alebrije.Models.Autoencoders;
using Alebrije.Models.Guesses;
using Alebrije.Models.Priors;
using Alebrije.Pipelines.Priors;
using Alebrije.Tensors;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Training;

/// <summary>Encoded scenes: the training inputs of a model on frozen encoders.</summary>
/// <param name="Parts">The tensors of the scenes in a fixed order, each [scenes, ...] float32.</param>
internal sealed record EncodedScenes(IReadOnlyList<Tensor> Parts)
{
    /// <summary>Scenes of a latent model.</summary>
    /// <param name="latents">[scenes, channels, side, side] float32, scaled.</param>
    /// <param name="images">[scenes, features] float32 image embeddings on CLIP's scale.</param>
    /// <param name="sampled">[scenes, features] float32 embeddings drawn by the prior; zeros where there is none.</param>
    /// <param name="texts">[scenes, tokens, width] float32 text encodings.</param>
    /// <param name="objects">[scenes, most objects, 5] float32: see <see cref="Objects"/>.</param>
    public EncodedScenes(Tensor latents, Tensor images, Tensor sampled, Tensor texts, Tensor objects)
        : this([latents, images, sampled, texts, objects])
    {
    }

    /// <summary>Numbers of the scenes in the run, where they come from its cache; else empty.</summary>
    public IReadOnlyList<long> Numbers { get; init; } = [];

    /// <summary>[scenes, channels, side, side] float32, scaled: the latents of a latent model.</summary>
    public Tensor Latents => Parts[0];

    /// <summary>[scenes, features] float32 image embeddings on CLIP's scale.</summary>
    public Tensor Images => Parts[1];

    /// <summary>[scenes, features] float32 embeddings drawn by the prior; zeros where there is none.</summary>
    public Tensor Sampled => Parts[2];

    /// <summary>[scenes, tokens, width] float32 text encodings.</summary>
    public Tensor Texts => Parts[3];

    /// <summary>[scenes, most objects, 5] float32, zeros where there is none: see <see cref="FirstGuessModel.ObjectNumbers"/>.</summary>
    public Tensor Objects => Parts[4];

    /// <summary>Number of scenes.</summary>
    public int Count => (int)Parts[0].shape[0];
}

/// <summary>Encodes scenes with frozen networks: the autoencoder, CLIP (image embedding, text encodings) and the prior.</summary>
internal sealed class SceneEncoder(TrainedClip clip, AutoencoderKL vae, DiffusionPrior? prior, LatentPlan plan, ScalarType dtype)
{
    private PriorConditions? empty;

    /// <summary>Shapes of one scene's latents, image embedding, sampled embedding and text encodings, and its objects.</summary>
    public long[][] Shapes
    {
        get
        {
            var side = vae.Config.SampleSize / vae.Config.Factor;
            return [[vae.Config.LatentChannels, side, side], [clip.Features],
                [clip.Features], [clip.Tokens, clip.Network.Config.TextConfig.HiddenSize],
                [FirstGuessConfig.MostSlots, FirstGuessModel.ObjectNumbers]];
        }
    }

    /// <summary>[1, tokens, width]: encodings of the empty text.</summary>
    public Tensor EmptyText => Texts("").Encodings;

    /// <summary>Encodes a batch.</summary>
    /// <param name="batch">Pixels and ids.</param>
    /// <param name="sampled">True for each scene that gets an embedding of the prior; null: none.</param>
    /// <param name="seed">Seed of the prior's noise.</param>
    public EncodedScenes Encode(PairBatch batch, bool[]? sampled = null, long seed = 0)
    {
        using var guard = no_grad();
        using var scope = NewDisposeScope();
        var latents = vae.Scale(vae.Encode(batch.PixelTensor().to(dtype)).Mean.to(ScalarType.Float32));
        var images = clip.Images(batch.ClipTensor(), dtype);
        var (embeddings, encodings, mask) = clip.Texts(batch.IdTensor(), batch.Lengths);
        var drawn = zeros_like(images);
        long[] rows = prior is null || sampled is null ? []
            : [.. Enumerable.Range(0, batch.Count).Where(i => sampled[i]).Select(i => (long)i)];
        if (rows.Length > 0)
        {
            var index = tensor(rows);
            var conditions = new PriorConditions(embeddings.index_select(0, index),
                encodings.index_select(0, index), mask.index_select(0, index));
            using var noise = new Noise(seed);
            drawn.index_copy_(0, index,
                prior!.Draw(new PriorText(conditions, Empty), new PriorOptions(plan.PriorSteps, plan.PriorGuidance), noise)[0]);
        }

        return new EncodedScenes(
            latents.MoveToOuterDisposeScope(), images.MoveToOuterDisposeScope(),
            drawn.MoveToOuterDisposeScope(), encodings.MoveToOuterDisposeScope(), batch.ObjectTensor().MoveToOuterDisposeScope());
    }

    private PriorConditions Empty()
    {
        if (empty is not null) return empty;
        var (embedding, encodings, mask) = Texts("");
        return empty = new PriorConditions(embedding.DetachFromDisposeScope(),
            encodings.DetachFromDisposeScope(), mask.DetachFromDisposeScope());
    }

    private (Tensor Embedding, Tensor Encodings, Tensor Mask) Texts(string text)
    {
        var (ids, length) = clip.Prepare(text);
        return clip.Texts(tensor(ids, [1, clip.Tokens]), [length]);
    }
}
