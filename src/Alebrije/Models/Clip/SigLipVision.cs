using System.Globalization;
using System.Text.RegularExpressions;
using Alebrije.Nn;
using Alebrije.Weights;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Alebrije.Models.Clip;

/// <summary>Sizes of SigLIP's image tower, which timm builds (timm, vision_transformer.py, vit_*_siglip_*).</summary>
/// <param name="Width">Features of a token.</param>
/// <param name="Depth">Blocks.</param>
/// <param name="Heads">Heads.</param>
/// <param name="PatchSize">Pixels of a patch's side.</param>
/// <param name="ImageSize">Pixels of a picture's side.</param>
internal sealed partial record SigLipVisionConfig(int Width, int Depth, int Heads, int PatchSize, int ImageSize)
{
    public double MlpRatio { get; init; } = 4;

    /// <summary>Whether the perceptrons use the tanh formula of GELU.</summary>
    public bool TanhGelu { get; init; }

    /// <summary>Sizes by timm's name of the tower.</summary>
    /// <exception cref="WeightsException">It is none of SigLIP's.</exception>
    public static SigLipVisionConfig Named(string name, int imageSize, string path)
    {
        if (TowerName().Match(name) is not { Success: true } match)
            throw new WeightsException($"{path} asks for timm's image tower '{name}', an architecture that is not built in; of timm's, SigLIP's vit_*_siglip_* are.");
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

/// <summary>SigLIP's image tower (Zhai et al., 2023) in timm's names, under <c>trunk</c> as open_clip keeps it.</summary>
internal sealed class SigLipVision : nn.Module<Tensor, Tensor>
{
    private readonly SigLipTrunk trunk;

    public SigLipVision(SigLipVisionConfig config, int features) : base(nameof(SigLipVision))
    {
        if (features != config.Width) throw new ArgumentException($"SigLIP's image tower has no projection: embed_dim must be its width {config.Width}, not {features}.");
        trunk = new SigLipTrunk(config);
        RegisterComponents();
    }

    /// <param name="pixels">[batch, 3, size, size], normalised as the checkpoint says.</param>
    /// <returns>[batch, width], not normalised</returns>
    public override Tensor forward(Tensor pixels) => trunk.call(pixels);
}

/// <summary>Transformer over patches without class token, pooled by attention.</summary>
internal sealed class SigLipTrunk : nn.Module<Tensor, Tensor>
{
    private readonly int size;
    private readonly SigLipPatches patch_embed;
    private readonly Parameter pos_embed;
    private readonly ModuleList<SigLipBlock> blocks;
    private readonly LayerNormLayer norm;
    private readonly SigLipPool attn_pool;

    public SigLipTrunk(SigLipVisionConfig config) : base(nameof(SigLipTrunk))
    {
        size = config.ImageSize;
        var grid = config.ImageSize / config.PatchSize;
        patch_embed = new SigLipPatches(config.Width, config.PatchSize);
        pos_embed = WeightInit.Normal(0.02, 1, grid * grid, config.Width);
        blocks = new ModuleList<SigLipBlock>([.. Enumerable.Range(0, config.Depth).Select(_ => new SigLipBlock(config))]);
        norm = Layers.LayerNorm(config.Width, SigLipBlock.Eps);
        attn_pool = new SigLipPool(config);
        RegisterComponents();
    }

    public override Tensor forward(Tensor pixels)
    {
        if (pixels.shape[2] != size || pixels.shape[3] != size)
            throw new ArgumentException($"The image tower takes pictures of {size} x {size} pixels, not {pixels.shape[3]} x {pixels.shape[2]}.");
        using var scope = NewDisposeScope();
        var x = patch_embed.call(pixels);
        x = x + pos_embed.As(x);
        foreach (var block in blocks) x = block.call(x);
        return attn_pool.call(norm.call(x)).MoveToOuterDisposeScope();
    }
}

/// <summary>Patches to tokens.</summary>
internal sealed class SigLipPatches : nn.Module<Tensor, Tensor>
{
    private readonly ConvolutionLayer proj;

    public SigLipPatches(int width, int patch) : base(nameof(SigLipPatches))
    {
        proj = Layers.Conv2d(3, width, patch, stride: patch);
        RegisterComponents();
    }

    public override Tensor forward(Tensor pixels) => proj.call(pixels).ToSequence();
}

/// <summary>Pre-norm block in timm's names.</summary>
internal sealed class SigLipBlock : nn.Module<Tensor, Tensor>
{
    public const double Eps = 1e-6;
    private readonly LayerNormLayer norm1, norm2;
    private readonly SigLipAttention attn;
    private readonly SigLipMlp mlp;

    public SigLipBlock(SigLipVisionConfig config) : base(nameof(SigLipBlock))
    {
        (norm1, norm2) = (Layers.LayerNorm(config.Width, Eps), Layers.LayerNorm(config.Width, Eps));
        (attn, mlp) = (new SigLipAttention(config), new SigLipMlp(config));
        RegisterComponents();
    }

    public override Tensor forward(Tensor x)
    {
        using var scope = NewDisposeScope();
        x = x + attn.call(norm1.call(x));
        return (x + mlp.call(norm2.call(x))).MoveToOuterDisposeScope();
    }
}

/// <summary>Attention of the patches to each other.</summary>
internal sealed class SigLipAttention : nn.Module<Tensor, Tensor>
{
    private readonly int heads;
    private readonly LinearLayer qkv, proj;

    public SigLipAttention(SigLipVisionConfig config) : base(nameof(SigLipAttention))
    {
        (heads, qkv, proj) = (config.Heads, Layers.Linear(config.Width, 3 * config.Width), Layers.Linear(config.Width, config.Width));
        RegisterComponents();
    }

    public override Tensor forward(Tensor x)
    {
        var parts = qkv.call(x).chunk(3, dim: -1);
        return proj.call(nn.functional.scaled_dot_product_attention(
            parts[0].SplitHeads(heads), parts[1].SplitHeads(heads), parts[2].SplitHeads(heads)).MergeHeads());
    }
}

/// <summary>Two-layer perceptron in timm's names.</summary>
internal sealed class SigLipMlp : nn.Module<Tensor, Tensor>
{
    private readonly LinearLayer fc1, fc2;
    private readonly Func<Tensor, Tensor> activation;

    public SigLipMlp(SigLipVisionConfig config) : base(nameof(SigLipMlp))
    {
        var inner = (long)(config.Width * config.MlpRatio);
        (fc1, fc2) = (Layers.Linear(config.Width, inner), Layers.Linear(inner, config.Width));
        activation = (config.TanhGelu ? ClipActivation.TanhGelu : ClipActivation.Gelu).Function();
        RegisterComponents();
    }

    public override Tensor forward(Tensor x) => fc2.call(activation(fc1.call(x)));
}

/// <summary>A learnt query looks at all patches (timm, layers/attention_pool.py, AttentionPoolLatent).</summary>
internal sealed class SigLipPool : nn.Module<Tensor, Tensor>
{
    private readonly int heads;
    private readonly Parameter latent;
    private readonly LinearLayer q, kv, proj;
    private readonly LayerNormLayer norm;
    private readonly SigLipMlp mlp;

    public SigLipPool(SigLipVisionConfig config) : base(nameof(SigLipPool))
    {
        heads = config.Heads;
        latent = WeightInit.Normal(Math.Pow(config.Width, -0.5), 1, 1, config.Width);
        (q, kv, proj) = (Layers.Linear(config.Width, config.Width), Layers.Linear(config.Width, 2 * config.Width), Layers.Linear(config.Width, config.Width));
        (norm, mlp) = (Layers.LayerNorm(config.Width, SigLipBlock.Eps), new SigLipMlp(config));
        RegisterComponents();
    }

    /// <param name="x">[batch, patches, width]</param>
    /// <returns>[batch, width]</returns>
    public override Tensor forward(Tensor x)
    {
        using var scope = NewDisposeScope();
        var query = q.call(latent.As(x)).expand(x.shape[0], -1, -1);
        var parts = kv.call(x).chunk(2, dim: -1);
        var pooled = proj.call(nn.functional.scaled_dot_product_attention(
            query.SplitHeads(heads), parts[0].SplitHeads(heads), parts[1].SplitHeads(heads)).MergeHeads());
        return (pooled + mlp.call(norm.call(pooled))).squeeze(1).MoveToOuterDisposeScope();
    }
}
