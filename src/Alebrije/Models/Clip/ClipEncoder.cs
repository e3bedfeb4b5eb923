using Alebrije.Nn;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Alebrije.Models.Clip;

/// <summary>Residual attention blocks of CLIP's towers (Radford et al., 2021, §2.4), with transformers' names.</summary>
internal sealed class ClipEncoder : nn.Module
{
    private readonly ModuleList<ClipEncoderLayer> layers;

    public ClipEncoder(ClipBlockForm form, int count) : base(nameof(ClipEncoder))
    {
        layers = new ModuleList<ClipEncoderLayer>([.. Enumerable.Range(0, count).Select(_ => new ClipEncoderLayer(form))]);
        RegisterComponents();
    }

    /// <param name="x">[batch, tokens, width]</param>
    /// <param name="mask">Additive attention mask [batch, 1, tokens, tokens] or null; excludes <paramref name="causal"/>.</param>
    /// <param name="causal">True if a token attends only to itself and earlier ones.</param>
    /// <returns>The last hidden state and the one before it, both [batch, tokens, width].</returns>
    public (Tensor Last, Tensor Penultimate) Encode(Tensor x, Tensor? mask, bool causal)
    {
        var (last, penultimate) = (x, x);
        foreach (var layer in layers) (penultimate, last) = (last, layer.Forward(last, mask, causal));
        return (last, penultimate);
    }

    /// <summary>Hidden state before the last blocks.</summary>
    /// <param name="x">[batch, tokens, width]</param>
    /// <param name="skip">Number of omitted blocks.</param>
    /// <param name="causal">True if a token attends only to itself and earlier ones.</param>
    /// <returns>[batch, tokens, width]</returns>
    /// <exception cref="ArgumentException">There are fewer blocks.</exception>
    public Tensor EncodeWithout(Tensor x, int skip, bool causal)
    {
        if (skip < 0 || skip > layers.Count)
            throw new ArgumentException($"{skip} blocks of the text encoder cannot be skipped; it has {layers.Count}.");
        using var scope = NewDisposeScope();
        var hidden = x.alias();
        foreach (var layer in layers.Take(layers.Count - skip)) hidden = layer.Forward(hidden, null, causal);
        return hidden.MoveToOuterDisposeScope();
    }

    /// <summary>The layers of every block, first to last.</summary>
    public IEnumerable<BlockWeights> Weights() => layers.Select(layer => layer.Weights());
}

/// <summary>Form of the blocks of a tower.</summary>
/// <param name="Width">Width of a token.</param>
/// <param name="Inner">Inner width of the perceptron.</param>
/// <param name="Heads">Number of heads; they divide the width.</param>
/// <param name="HiddenAct">Activation of the perceptron, by transformers' name.</param>
/// <param name="Eps">Epsilon of the norms.</param>
internal sealed record ClipBlockForm(int Width, int Inner, int Heads, string HiddenAct, double Eps)
{
    /// <summary>The activation; QuickGELU and GELU are distinguished by name, never inferred.</summary>
    public GeluForm Activation => HiddenAct switch
    {
        "quick_gelu" => GeluForm.Quick,
        "gelu" => GeluForm.Exact,
        "gelu_pytorch_tanh" => GeluForm.Tanh,
        _ => throw new NotSupportedException(
            $"hidden_act '{HiddenAct}' is unknown; CLIP checkpoints use quick_gelu, gelu or gelu_pytorch_tanh."),
    };
}

/// <summary><c>x += attn(ln1(x)); x += mlp(ln2(x))</c>.</summary>
internal sealed class ClipEncoderLayer : nn.Module
{
    private readonly ClipAttention self_attn;
    private readonly LayerNormLayer layer_norm1, layer_norm2;
    private readonly ClipMlp mlp;
    private readonly ClipBlockForm form;

    public ClipEncoderLayer(ClipBlockForm form) : base(nameof(ClipEncoderLayer))
    {
        this.form = form;
        self_attn = new ClipAttention(form.Width, form.Heads);
        layer_norm1 = Layers.LayerNorm(form.Width, form.Eps);
        mlp = new ClipMlp(form);
        layer_norm2 = Layers.LayerNorm(form.Width, form.Eps);
        RegisterComponents();
    }

    /// <param name="x">[batch, tokens, width]</param>
    /// <param name="mask">Additive mask or null.</param>
    /// <param name="causal">True if attention is causal.</param>
    /// <returns>[batch, tokens, width]</returns>
    public Tensor Forward(Tensor x, Tensor? mask, bool causal)
    {
        using var scope = NewDisposeScope();
        var h = x + self_attn.Forward(layer_norm1.call(x), mask, causal);
        return (h + mlp.call(layer_norm2.call(h))).MoveToOuterDisposeScope();
    }

    /// <summary>The block's layers.</summary>
    public BlockWeights Weights() => new(layer_norm1, layer_norm2, self_attn.OutProjection, mlp.First, mlp.Second)
    {
        Heads = form.Heads, Activation = form.Activation, InProjections = self_attn.InProjections,
    };
}

/// <summary>Multi-head attention with separate projections, as transformers stores them.</summary>
internal sealed class ClipAttention : nn.Module
{
    private readonly LinearLayer q_proj, k_proj, v_proj, out_proj;
    private readonly int heads;

    /// <param name="width">Width of a query.</param>
    /// <param name="heads">Number of heads; they divide the width.</param>
    /// <param name="contextWidth">Width of the context tokens; null: that of a query.</param>
    public ClipAttention(int width, int heads, int? contextWidth = null) : base(nameof(ClipAttention))
    {
        this.heads = (int)AttentionSizes.Split(width, heads).Heads;
        q_proj = Layers.Linear(width, width);
        k_proj = Layers.Linear(contextWidth ?? width, width);
        v_proj = Layers.Linear(contextWidth ?? width, width);
        out_proj = Layers.Linear(width, width);
        RegisterComponents();
    }

    public LinearLayer OutProjection => out_proj;

    public (LinearLayer Q, LinearLayer K, LinearLayer V) InProjections => (q_proj, k_proj, v_proj);

    /// <summary>Self-attention; the probabilities can be recorded.</summary>
    /// <param name="x">[batch, tokens, width]</param>
    /// <param name="mask">Additive mask or null.</param>
    /// <param name="causal">True if attention is causal.</param>
    /// <returns>[batch, tokens, width]</returns>
    public Tensor Forward(Tensor x, Tensor? mask, bool causal)
    {
        var (q, k, v) = Project(x, x);
        return out_proj.call(RecordedAttention.Attend(q, k, v, mask, causal).MergeHeads());
    }

    /// <summary>Attention of queries to another sequence.</summary>
    /// <param name="queries">[batch, queries, width]</param>
    /// <param name="context">[batch, tokens, context width]</param>
    /// <returns>[batch, queries, width]</returns>
    public Tensor Pool(Tensor queries, Tensor context)
    {
        var (q, k, v) = Project(queries, context);
        return out_proj.call(nn.functional.scaled_dot_product_attention(q, k, v).MergeHeads());
    }

    private (Tensor Q, Tensor K, Tensor V) Project(Tensor queries, Tensor context) =>
        (q_proj.call(queries).SplitHeads(heads), k_proj.call(context).SplitHeads(heads), v_proj.call(context).SplitHeads(heads));
}

/// <summary>The two-layer perceptron of a block.</summary>
internal sealed class ClipMlp : nn.Module<Tensor, Tensor>
{
    private readonly LinearLayer fc1, fc2;
    private readonly Func<Tensor, Tensor> activation;

    public ClipMlp(ClipBlockForm form) : base(nameof(ClipMlp))
    {
        fc1 = Layers.Linear(form.Width, form.Inner);
        fc2 = Layers.Linear(form.Inner, form.Width);
        activation = form.Activation.Function();
        RegisterComponents();
    }

    public LinearLayer First => fc1;

    public LinearLayer Second => fc2;

    public override Tensor forward(Tensor x) => fc2.call(activation(fc1.call(x)));
}
