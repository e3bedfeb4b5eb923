using Alebrije.Models.Clip;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Preprocessing.Tokenizers;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Training;

/// <summary>What a frozen CLIP says of a batch of pairs.</summary>
/// <param name="Images">[batch, features] image embeddings, on CLIP's own scale</param>
/// <param name="Texts">[batch, features] text embeddings, on CLIP's own scale</param>
/// <param name="Encodings">[batch, tokens, width] text encodings, padded to the model's length</param>
/// <param name="Mask">[batch, tokens] bool, true for text</param>
internal sealed record EncodedPairs(Tensor Images, Tensor Texts, Tensor Encodings, Tensor Mask);

/// <summary>The run of <see cref="ClipTrainer"/> that priors and decoders are trained on: weights, tokenizer, picture preparation.</summary>
internal sealed class TrainedClip : IDisposable
{
    private readonly ClipImageProcessor processor;

    private TrainedClip(ClipNetwork network, ClipTokenizer tokenizer)
    {
        (Network, Tokenizer) = (network, tokenizer);
        processor = ClipImageProcessor.Transformers(network.Config.VisionConfig.ImageSize);
    }

    public ClipNetwork Network { get; }

    public ClipTokenizer Tokenizer { get; }

    /// <summary>Features of an embedding.</summary>
    public int Features => Network.Config.ProjectionDim;

    /// <summary>Tokens of a padded text.</summary>
    public int Tokens => Network.Config.TextConfig.MaxPositionEmbeddings;

    /// <summary>Opens a run's folder: <c>clip/</c> and <c>tokenizer/</c>.</summary>
    public static TrainedClip Open(string run)
    {
        var folder = Path.Combine(run, "clip");
        var network = new ClipNetwork(ConfigFile.Read<ClipConfig>(folder));
        using (var weights = CheckpointFolder.OpenWeights(folder)) StateDict.Load(network, weights);
        network.eval();
        foreach (var parameter in network.parameters()) parameter.requires_grad = false;
        return new TrainedClip(network, ClipTokenizer.Load(Path.Combine(run, "tokenizer")));
    }

    /// <summary>Pixels of pictures as the image tower takes them, on the calling thread.</summary>
    public float[] Prepare(RgbImage picture) => processor.Prepare(picture);

    /// <summary>Ids of a text, padded, and how many are text.</summary>
    public (long[] Ids, int Length) Prepare(string text)
    {
        var row = Tokenizer.EncodeBatch([text], Tokens, out var lengths)[0];
        return ([.. row.Select(id => (long)id)], lengths[0]);
    }

    /// <summary>Image embeddings.</summary>
    /// <param name="pixels">[batch, 3, size, size]</param>
    /// <param name="dtype">Type of the computation.</param>
    public Tensor Images(Tensor pixels, ScalarType dtype)
    {
        using var guard = no_grad();
        using var scope = NewDisposeScope();
        return Network.ProjectImage(Network.Vision.Encode(pixels, dtype: dtype).Pooled).to(ScalarType.Float32).MoveToOuterDisposeScope();
    }

    /// <summary>Text embeddings, encodings and masks.</summary>
    /// <param name="ids">[batch, tokens] int64, padded</param>
    /// <param name="lengths">Ids that are text, per row.</param>
    public (Tensor Embeddings, Tensor Encodings, Tensor Mask) Texts(Tensor ids, IReadOnlyList<int> lengths)
    {
        using var guard = no_grad();
        using var scope = NewDisposeScope();
        var output = Network.Text.Encode(ids);
        var mask = arange(ids.shape[1]).unsqueeze(0).lt(tensor(lengths.Select(n => (long)n).ToArray()).unsqueeze(1));
        return (Network.ProjectText(output.Pooled).MoveToOuterDisposeScope(), output.LastHiddenState.MoveToOuterDisposeScope(), mask.MoveToOuterDisposeScope());
    }

    /// <inheritdoc/>
    public void Dispose() => Network.Dispose();
}

/// <summary>Pairs of a batch as plain arrays, made off the training thread.</summary>
internal sealed record PairBatch(float[] ClipPixels, int ClipSize, long[] Ids, int[] Lengths, float[] Pixels, int Side)
{
    public int Count => Lengths.Length;

    /// <returns>[batch, 3, size, size], normalised for CLIP</returns>
    public Tensor ClipTensor() => tensor(ClipPixels, [Count, 3, ClipSize, ClipSize]);

    /// <returns>[batch, tokens] int64</returns>
    public Tensor IdTensor() => tensor(Ids, [Count, Ids.Length / Count]);

    /// <returns>[batch, 3, side, side] in [-1, 1]</returns>
    public Tensor PixelTensor() => tensor(Pixels, [Count, 3, Side, Side]);

    /// <summary>Makes training batch <paramref name="number"/>.</summary>
    /// <param name="scenes">The world.</param>
    /// <param name="clip">Prepares pictures and texts.</param>
    /// <param name="seed">The run's seed.</param>
    /// <param name="number">Number of the batch.</param>
    /// <param name="count">Pairs.</param>
    /// <param name="options">The mixture.</param>
    /// <param name="side">Side of the pixels kept for the autoencoder; 0 keeps none.</param>
    public static PairBatch Make(CaptionedScenes scenes, TrainedClip clip, ulong seed, long number, int count, CaptionedScenes.Options options, int side)
    {
        var size = clip.Network.Config.VisionConfig.ImageSize;
        var (clipPixels, pixels) = (new float[count * 3 * size * size], new float[count * 3 * side * side]);
        var (ids, lengths) = (new long[count * clip.Tokens], new int[count]);
        for (var i = 0; i < count; i++)
        {
            var (picture, caption, _) = scenes.Train(seed, (number * count) + i, options);
            clip.Prepare(picture).CopyTo(clipPixels, i * 3 * size * size);
            if (side > 0) PixelBatch.Write(picture, 0, 0, side, pixels.AsSpan(i * 3 * side * side, 3 * side * side));
            (var row, lengths[i]) = clip.Prepare(caption);
            row.CopyTo(ids, i * clip.Tokens);
        }

        return new PairBatch(clipPixels, size, ids, lengths, pixels, side);
    }
}
