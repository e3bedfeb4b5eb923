using System.Globalization;
using System.Text.RegularExpressions;
using Alebrije.Nn;
using Alebrije.Weights;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Alebrije.Models.Clip;

/// <summary>Sizes of SigLIP's image tower, built by timm (timm, vision_transformer.py, vit_*_siglip_*).</summary>
/// <param name="Width">Width of a token.</param>
/// <param name="Depth">Number of blocks.</param>
/// <param name="Heads">Number of heads.</param>
/// <param name="PatchSize">Side of a patch, in pixels.</param>
/// <param name="ImageSize">Side of an image, in pixels.</param>
internal sealed partial record SigLipVisionConfig(int Width, int Depth, int Heads, int PatchSize, int ImageSize)
{
    public double MlpRatio { get; init; } = 4;

    /// <summary>True if the perceptrons use the tanh approximation of GELU.</summary>
    public bool TanhGelu { get; init; }

    /// <summary>Form of the blocks.</summary>
    public ClipBlockForm Blocks => new(Width, (int)(Width * MlpRatio), Heads, TanhGelu ? "gelu_pytorch_tanh" : "gelu", 1e-6);

    /// <summary>Finds sizes by timm's name of the tower.</summary>
    /// <exception cref="WeightsException">The name is not one of SigLIP's.</exception>
    public static SigLipVisionConfig Named(string name, int imageSize, string path)
    {
        if (TowerName().Match(name) is not { Success: true } match)
            throw new WeightsException($"{path} sets timm's image tower "
                + $"'{name}', an architecture that is not built in; of timm's, SigLIP's vit_*_siglip_* are.");
        var patch = int.Parse(match.Groups["patch"].ValueSpan, CultureInfo.InvariantCulture);
        return match.Groups["size"].Value switch
        {
            "base" => new SigLipVisionConfig(768, 12, 12, patch, imageSize),
            "large" => new SigLipVisionConfig(1024, 24, 16, patch, imageSize),
            "so400m" => new SigLipVisionConfig(1152, 27, 16, patch, imageSize) { MlpRatio = 3.7362, TanhGelu = patch == 16 },
            _ => new SigLipVisionConfig(1536, 40, 16, patch, imageSize) { TanhGelu = true },
        };
    }

    [GeneratedRegex(@"^vit_(?<size>base|large|so400m|giantopt)_patch(?<patch>14|16|32)_siglip_\d+$")]
    private static partial Regex TowerName();
}

/// <summary>
/// SigLIP's image tower (Zhai et al., 2023): a transformer over patches without class token, with attention pooling; transformers' names
/// (modeling_siglip.py).
/// </summary>
internal sealed class SigLipVision : nn.Module, IClipVisionTower
{
    private readonly int size;
    private readonly ConvolutionLayer patch_embedding;
    private readonly Parameter position_embedding;
    private readonly ClipEncoder encoder;
    private readonly LayerNormLayer post_layernorm;
    private readonly SigLipHead head;

    public SigLipVision(SigLipVisionConfig config, int features) : base(nameof(SigLipVision))
    {
        if (features != config.Width) throw new ArgumentException(
            $"SigLIP's image tower has no projection: embed_dim must be its width {config.Width}, not {features}.");
        size = config.ImageSize;
        var grid = config.ImageSize / config.PatchSize;
        patch_embedding = Layers.Conv2d(3, config.Width, config.PatchSize, stride: config.PatchSize);
        position_embedding = WeightInit.Normal(0.02, 1, grid * grid, config.Width);
        encoder = new ClipEncoder(config.Blocks, config.Depth);
        post_layernorm = Layers.LayerNorm(config.Width, config.Blocks.Eps);
        head = new SigLipHead(config.Blocks);
        RegisterComponents();
    }

    /// <inheritdoc/>
    public Tensor Features(Tensor pixels)
    {
        ClipVisionEmbeddings.CheckSize(pixels, size);
        using var scope = NewDisposeScope();
        var x = patch_embedding.call(pixels).ToSequence();                                   // [batch, grid², width]
        return Pool(encoder.Encode(x + position_embedding.As(x), mask: null, causal: false).Last).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public PackedVisionTower Pack(LinearLayer? projection, ScalarType type)
    {
        using var positions = position_embedding[0];
        var ends = new ClipVisionEnds(patch_embedding, positions, Pool, projection) { ReadsAll = true };
        return new PackedVisionTower(new PackedBlocks(encoder.Weights(), type), ends, type);
    }

    private Tensor Pool(Tensor x) => head.call(post_layernorm.call(x));
}

/// <summary>A learned query that attends to all patches (timm, layers/attention_pool.py, AttentionPoolLatent).</summary>
internal sealed class SigLipHead : nn.Module<Tensor, Tensor>
{
    private readonly Parameter probe;
    private readonly ClipAttention attention;
    private readonly LayerNormLayer layernorm;
    private readonly ClipMlp mlp;

    public SigLipHead(ClipBlockForm form) : base(nameof(SigLipHead))
    {
        probe = WeightInit.Normal(Math.Pow(form.Width, -0.5), 1, 1, form.Width);
        attention = new ClipAttention(form.Width, form.Heads);
        (layernorm, mlp) = (Layers.LayerNorm(form.Width, form.Eps), new ClipMlp(form));
        RegisterComponents();
    }

    /// <param name="x">[batch, patches, width]</param>
    /// <returns>[batch, width]</returns>
    public override Tensor forward(Tensor x)
    {
        using var scope = NewDisposeScope();
        var pooled = attention.Pool(probe.As(x).expand(x.shape[0], -1, -1), x);              // [batch, 1, width]
        return (pooled + mlp.call(layernorm.call(pooled))).squeeze(1).MoveToOuterDisposeScope();
    }
}
