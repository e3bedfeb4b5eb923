using Alebrije.Nn;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Alebrije.Models.Clip;

/// <summary>The stack of residual attention blocks that both towers of CLIP use (Radford et al., 2021, §2.4), in transformers' names.</summary>
internal sealed class ClipEncoder : nn.Module
{
    private readonly ModuleList<ClipEncoderLayer> layers;

    public ClipEncoder(int width, int intermediate, int heads, int count, ClipBlockOptions options) : base(nameof(ClipEncoder))
    {
        if (width % heads != 0) throw new ArgumentException($"hidden_size {width} is not divisible by num_attention_heads {heads}.");
        layers = new ModuleList<ClipEncoderLayer>(
            Enumerable.Range(0, count).Select(_ => new ClipEncoderLayer(width, intermediate, heads, options)).ToArray());
        RegisterComponents();
    }

    /// <param name="x">[batch, tokens, width]</param>
    /// <param name="mask">Additive attention mask [batch, 1, tokens, tokens] or null; excludes <paramref name="causal"/>.</param>
    /// <param name="causal">Whether a token sees only itself and those before it.</param>
    /// <returns>The last hidden state and the one before it, both [batch, tokens, width].</returns>
    public (Tensor Last, Tensor Penultimate) Encode(Tensor x, Tensor? mask, bool causal)
    {
        var (last, penultimate) = (x, x);
        foreach (var layer in layers) (penultimate, last) = (last, layer.Forward(last, mask, causal));
        return (last, penultimate);
    }

    /// <summary>The hidden state before the last blocks.</summary>
    /// <param name="x">[batch, tokens, width]</param>
    /// <param name="skip">How many of them are left out.</param>
    /// <param name="causal">Whether a token sees only itself and those before it.</param>
    /// <returns>[batch, tokens, width]</returns>
    /// <exception cref="ArgumentException">There are not so many blocks.</exception>
    public Tensor EncodeWithout(Tensor x, int skip, bool causal)
    {
        if (skip < 0 || skip > layers.Count) throw new ArgumentException($"{skip} of the text encoder's blocks were to be left out; it has {layers.Count}.");
        using var scope = NewDisposeScope();
        var hidden = x.alias();
        foreach (var layer in layers.Take(layers.Count - skip)) hidden = layer.Forward(hidden, null, causal);
        return hidden.MoveToOuterDisposeScope();
    }

    /// <summary>The tensors of every block, first to last, made when asked for.</summary>
    public IEnumerable<ClipBlockWeights> Weights() => layers.Select(layer => layer.Weights());
}

/// <summary>What the blocks of a tower share: activation and epsilon of the norms.</summary>
internal sealed record ClipBlockOptions(string HiddenAct, double LayerNormEps)
{
    /// <summary>The activation; QuickGELU and GELU are told apart by name and never guessed.</summary>
    public ClipActivation Activation => HiddenAct switch
    {
        "quick_gelu" => ClipActivation.QuickGelu,
        "gelu" => ClipActivation.Gelu,
        _ => throw new NotSupportedException($"hidden_act '{HiddenAct}' is unknown; CLIP checkpoints use quick_gelu or gelu."),
    };
}

/// <summary><c>x += attn(ln1(x)); x += mlp(ln2(x))</c>.</summary>
internal sealed class ClipEncoderLayer : nn.Module
{
    private readonly ClipAttention self_attn;
    private readonly LayerNormLayer layer_norm1, layer_norm2;
    private readonly ClipMlp mlp;
    private readonly ClipBlockOptions options;

    public ClipEncoderLayer(int width, int intermediate, int heads, ClipBlockOptions options) : base(nameof(ClipEncoderLayer))
    {
        this.options = options;
        self_attn = new ClipAttention(width, heads);
        layer_norm1 = Layers.LayerNorm(width, options.LayerNormEps);
        mlp = new ClipMlp(width, intermediate, options);
        layer_norm2 = Layers.LayerNorm(width, options.LayerNormEps);
        RegisterComponents();
    }

    /// <param name="x">[batch, tokens, width]</param>
    /// <param name="mask">Additive mask or null.</param>
    /// <param name="causal">Whether attention is causal.</param>
    /// <returns>[batch, tokens, width]</returns>
    public Tensor Forward(Tensor x, Tensor? mask, bool causal)
    {
        using var scope = NewDisposeScope();
        var h = x + self_attn.Forward(layer_norm1.call(x), mask, causal);
        return (h + mlp.call(layer_norm2.call(h))).MoveToOuterDisposeScope();
    }

    /// <summary>The block's tensors; the joined projection is new.</summary>
    public ClipBlockWeights Weights() => new(self_attn.Heads, options.LayerNormEps, options.Activation)
    {
        Norm1 = layer_norm1.Pair, InProjection = self_attn.InProjection(), OutProjection = self_attn.OutProjection.Pair,
        Norm2 = layer_norm2.Pair, Widen = mlp.First.Pair, Narrow = mlp.Second.Pair,
    };
}

/// <summary>Multi-head self-attention with separate projections, as transformers stores them.</summary>
internal sealed class ClipAttention : nn.Module
{
    private readonly LinearLayer q_proj, k_proj, v_proj, out_proj;
    private readonly int headCount;

    public ClipAttention(int width, int heads) : base(nameof(ClipAttention))
    {
        headCount = heads;
        q_proj = Layers.Linear(width, width);
        k_proj = Layers.Linear(width, width);
        v_proj = Layers.Linear(width, width);
        out_proj = Layers.Linear(width, width);
        RegisterComponents();
    }

    public int Heads => headCount;

    public LinearLayer OutProjection => out_proj;

    /// <returns>[3 · width, width] and [3 · width]</returns>
    public (Tensor Weight, Tensor Bias) InProjection() =>
        (cat([q_proj.Weight, k_proj.Weight, v_proj.Weight]), cat([q_proj.Bias!, k_proj.Bias!, v_proj.Bias!]));

    public Tensor Forward(Tensor x, Tensor? mask, bool causal)
    {
        var attended = RecordedAttention.Attend(SplitHeads(q_proj.call(x)), SplitHeads(k_proj.call(x)), SplitHeads(v_proj.call(x)), mask, causal);
        return out_proj.call(attended.transpose(1, 2).flatten(2));                           // [batch, tokens, width]
    }

    private Tensor SplitHeads(Tensor x) => x.view(x.shape[0], x.shape[1], headCount, -1).transpose(1, 2); // [batch, heads, tokens, width / heads]
}

/// <summary>The two-layer perceptron of a block.</summary>
internal sealed class ClipMlp : nn.Module<Tensor, Tensor>
{
    private readonly LinearLayer fc1, fc2;
    private readonly Func<Tensor, Tensor> activation;

    public ClipMlp(int width, int intermediate, ClipBlockOptions options) : base(nameof(ClipMlp))
    {
        fc1 = Layers.Linear(width, intermediate);
        fc2 = Layers.Linear(intermediate, width);
        activation = options.Activation.Function();
        RegisterComponents();
    }

    public LinearLayer First => fc1;

    public LinearLayer Second => fc2;

    public override Tensor forward(Tensor x) => fc2.call(activation(fc1.call(x)));
}
