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
}

/// <summary>What the blocks of a tower share: activation and epsilon of the norms.</summary>
internal sealed record ClipBlockOptions(string HiddenAct, double LayerNormEps)
{
    /// <summary>The activation; QuickGELU and GELU are told apart by name and never guessed.</summary>
    public Func<Tensor, Tensor> Activation => HiddenAct switch
    {
        "quick_gelu" => Nn.Activation.QuickGelu,
        "gelu" => x => nn.functional.gelu(x),
        _ => throw new NotSupportedException($"hidden_act '{HiddenAct}' is unknown; CLIP checkpoints use quick_gelu or gelu."),
    };
}

/// <summary><c>x += attn(ln1(x)); x += mlp(ln2(x))</c>.</summary>
internal sealed class ClipEncoderLayer : nn.Module
{
    private readonly ClipAttention self_attn;
    private readonly nn.Module<Tensor, Tensor> layer_norm1, layer_norm2;
    private readonly ClipMlp mlp;

    public ClipEncoderLayer(int width, int intermediate, int heads, ClipBlockOptions options) : base(nameof(ClipEncoderLayer))
    {
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
}

/// <summary>Multi-head self-attention with separate projections, as transformers stores them.</summary>
internal sealed class ClipAttention : nn.Module
{
    private readonly nn.Module<Tensor, Tensor> q_proj, k_proj, v_proj, out_proj;
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
    private readonly nn.Module<Tensor, Tensor> fc1, fc2;
    private readonly Func<Tensor, Tensor> activation;

    public ClipMlp(int width, int intermediate, ClipBlockOptions options) : base(nameof(ClipMlp))
    {
        fc1 = Layers.Linear(width, intermediate);
        fc2 = Layers.Linear(intermediate, width);
        activation = options.Activation;
        RegisterComponents();
    }

    public override Tensor forward(Tensor x) => fc2.call(activation(fc1.call(x)));
}
