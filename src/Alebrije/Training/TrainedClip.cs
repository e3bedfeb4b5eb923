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
    private const string TextComponent = "prior_text_encoder", VisionComponent = "image_encoder";
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

    /// <summary>Opens a run's folder (<c>clip/</c> and <c>tokenizer/</c>), or the two towers of a model such as <c>mini</c>.</summary>
    public static TrainedClip Open(string folder)
    {
        var network = new ClipNetwork(IsModel(folder) ? TowersConfig(folder) : ConfigFile.Read<ClipConfig>(Path.Combine(folder, "clip")));
        Copy(folder, network);
        network.eval();
        foreach (var parameter in network.parameters()) parameter.requires_grad = false;
        return new TrainedClip(network, ClipTokenizer.Load(TokenizerFolder(folder)));
    }

    /// <summary>Where such a folder keeps its tokenizer.</summary>
    public static string TokenizerFolder(string folder) => Path.Combine(folder, IsModel(folder) ? "prior_tokenizer" : "tokenizer");

    /// <summary>Copies the weights of such a folder into a network of the same sizes. A model's towers come without a scale of the logits: that stays.</summary>
    public static void Copy(string folder, ClipNetwork network)
    {
        if (!IsModel(folder))
        {
            using var whole = CheckpointFolder.OpenWeights(Path.Combine(folder, "clip"));
            StateDict.Load(network, whole);
            return;
        }

        using var text = new ClipTextModel(network.Config.TextConfig, projects: true);
        using var vision = new ClipVisionModel(network.Config.VisionConfig, projects: true);
        using var guard = no_grad();
        var tensors = network.state_dict();
        foreach (var (tower, component) in new (nn.Module, string)[] { (text, TextComponent), (vision, VisionComponent) })
        {
            using var weights = CheckpointFolder.OpenWeights(Path.Combine(folder, component));
            StateDict.Load(tower, weights);
            foreach (var (name, tensor) in tower.state_dict()) tensors[name].copy_(tensor);
        }
    }

    private static bool IsModel(string folder) => File.Exists(Path.Combine(folder, "model_index.json"));

    private static ClipConfig TowersConfig(string folder)
    {
        var text = ConfigFile.Read<ClipTextConfig>(Path.Combine(folder, TextComponent));
        return new ClipConfig
        {
            ProjectionDim = text.ProjectionDim, TextConfig = text, VisionConfig = ConfigFile.Read<ClipVisionConfig>(Path.Combine(folder, VisionComponent)),
        };
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
