using Alebrije.Nn;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Alebrije.Models.UNets;

/// <summary>Form of an <see cref="AddedKvAttention"/>.</summary>
/// <param name="HeadWidth">Width of one head; the number of heads is a level's channels divided by this.</param>
/// <param name="ContextWidth">Width of the text encodings.</param>
internal sealed record AddedKvForm(int HeadWidth, int ContextWidth)
{
    /// <summary>Groups of the normalisation.</summary>
    public int Groups { get; init; } = 32;

    /// <summary>True if positions attend to the text alone, not to each other.</summary>
    public bool OnlyContext { get; init; }

    /// <summary>Normalisation of the text before its keys and values: group_norm, layer_norm or null.</summary>
    public string? ContextNorm { get; init; }

    /// <summary>Dropout probability of the output.</summary>
    public double Dropout { get; init; }

    /// <summary>Sizes of the attention at a level with these channels.</summary>
    /// <exception cref="ArgumentException">The head's width does not divide the channels.</exception>
    public AttentionSizes Of(int channels) => HeadWidth > 0 && channels % HeadWidth == 0
        ? new AttentionSizes(channels / HeadWidth, HeadWidth) { Bias = true }
        : throw new ArgumentException(
            $"{channels} channels cannot be split into heads of {HeadWidth}: attention_head_dim must divide block_out_channels.");
}

/// <summary>
/// Attention of an image's positions to the text and to each other in one softmax: keys and values of the text come first, then those of
/// the positions (Nichol et al., 2022, GLIDE, §4.1; diffusers, models/attention_processor.py, AttnAddedKVProcessor).
/// </summary>
internal sealed class AddedKvAttention : nn.Module<Tensor, UNetContext, Tensor>
{
    /// <summary>Groups of the text's normalisation, fixed in the reference.</summary>
    private const int ContextGroups = 32;

    private readonly AttentionSizes sizes;
    private readonly double dropout;
    private readonly GroupNormLayer group_norm;
    private readonly nn.Module<Tensor, Tensor>? norm_cross;
    private readonly LinearLayer to_q, add_k_proj, add_v_proj;
    private readonly LinearLayer? to_k, to_v;
    private readonly ModuleList<LinearLayer> to_out;

    public AddedKvAttention(int channels, AddedKvForm form) : base(nameof(AddedKvAttention))
    {
        (sizes, dropout) = (form.Of(channels), form.Dropout);
        group_norm = Layers.GroupNorm(form.Groups, channels);
        norm_cross = form.ContextNorm switch
        {
            null => null,
            "group_norm" => Layers.GroupNorm(ContextGroups, form.ContextWidth),
            "layer_norm" => Layers.LayerNorm(form.ContextWidth),
            var other => throw new ArgumentException(
                $"cross_attention_norm \"{other}\" is not supported: it must be group_norm, layer_norm or null."),
        };
        to_q = Layers.Linear(channels, sizes.Inner);
        if (!form.OnlyContext) (to_k, to_v) = (Layers.Linear(channels, sizes.Inner), Layers.Linear(channels, sizes.Inner));
        add_k_proj = Layers.Linear(form.ContextWidth, sizes.Inner);
        add_v_proj = Layers.Linear(form.ContextWidth, sizes.Inner);
        to_out = new ModuleList<LinearLayer>(Layers.Linear(sizes.Inner, channels));
        RegisterComponents();
    }

    /// <param name="x">[batch, channels, h, w]</param>
    /// <param name="context">The text, and its padding's term of the scores.</param>
    /// <returns>As the input.</returns>
    /// <exception cref="ArgumentException">The context has no text.</exception>
    public override Tensor forward(Tensor x, UNetContext context)
    {
        using var scope = NewDisposeScope();
        var text = Normalised(context.Text
            ?? throw new ArgumentException("This network attends to text or image tokens, but none were given."));
        var positions = group_norm.call(x.flatten(2)).transpose(1, 2);                                        // [batch, h·w, channels]
        var (keys, values) = (add_k_proj.call(text), add_v_proj.call(text));
        var bias = context.TextBias;                                                                          // [batch, 1, 1, tokens]
        if (to_k is not null)
        {
            // [batch, tokens + h·w, inner]
            keys = cat([keys, to_k.call(positions)], dim: 1);
            values = cat([values, to_v!.call(positions)], dim: 1);
            if (bias is not null) bias = nn.functional.pad(bias, (0, positions.shape[1]));
        }

        var attended = Attention.Attend((to_q.call(positions), keys, values), sizes, bias);
        var back = to_out[0].call(attended).Drop(dropout, training).ToFeatureMap(x.shape[2], x.shape[3]);
        return (x + back).MoveToOuterDisposeScope();
    }

    private Tensor Normalised(Tensor text) => norm_cross switch
    {
        null => text,
        GroupNormLayer norm => norm.call(text.transpose(1, 2)).transpose(1, 2),
        var norm => norm.call(text),
    };
}
