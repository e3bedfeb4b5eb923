using Alebrije.Nn;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Alebrije.Models.Guesses;

/// <summary>config.json of a <see cref="FirstGuessModel"/>: a component specific to this project, absent from published folders.</summary>
internal sealed record FirstGuessConfig
{
    /// <summary>The class in config.json and in model_index.json.</summary>
    public const string ClassName = "FirstGuessModel";

    /// <summary>Name of the component's folder.</summary>
    public const string Component = "first_guess";

    /// <summary>Side of the latents.</summary>
    public int SampleSize { get; init; } = 16;

    /// <summary>Channels of the latents.</summary>
    public int OutChannels { get; init; } = 8;

    /// <summary>Width of the condition: image embedding and noise level code, half each, as in the denoiser's class embedding.</summary>
    public int ConditionDim { get; init; } = 512;

    /// <summary>Width of a text encoding.</summary>
    public int CrossAttentionDim { get; init; } = 256;

    /// <summary>Width of the vector that conditions all residual blocks.</summary>
    public int EmbeddingDim { get; init; } = 320;

    /// <summary>Channels of the levels, the coarsest first; each level has twice the side of the one before it.</summary>
    public int[] BlockOutChannels { get; init; } = [224, 128];

    /// <summary>Residual blocks of a level, each followed by attention to the text.</summary>
    public int LayersPerBlock { get; init; } = 1;

    /// <summary>Width of an attention head.</summary>
    public int AttentionHeadDim { get; init; } = 32;

    /// <summary>Side of the patch of latents that a position of the finest level predicts.</summary>
    public int PatchSize { get; init; } = 2;

    /// <summary>Groups of the normalisation.</summary>
    public int NormNumGroups { get; init; } = 32;

    /// <summary>Side of the coarsest level.</summary>
    internal int FirstSide => SampleSize / PatchSize >> (BlockOutChannels.Length - 1);

    /// <exception cref="ArgumentException">The sizes are inconsistent.</exception>
    internal void Check()
    {
        if (BlockOutChannels.Length == 0 || FirstSide < 1 || FirstSide << (BlockOutChannels.Length - 1) != SampleSize / PatchSize
            || SampleSize % PatchSize != 0)
            throw new ArgumentException($"{BlockOutChannels.Length} levels with patches of {PatchSize} "
                + $"do not lead to latents of side {SampleSize}: the side must be the patch times 2^(levels - 1) times a whole number.");
        if (BlockOutChannels.Any(channels => channels % AttentionHeadDim != 0))
            throw new ArgumentException(
                $"attention_head_dim {AttentionHeadDim} must divide block_out_channels {string.Join(", ", BlockOutChannels)}.");
    }
}

/// <summary>
/// Regression from image embedding and text to latents: the mean of a denoiser's samples, in one pass. The coarsest level is a linear map
/// of the conditions; residual blocks with scale and shift and attention to the text refine it while the side doubles. The output is
/// concatenated to the denoiser's noisy latents (as Kandinsky 2.2's ControlNet stacks its hint onto the sample), or decoded as it is.
/// </summary>
internal sealed class FirstGuessModel : nn.Module<Tensor, Tensor, Tensor>
{
    private const double Eps = 1e-5;

    private readonly LayerNormLayer embedding_norm;
    private readonly LinearLayer context_proj, linear_1, linear_2, proj_in;
    private readonly Parameter positions;
    private readonly ModuleList<FirstGuessLevel> levels;
    private readonly GroupNormLayer conv_norm_out;
    private readonly ConvolutionLayer conv_out;

    public FirstGuessModel(FirstGuessConfig config) : base(nameof(FirstGuessModel))
    {
        config.Check();
        Config = config;
        var channels = config.BlockOutChannels;
        embedding_norm = Layers.LayerNorm(config.ConditionDim / 2);
        context_proj = Layers.Linear(config.ConditionDim, config.CrossAttentionDim);
        linear_1 = Layers.Linear(config.ConditionDim + config.CrossAttentionDim, config.EmbeddingDim);
        linear_2 = Layers.Linear(config.EmbeddingDim, config.EmbeddingDim);
        proj_in = Layers.Linear(config.EmbeddingDim, channels[0] * config.FirstSide * config.FirstSide);
        positions = WeightInit.Normal(0.02, 1, channels[0], config.FirstSide, config.FirstSide);
        levels = new([.. channels.Select((output, i) =>
            new FirstGuessLevel(config, channels[Math.Max(i - 1, 0)], output, doubles: i > 0))]);
        conv_norm_out = Layers.GroupNorm(config.NormNumGroups, channels[^1], Eps);
        conv_out = Layers.Conv2d(channels[^1], config.OutChannels * config.PatchSize * config.PatchSize, 3, padding: 1);
        RegisterComponents();
    }

    /// <summary>Configuration of the network.</summary>
    public FirstGuessConfig Config { get; }

    /// <param name="condition">[batch, condition width]: image embedding on CLIP's scale and noise level code; zeros if omitted.</param>
    /// <param name="text">[batch, tokens, context width] text encodings.</param>
    /// <returns>[batch, out channels, side, side] scaled latents.</returns>
    public override Tensor forward(Tensor condition, Tensor text)
    {
        if (condition.dim() != 2 || condition.shape[1] != Config.ConditionDim)
            throw new ArgumentException(
                $"The condition is [{string.Join(", ", condition.shape)}], but the first guess takes [batch, {Config.ConditionDim}].");
        using var scope = NewDisposeScope();
        var halves = condition.chunk(2, dim: 1);
        var normed = cat([embedding_norm.call(halves[0]), halves[1]], dim: 1);                // [batch, condition width]
        var context = cat([context_proj.call(normed).unsqueeze(1), text], dim: 1);            // [batch, 1 + tokens, context width]
        var pooled = cat([normed, text.mean([1])], dim: 1);
        var embedding = linear_2.call(nn.functional.silu(linear_1.call(pooled)));             // [batch, embedding width]
        var side = Config.FirstSide;
        var x = proj_in.call(nn.functional.silu(embedding)).reshape(-1, Config.BlockOutChannels[0], side, side) + positions.As(condition);
        foreach (var level in levels) x = level.call(x, embedding, context);
        var patches = conv_out.call(nn.functional.silu(conv_norm_out.call(x)));               // [batch, channels * patch², h, w]
        return nn.functional.pixel_shuffle(patches, Config.PatchSize).MoveToOuterDisposeScope();
    }

    /// <summary>One level: residual blocks, each followed by attention to the text.</summary>
    private sealed class FirstGuessLevel : nn.Module<Tensor, Tensor, Tensor, Tensor>
    {
        private readonly ModuleList<ResnetBlock> resnets;
        private readonly ModuleList<Transformer2D> attentions;

        public FirstGuessLevel(FirstGuessConfig config, int input, int output, bool doubles) : base(nameof(FirstGuessLevel))
        {
            var form = new ResnetForm(config.NormNumGroups, Eps) { TimeWidth = config.EmbeddingDim, TimeScales = true };
            var attention = new TransformerForm(AttentionSizes.Split(output, output / config.AttentionHeadDim), config.CrossAttentionDim)
            {
                Groups = config.NormNumGroups, LinearProjection = true,
            };
            resnets = new([.. Enumerable.Range(0, config.LayersPerBlock)
                .Select(i => new ResnetBlock(i == 0 ? input : output, output, form, doubles && i == 0 ? Resample.Double : Resample.Keep))]);
            attentions = new([.. Enumerable.Range(0, config.LayersPerBlock).Select(_ => new Transformer2D(output, 1, attention))]);
            RegisterComponents();
        }

        public override Tensor forward(Tensor x, Tensor embedding, Tensor context)
        {
            using var scope = NewDisposeScope();
            for (var i = 0; i < resnets.Count; i++) x = attentions[i].call(resnets[i].call(x, embedding), context);
            return x.MoveToOuterDisposeScope();
        }
    }
}
