using Alebrije.Nn;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Alebrije.Models.Clip;

/// <summary>Form of a stack of blocks.</summary>
/// <param name="Width">Features of a token.</param>
/// <param name="Heads">Heads; they divide the width.</param>
/// <param name="Count">Blocks.</param>
internal sealed record OpenClipStack(int Width, int Heads, int Count)
{
    /// <summary>Features of the perceptron through those of a token, rounded down.</summary>
    public double MlpRatio { get; init; } = 4;

    /// <summary>Activation of the perceptron.</summary>
    public ClipActivation Activation { get; init; }

    /// <summary>Epsilon of the norms.</summary>
    public double Eps { get; init; } = 1e-5;

    /// <summary>Initial scale of what a block adds, or null.</summary>
    public double? LayerScale { get; init; }

    /// <summary>The activation that a config asks for; it is never guessed.</summary>
    /// <param name="quick">Whether it is QuickGELU.</param>
    /// <param name="arguments">Arguments of GELU: <c>approximate</c>.</param>
    /// <param name="tower">What messages call the tower.</param>
    /// <exception cref="ArgumentException">The arguments are none of the activation's.</exception>
    public static ClipActivation ActivationOf(bool quick, Dictionary<string, string> arguments, string tower)
    {
        if (arguments.Any(pair => pair is not { Key: "approximate", Value: "tanh" or "none" }))
            throw new ArgumentException($"The act_kwargs of {tower} may hold approximate (tanh or none) alone.");
        if (quick && arguments.Count > 0) throw new ArgumentException($"{char.ToUpperInvariant(tower[0])}{tower[1..]} has act_kwargs, which QuickGELU (quick_gelu) does not take.");
        return quick ? ClipActivation.QuickGelu : arguments.GetValueOrDefault("approximate") == "tanh" ? ClipActivation.TanhGelu : ClipActivation.Gelu;
    }

    /// <summary>Epsilon of the norms that a config asks for.</summary>
    /// <param name="arguments">Arguments of the norms: <c>eps</c>.</param>
    /// <param name="tower">What messages call the tower.</param>
    /// <exception cref="ArgumentException">There are other arguments.</exception>
    public static double EpsOf(Dictionary<string, double> arguments, string tower) => arguments.Keys.All(key => key == "eps") ? arguments.GetValueOrDefault("eps", 1e-5)
        : throw new ArgumentException($"The norm_kwargs of {tower} may hold eps alone.");
}

/// <summary>Blocks in OpenAI's names (openai/CLIP, model.py, Transformer).</summary>
internal sealed class OpenClipTransformer : nn.Module
{
    private readonly ModuleList<OpenClipBlock> resblocks;

    public OpenClipTransformer(OpenClipStack form) : base(nameof(OpenClipTransformer))
    {
        if (form.Heads < 1 || form.Width % form.Heads != 0) throw new ArgumentException($"A width of {form.Width} cannot be split into {form.Heads} heads.");
        resblocks = new ModuleList<OpenClipBlock>([.. Enumerable.Range(0, form.Count).Select(_ => new OpenClipBlock(form))]);
        RegisterComponents();
    }

    /// <param name="x">[batch, tokens, width]</param>
    /// <param name="causal">Whether a token sees only itself and those before it.</param>
    /// <returns>As the input.</returns>
    public Tensor Encode(Tensor x, bool causal)
    {
        foreach (var block in resblocks) x = block.Forward(x, causal);
        return x;
    }

    /// <summary>The tensors of every block, first to last, made when asked for.</summary>
    public IEnumerable<ClipBlockWeights> Weights() => resblocks.Select(block => block.Weights());
}

/// <summary><c>x += ls_1(attn(ln_1(x))); x += ls_2(mlp(ln_2(x)))</c>.</summary>
internal sealed class OpenClipBlock : nn.Module
{
    private readonly LayerNormLayer ln_1, ln_2;
    private readonly OpenClipAttention attn;
    private readonly OpenClipMlp mlp;
    private readonly OpenClipLayerScale? ls_1, ls_2;
    private readonly OpenClipStack form;

    public OpenClipBlock(OpenClipStack form) : base(nameof(OpenClipBlock))
    {
        this.form = form;
        ln_1 = Layers.LayerNorm(form.Width, form.Eps);
        attn = new OpenClipAttention(form.Width, form.Heads);
        ln_2 = Layers.LayerNorm(form.Width, form.Eps);
        mlp = new OpenClipMlp(form);
        if (form.LayerScale is { } scale) (ls_1, ls_2) = (new OpenClipLayerScale(form.Width, scale), new OpenClipLayerScale(form.Width, scale));
        RegisterComponents();
    }

    public Tensor Forward(Tensor x, bool causal)
    {
        using var scope = NewDisposeScope();
        var attended = attn.Forward(ln_1.call(x), causal);
        x = x + (ls_1 is null ? attended : ls_1.call(attended));
        var changed = mlp.call(ln_2.call(x));
        return (x + (ls_2 is null ? changed : ls_2.call(changed))).MoveToOuterDisposeScope();
    }

    /// <summary>The block's tensors; a scale of its branches is multiplied into the matrices.</summary>
    public ClipBlockWeights Weights() => new(form.Heads, form.Eps, form.Activation)
    {
        Norm1 = ln_1.Pair, InProjection = attn.InProjection, OutProjection = Scaled(attn.OutProjection.Pair, ls_1),
        Norm2 = ln_2.Pair, Widen = mlp.First.Pair, Narrow = Scaled(mlp.Second.Pair, ls_2),
    };

    private static (Tensor Weight, Tensor Bias) Scaled((Tensor Weight, Tensor Bias) layer, OpenClipLayerScale? scale) =>
        scale is null ? layer : (layer.Weight * scale.Gamma.unsqueeze(1), layer.Bias * scale.Gamma);
}

/// <summary>Multi-head attention of a sequence to itself with queries, keys and values in one matrix (torch.nn.MultiheadAttention's names).</summary>
internal sealed class OpenClipAttention : nn.Module
{
    private readonly int heads;
    private readonly Parameter in_proj_weight, in_proj_bias;
    private readonly LinearLayer out_proj;

    public OpenClipAttention(int width, int heads) : base(nameof(OpenClipAttention))
    {
        this.heads = heads;
        in_proj_weight = WeightInit.Normal(Math.Pow(width, -0.5), 3 * width, width);
        in_proj_bias = WeightInit.Constant(0, 3 * width);
        out_proj = Layers.Linear(width, width);
        RegisterComponents();
    }

    public (Tensor Weight, Tensor Bias) InProjection => (in_proj_weight, in_proj_bias);

    public LinearLayer OutProjection => out_proj;

    public Tensor Forward(Tensor x, bool causal)
    {
        var parts = nn.functional.linear(x, in_proj_weight.As(x), in_proj_bias.As(x)).chunk(3, dim: -1);
        var (q, k, v) = (parts[0].SplitHeads(heads), parts[1].SplitHeads(heads), parts[2].SplitHeads(heads));
        return out_proj.call(RecordedAttention.Attend(q, k, v, mask: null, causal).MergeHeads());
    }
}

/// <summary>The two-layer perceptron of a block.</summary>
internal sealed class OpenClipMlp : nn.Module<Tensor, Tensor>
{
    private readonly LinearLayer c_fc, c_proj;
    private readonly Func<Tensor, Tensor> activation;

    public OpenClipMlp(OpenClipStack form) : base(nameof(OpenClipMlp))
    {
        var inner = (long)(form.Width * form.MlpRatio);
        (c_fc, c_proj, activation) = (Layers.Linear(form.Width, inner), Layers.Linear(inner, form.Width), form.Activation.Function());
        RegisterComponents();
    }

    public LinearLayer First => c_fc;

    public LinearLayer Second => c_proj;

    public override Tensor forward(Tensor x) => c_proj.call(activation(c_fc.call(x)));
}

/// <summary>A learnt scale for each feature (Touvron et al., 2021).</summary>
internal sealed class OpenClipLayerScale : nn.Module<Tensor, Tensor>
{
    private readonly Parameter gamma;

    public OpenClipLayerScale(int width, double initial) : base(nameof(OpenClipLayerScale))
    {
        gamma = WeightInit.Constant(initial, width);
        RegisterComponents();
    }

    public Parameter Gamma => gamma;

    public override Tensor forward(Tensor x) => x * gamma.As(x);
}
