using Alebrije.Nn;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Alebrije.Models.Guesses;

/// <summary>
/// First guess by objects: slots attend to the text, one network renders the latents and the mask of each slot, and the softmax of the
/// masks mixes them (Locatello et al., 2020, section 3.2). All slots share the network, but nothing makes one slot hold one object.
/// </summary>
internal sealed class SlotGuess : FirstGuessModel
{
    private readonly LayerNormLayer norm_out;
    private readonly LinearLayer query_proj, slot_in, pooled_in, proj_out;
    private readonly Parameter slot_embedding;
    private readonly TransformerBlock attention;
    private readonly ModuleList<LayerNormLayer> norms;
    private readonly ModuleList<LinearLayer> widen, narrow;

    public SlotGuess(FirstGuessConfig config) : base(config)
    {
        var (width, text) = (config.SlotWidth, config.CrossAttentionDim);
        query_proj = Layers.Linear(config.ConditionDim + text, text);
        slot_embedding = WeightInit.Normal(1, 1, config.Slots, text);
        var heads = AttentionSizes.Split(text, text / config.AttentionHeadDim);
        attention = new TransformerBlock(text, new TransformerBlockForm(heads with { ContextWidth = text }, null));
        slot_in = Layers.Linear(text, width);
        pooled_in = Layers.Linear(config.ConditionDim + text, width);
        norms = new([.. Enumerable.Range(0, config.SlotBlocks).Select(_ => Layers.LayerNorm(width))]);
        widen = new([.. Enumerable.Range(0, config.SlotBlocks).Select(_ => Layers.Linear(width, width))]);
        narrow = new([.. Enumerable.Range(0, config.SlotBlocks).Select(_ => Layers.Linear(width, width))]);
        norm_out = Layers.LayerNorm(width);
        proj_out = Layers.Linear(width, (config.OutChannels + 1) * config.SampleSize * config.SampleSize);
        RegisterComponents();
    }

    private protected override Tensor Guess(Tensor pooled, Tensor context)
    {
        var (width, side) = (Config.CrossAttentionDim, Config.SampleSize);
        var slots = nn.functional.layer_norm(slot_embedding.As(pooled), [width]) + query_proj.call(pooled).unsqueeze(1);
        slots = attention.call(slots, context, null);                                         // [batch, slots, context width]
        var x = slot_in.call(slots) + pooled_in.call(pooled).unsqueeze(1);                    // [batch, slots, width]
        for (var i = 0; i < norms.Count; i++)
            x = x + narrow[i].call(nn.functional.silu(widen[i].call(norms[i].call(x))));
        var drawn = proj_out.call(nn.functional.silu(norm_out.call(x)))
            .reshape(-1, Config.Slots, Config.OutChannels + 1, side, side);                   // the last channel is the mask
        var masks = drawn.narrow(2, Config.OutChannels, 1).softmax(1);
        return (drawn.narrow(2, 0, Config.OutChannels) * masks).sum(1);
    }
}
