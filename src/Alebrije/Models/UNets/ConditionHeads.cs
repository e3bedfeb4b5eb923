using Alebrije.Nn;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Alebrije.Models.UNets;

/// <summary>Context tokens from an image embedding: Kandinsky 2.2 (diffusers, models/embeddings.py, ImageProjection).</summary>
internal sealed class ImageProjection : nn.Module<Tensor, Tensor>
{
    /// <summary>Tokens per embedding, as in the reference.</summary>
    private const int Tokens = 32;

    private readonly LinearLayer image_embeds;
    private readonly LayerNormLayer norm;

    public ImageProjection(int features, int contextWidth) : base(nameof(ImageProjection))
    {
        image_embeds = Layers.Linear(features, Tokens * contextWidth);
        norm = Layers.LayerNorm(contextWidth);
        RegisterComponents();
    }

    /// <param name="image">[batch, features]</param>
    /// <returns>[batch, 32, context width]</returns>
    public override Tensor forward(Tensor image)
    {
        using var scope = NewDisposeScope();
        return norm.call(image_embeds.call(image).reshape(image.shape[0], Tokens, -1)).MoveToOuterDisposeScope();
    }
}

/// <summary>
/// Context tokens from an image embedding, before those of the text: Kandinsky 2.1 (diffusers, models/embeddings.py, TextImageProjection).
/// </summary>
internal sealed class TextImageProjection : nn.Module<Tensor, Tensor, Tensor>
{
    /// <summary>Tokens per embedding, as in the reference.</summary>
    private const int ImageTokens = 10;

    private readonly LinearLayer image_embeds, text_proj;

    public TextImageProjection(int textWidth, int contextWidth) : base(nameof(TextImageProjection))
    {
        image_embeds = Layers.Linear(contextWidth, ImageTokens * contextWidth);
        text_proj = Layers.Linear(textWidth, contextWidth);
        RegisterComponents();
    }

    /// <param name="text">[batch, tokens, text width]</param>
    /// <param name="image">[batch, context width]</param>
    /// <returns>[batch, 10 + tokens, context width]</returns>
    public override Tensor forward(Tensor text, Tensor image)
    {
        using var scope = NewDisposeScope();
        var before = image_embeds.call(image).reshape(image.shape[0], ImageTokens, -1);
        return cat([before, text_proj.call(text)], dim: 1).MoveToOuterDisposeScope();
    }
}

/// <summary>Image embedding as a term of the time embedding: Kandinsky 2.2 (diffusers, models/embeddings.py, ImageTimeEmbedding).</summary>
internal sealed class ImageTimeEmbedding : nn.Module<Tensor, Tensor>
{
    private readonly LinearLayer image_proj;
    private readonly LayerNormLayer image_norm;

    public ImageTimeEmbedding(int features, int timeWidth) : base(nameof(ImageTimeEmbedding))
    {
        image_proj = Layers.Linear(features, timeWidth);
        image_norm = Layers.LayerNorm(timeWidth);
        RegisterComponents();
    }

    /// <param name="image">[batch, features]</param>
    /// <returns>[batch, time width]</returns>
    public override Tensor forward(Tensor image)
    {
        using var projected = image_proj.call(image);
        return image_norm.call(projected);
    }
}

/// <summary>
/// Image embedding as a term of the time embedding, and a depth map as additional channels of the sample: Kandinsky 2.2 with a ControlNet
/// (diffusers, models/embeddings.py, ImageHintTimeEmbedding).
/// </summary>
internal sealed class ImageHintTimeEmbedding : nn.Module<Tensor, Tensor>
{
    /// <summary>Channels and stride of each convolution of the hint, fixed in the reference.</summary>
    private static readonly (int Channels, int Stride)[] HintLayers = [(16, 1),
        (16, 1), (32, 2), (32, 1), (96, 2), (96, 1), (256, 2), (HintChannels, 1)];

    /// <summary>Channels that the hint adds to the sample.</summary>
    public const int HintChannels = 4;

    /// <summary>Pixels of the hint per position of the sample.</summary>
    public const int Stride = 8;

    private readonly LinearLayer image_proj;
    private readonly LayerNormLayer image_norm;
    private readonly Sequential input_hint_block;

    public ImageHintTimeEmbedding(int features, int timeWidth) : base(nameof(ImageHintTimeEmbedding))
    {
        image_proj = Layers.Linear(features, timeWidth);
        image_norm = Layers.LayerNorm(timeWidth);
        var layers = new List<(string, nn.Module<Tensor, Tensor>)>();
        var channels = 3;
        foreach (var (output, stride) in HintLayers)
        {
            // Between two convolutions is an activation, which has an index but no tensors.
            layers.Add(((2 * layers.Count).ToString(System.Globalization.CultureInfo.InvariantCulture),
                Layers.Conv2d(channels, output, 3, stride, padding: 1)));
            channels = output;
        }

        input_hint_block = nn.Sequential(layers);
        RegisterComponents();
    }

    /// <param name="image">[batch, features]</param>
    /// <returns>[batch, time width]</returns>
    public override Tensor forward(Tensor image)
    {
        using var projected = image_proj.call(image);
        return image_norm.call(projected);
    }

    /// <param name="hint">[batch, 3, 8h, 8w]: the depth map, in [0, 1].</param>
    /// <returns>[batch, 4, h, w]</returns>
    public Tensor Hint(Tensor hint)
    {
        using var scope = NewDisposeScope();
        var (x, first) = (hint, true);
        foreach (var convolution in input_hint_block.children().Cast<nn.Module<Tensor, Tensor>>())
        {
            x = convolution.call(first ? x : nn.functional.silu(x));
            first = false;
        }

        return x.MoveToOuterDisposeScope();
    }
}

/// <summary>
/// Pooled text and image embedding as terms of the time embedding: Kandinsky 2.1 (diffusers, models/embeddings.py, TextImageTimeEmbedding).
/// </summary>
internal sealed class TextImageTimeEmbedding : nn.Module<Tensor, Tensor, Tensor>
{
    private readonly LinearLayer text_proj, image_proj;
    private readonly LayerNormLayer text_norm;

    public TextImageTimeEmbedding(int features, int timeWidth) : base(nameof(TextImageTimeEmbedding))
    {
        text_proj = Layers.Linear(features, timeWidth);
        text_norm = Layers.LayerNorm(timeWidth);
        image_proj = Layers.Linear(features, timeWidth);
        RegisterComponents();
    }

    /// <param name="text">[batch, features]: the pooled text.</param>
    /// <param name="image">[batch, features]</param>
    /// <returns>[batch, time width]</returns>
    public override Tensor forward(Tensor text, Tensor image)
    {
        using var scope = NewDisposeScope();
        return (image_proj.call(image) + text_norm.call(text_proj.call(text))).MoveToOuterDisposeScope();
    }
}

/// <summary>
/// Attention-pooled text encodings as a term of the time embedding: DeepFloyd IF (diffusers, models/embeddings.py, TextTimeEmbedding and
/// AttentionPooling).
/// </summary>
internal sealed class TextTimeEmbedding : nn.Module<Tensor, Tensor>
{
    private readonly LayerNormLayer norm1, norm2;
    private readonly AttentionPool pool;
    private readonly LinearLayer proj;

    public TextTimeEmbedding(int textWidth, int timeWidth, int heads) : base(nameof(TextTimeEmbedding))
    {
        norm1 = Layers.LayerNorm(textWidth);
        pool = new AttentionPool(1, textWidth, heads);
        proj = Layers.Linear(textWidth, timeWidth);
        norm2 = Layers.LayerNorm(timeWidth);
        RegisterComponents();
    }

    /// <param name="text">[batch, tokens, text width], before its projection.</param>
    /// <returns>[batch, time width]</returns>
    public override Tensor forward(Tensor text)
    {
        using var scope = NewDisposeScope();
        return norm2.call(proj.call(pool.call(norm1.call(text)))).MoveToOuterDisposeScope();
    }
}
