using Alebrije.Nn;
using Alebrije.Weights;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Alebrije.Models.Flamingo;

/// <summary>Attention of one call, recorded for display.</summary>
internal sealed class FlamingoRecord
{
    /// <summary>By layer with a gated block: [batch, heads, tokens, images · latents].</summary>
    public Dictionary<int, Tensor> Cross { get; } = [];
}

/// <summary>
/// Flamingo without its image tower (Alayrac et al., 2022): resampler, and a causal language model with gated cross-attention blocks
/// between its layers (open_flamingo, src/flamingo.py and src/flamingo_lm.py). Its names are those of OpenFlamingo's checkpoints and,
/// below <c>lang_encoder</c>, of the language model's own files.
/// </summary>
internal sealed class FlamingoNetwork : nn.Module
{
    private readonly FlamingoConfig config;
    private readonly PerceiverResampler perceiver;
    private readonly nn.Module lang_encoder;

    /// <param name="config">Sizes of the trained networks.</param>
    /// <param name="language">Sizes of the language model.</param>
    /// <param name="mediaWidth">Width of a patch of the image tower.</param>
    public FlamingoNetwork(FlamingoConfig config, LanguageConfig language, long mediaWidth) : base(nameof(FlamingoNetwork))
    {
        this.config = config;
        if (config.CrossAttnEveryNLayers < 1)
            throw new ArgumentException($"cross_attn_every_n_layers is {config.CrossAttnEveryNLayers}; it must be at least 1.");
        perceiver = new PerceiverResampler(config, mediaWidth);
        lang_encoder = language.Build(
            i => (i + 1) % config.CrossAttnEveryNLayers == 0 ? new GatedCrossAttention(config, language.Width, mediaWidth) : null);
        RegisterComponents();
    }

    /// <summary>Prefix of the language model's tensors.</summary>
    public const string LanguagePrefix = "lang_encoder.";

    /// <summary>Latents of an image.</summary>
    public int Latents => config.Latents;

    /// <summary>The language model.</summary>
    public ICausalLanguageModel Language => (ICausalLanguageModel)lang_encoder;

    /// <summary>Id of <c>&lt;image&gt;</c>.</summary>
    public required int MediaToken { get; init; }

    /// <summary>The trained parameters: resampler and gated blocks.</summary>
    public IEnumerable<(string Name, Parameter Parameter)> Trained() =>
        named_parameters().Where(p => IsTrained(p.name)).Select(p => (p.name, p.parameter));

    /// <summary>True for names of the resampler and of gated blocks.</summary>
    public static bool IsTrained(string name) => !name.StartsWith(LanguagePrefix, StringComparison.Ordinal)
        || name.Contains(".gated_cross_attn_layer.", StringComparison.Ordinal);

    /// <summary>Packs all matrices for inference: one token at a time reads each of them once.</summary>
    /// <param name="quantised">True holds the language model's own matrices as 8-bit integers.</param>
    public void Pack(bool quantised)
    {
        foreach (var (name, module) in named_modules())
            if (module is LinearLayer layer) layer.Pack(quantised && !IsTrained(name + ".") ? ScalarType.Int8 : null);
        Language.PackTable();
    }

    /// <inheritdoc cref="PerceiverResampler.Resample"/>
    public Tensor Resample(Tensor patches, Action<Tensor>? seen = null) => perceiver.Resample(patches, seen);

    /// <summary>Logits of tokens that follow those of the cache.</summary>
    /// <param name="ids">[batch, tokens] int64</param>
    /// <param name="media">Resampled images, [batch, images, latents, width], or null.</param>
    /// <param name="mask">[batch, all tokens], 1 for visible tokens, 0 for padding; null: all are visible.</param>
    /// <param name="cache">Earlier tokens; extended by these. Null: there are none.</param>
    /// <param name="options">Parts to compute and to record.</param>
    /// <param name="type">Number format of the layers; null: that of the weights.</param>
    /// <returns>[batch, tokens, vocabulary], or [batch, 1, vocabulary] of the last ones.</returns>
    public Tensor Predict(
        Tensor ids, Tensor? media, Tensor? mask = null, FlamingoCache? cache = null,
        (bool LastOnly, FlamingoRecord? Record) options = default, ScalarType? type = null)
    {
        using var scope = NewDisposeScope();
        var x = Language.Embed(ids);
        if (type is { } wanted) x = x.to(wanted);
        var visible = mask ?? Visible(ids, cache);
        var times = ids.eq(MediaToken).to(ScalarType.Int64).cumsum(1);                       // [batch, tokens]: images up to here
        if (cache?.Images is { } before) times = times + before;
        var (context, images) = (Language.Context(x, visible, cache), Context(x, media, times));
        var layers = Language.Decoders;
        for (var i = 0; i < layers.Count; i++)
        {
            if (layers[i].Gate is { } gate) x = gate.Run(x, images, cache?.Media, Recorder(options.Record, i));
            x = layers[i].Run(x, context);
        }

        cache?.Advance(visible, times.narrow(1, times.shape[1] - 1, 1));
        if (options.LastOnly) x = x.narrow(1, x.shape[1] - 1, 1);
        return Language.Predict(x).MoveToOuterDisposeScope();
    }

    /// <summary>Cross-entropy of the next tokens, averaged over those with a label.</summary>
    /// <param name="logits">[batch, tokens, vocabulary]</param>
    /// <param name="labels">[batch, tokens] int64 ids of the same tokens; -100: without a label.</param>
    /// <returns>A scalar.</returns>
    public static Tensor Loss(Tensor logits, Tensor labels)
    {
        using var scope = NewDisposeScope();
        var tokens = logits.shape[1] - 1;
        var (predicted, next) = (logits.narrow(1, 0, tokens).flatten(0, 1), labels.narrow(1, 1, tokens).reshape(-1));
        return nn.functional.cross_entropy(predicted.to(ScalarType.Float32), next, ignore_index: -100).MoveToOuterDisposeScope();
    }

    private static Tensor Visible(Tensor ids, FlamingoCache? cache)
    {
        var ones = torch.ones(ids.shape, dtype: ScalarType.Int64, device: ids.device);
        return cache?.Mask is { } earlier ? cat([earlier, ones], dim: 1) : ones;
    }

    /// <summary>Each token attends to the image whose number equals the count of <c>&lt;image&gt;</c> up to it.</summary>
    private static MediaContext Context(Tensor x, Tensor? media, Tensor times)
    {
        var any = times.gt(0).unsqueeze(-1).to(x.dtype);
        if (media is null) return new MediaContext(null, any, any);
        var numbers = arange(1, media.shape[1] + 1, device: x.device).repeat_interleave(media.shape[2]);
        var others = times.unsqueeze(1).unsqueeze(-1).ne(numbers);                           // [batch, 1, tokens, images · latents]
        return new MediaContext(media, CausalMask.Hide(zeros(others.shape, dtype: x.dtype, device: x.device), others), any);
    }

    private static Action<Tensor>? Recorder(FlamingoRecord? record, int layer) =>
        record is null ? null : seen => record.Cross[layer] = seen.detach().to(ScalarType.Float32).DetachFromDisposeScope();
}
