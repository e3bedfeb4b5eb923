using Alebrije.Nn;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Alebrije.Models.Guesses;

/// <summary>
/// First guess by convolutions: the coarsest level is a linear map of the conditions; residual blocks with scale and shift and attention
/// to the text refine it while the side doubles.
/// </summary>
internal sealed class ConvolutionGuess : FirstGuessModel
{
    private const double Eps = 1e-5;

    private readonly LinearLayer linear_1, linear_2, proj_in;
    private readonly Parameter positions;
    private readonly ModuleList<FirstGuessLevel> levels;
    private readonly GroupNormLayer conv_norm_out;
    private readonly ConvolutionLayer conv_out;

    public ConvolutionGuess(FirstGuessConfig config) : base(config)
    {
        var channels = config.BlockOutChannels;
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

    private protected override Tensor Guess(Tensor pooled, Tensor context)
    {
        var embedding = linear_2.call(nn.functional.silu(linear_1.call(pooled)));             // [batch, embedding width]
        var side = Config.FirstSide;
        var x = proj_in.call(nn.functional.silu(embedding)).reshape(-1, Config.BlockOutChannels[0], side, side) + positions.As(pooled);
        foreach (var level in levels) x = level.call(x, embedding, context);
        var patches = conv_out.call(nn.functional.silu(conv_norm_out.call(x)));               // [batch, channels * patch², h, w]
        return nn.functional.pixel_shuffle(patches, Config.PatchSize);
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
