using Alebrije.Nn;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Alebrije.Models.UNets;

/// <summary>What a denoiser is told besides the noisy picture and the step.</summary>
/// <param name="Text">[batch, tokens, context width]: the text encodings.</param>
internal sealed record UNetConditions(Tensor Text)
{
    /// <summary>[batch] int64 for a table; [batch, features] for a projection, as Stable unCLIP's noised image embedding and noise level.</summary>
    public Tensor? ClassLabels { get; init; }

    /// <summary>[batch, features]: SDXL's pooled text.</summary>
    public Tensor? TextEmbeds { get; init; }

    /// <summary>[batch, numbers]: SDXL's sizes and crops.</summary>
    public Tensor? TimeIds { get; init; }

    /// <summary>[batch, features]: the guidance scale's code of distilled networks.</summary>
    public Tensor? TimestepCondition { get; init; }
}

/// <summary>
/// Denoiser of Stable Diffusion and Stable unCLIP: residual blocks conditioned on time, transformers that look at the text, skips from the way
/// down to the way up (Rombach et al., 2022, §3.2-3.3; Ronneberger et al., 2015), as diffusers' models/unets/unet_2d_condition.py.
/// </summary>
internal sealed class UNet2DConditionModel : nn.Module<Tensor, Tensor, UNetConditions, Tensor>
{
    private readonly Func<Tensor, Tensor> activation;
    private readonly Func<Tensor, Tensor>? timeActivation;
    private readonly ConvolutionLayer conv_in, conv_out;
    private readonly TimestepEmbedding time_embedding;
    private readonly nn.Module? class_embedding;
    private readonly TimestepEmbedding? add_embedding;
    private readonly LinearLayer? encoder_hid_proj;
    private readonly ModuleList<DownLevel> down_blocks;
    private readonly MiddleLevel mid_block;
    private readonly ModuleList<UpLevel> up_blocks;
    private readonly GroupNormLayer conv_norm_out;

    public UNet2DConditionModel(UNet2DConditionConfig config) : base(nameof(UNet2DConditionModel))
    {
        Config = config;
        var levels = new UNetLevels(config);
        var (finest, form) = (config.BlockOutChannels[0], levels.Form);
        activation = Activation.Named(config.ActFn);
        timeActivation = config.TimeEmbeddingActFn is { } name ? Activation.Named(name) : null;
        conv_in = Layers.Conv2d(config.InChannels, finest, config.ConvInKernel, padding: (config.ConvInKernel - 1) / 2);
        time_embedding = new TimestepEmbedding(finest, (config.TimeWidth, config.TimeWidth), config.ActFn, config.TimestepPostAct, config.TimeCondProjDim);
        encoder_hid_proj = TextProjection(config);
        class_embedding = ClassEmbedding(config);
        add_embedding = FurtherEmbedding(config);
        down_blocks = new ModuleList<DownLevel>([.. levels.Down().Select(level => new DownLevel(level, form, config.DownsamplePadding))]);
        mid_block = new MiddleLevel(levels.Middle(), form with { OutputDivisor = config.MidBlockScaleFactor });
        up_blocks = new ModuleList<UpLevel>([.. levels.Up().Select(level => new UpLevel(level, form))]);
        conv_norm_out = Layers.GroupNorm(config.NormNumGroups, finest, config.NormEps);
        conv_out = Layers.Conv2d(finest, config.OutChannels, config.ConvOutKernel, padding: (config.ConvOutKernel - 1) / 2);
        RegisterComponents();
    }

    /// <summary>The config it was built from.</summary>
    public UNet2DConditionConfig Config { get; }

    /// <param name="sample">[batch, in channels, h, w]</param>
    /// <param name="steps">One step or [batch] of them.</param>
    /// <param name="conditions">Text and, where the config asks for them, class labels and more.</param>
    /// <returns>[batch, out channels, h, w]: noise, picture or velocity, as it was trained.</returns>
    public override Tensor forward(Tensor sample, Tensor steps, UNetConditions conditions)
    {
        if (sample.dim() != 4 || sample.shape[1] != Config.InChannels)
            throw new ArgumentException($"The sample is [{string.Join(", ", sample.shape)}], but the network takes [batch, {Config.InChannels}, h, w].");
        using var scope = NewDisposeScope();
        var text = encoder_hid_proj is null ? conditions.Text : encoder_hid_proj.call(conditions.Text);
        var context = new UNetContext(TimeEmbedding(steps, sample, conditions), text);

        var x = conv_in.call(Config.CenterInputSample ? (2 * sample) - 1 : sample);
        var skips = new Stack<Tensor>([x]);
        foreach (var level in down_blocks) x = level.call(x, context, skips);
        x = mid_block.call(x, context);
        foreach (var level in up_blocks) x = level.call(x, context, skips);
        return conv_out.call(activation(conv_norm_out.call(x))).MoveToOuterDisposeScope();
    }

    /// <summary>Step, class and further embeddings, [batch, time width].</summary>
    private Tensor TimeEmbedding(Tensor steps, Tensor sample, UNetConditions conditions)
    {
        var (batch, type) = (sample.shape[0], sample.dtype);
        var embedding = time_embedding.call(Code(Timesteps.ForBatch(steps, sample), Config.BlockOutChannels[0], type), conditions.TimestepCondition);
        if (ClassCode(conditions, type) is { } classes)
            embedding = Config.ClassEmbeddingsConcat ? cat([embedding, classes], dim: -1) : embedding + classes;
        if (add_embedding is not null)
        {
            var (pooled, numbers) = (conditions.TextEmbeds, conditions.TimeIds);
            if (pooled is null || numbers is null)
                throw new ArgumentException("addition_embed_type is \"text_time\", so the conditions must have the pooled text (text_embeds) and the size numbers (time_ids).");
            var codes = Code(numbers.reshape(-1), Config.AdditionTimeEmbedDim!.Value, type).reshape(batch, -1);   // [batch, numbers · code]
            embedding = embedding + add_embedding.call(cat([pooled.to(type), codes], dim: -1));
        }

        return timeActivation is null ? embedding : timeActivation(embedding);
    }

    private Tensor? ClassCode(UNetConditions conditions, ScalarType type)
    {
        if (class_embedding is null && Config.ClassEmbedType != "identity") return null;
        var labels = conditions.ClassLabels
            ?? throw new ArgumentException("The network's config asks for class labels (class_embed_type or num_class_embeds), but none were given.");
        return class_embedding switch
        {
            EmbeddingLayer table => table.call(labels).to(type),
            LinearLayer projection => projection.call(labels.to(type)),
            TimestepEmbedding code when Config.ClassEmbedType == "timestep" => code.call(Code(labels, Config.BlockOutChannels[0], type)),
            TimestepEmbedding projection => projection.call(labels.to(type)),
            _ => labels.to(type),
        };
    }

    private Tensor Code(Tensor steps, int width, ScalarType type) =>
        Timesteps.Encode(steps, width, Config.FlipSinToCos, Config.FreqShift).to(type);

    private static LinearLayer? TextProjection(UNet2DConditionConfig config)
    {
        if ((config.EncoderHidDimType ?? (config.EncoderHidDim is null ? null : "text_proj")) is not { } kind) return null;
        if (kind != "text_proj") throw new ArgumentException($"encoder_hid_dim_type \"{kind}\" is not known to this network: it must be text_proj or null.");
        return Layers.Linear(Required(config.EncoderHidDim, "encoder_hid_dim", kind), config.CrossAttentionDim[0]);
    }

    private static nn.Module? ClassEmbedding(UNet2DConditionConfig config) => config.ClassEmbedType switch
    {
        null => config.NumClassEmbeds is { } classes ? Layers.Embedding(classes, config.TimeWidth) : null,
        "identity" => null,
        "timestep" => new TimestepEmbedding(config.BlockOutChannels[0], (config.TimeWidth, config.TimeWidth), config.ActFn),
        "projection" => new TimestepEmbedding(
            Required(config.ProjectionClassEmbeddingsInputDim, "projection_class_embeddings_input_dim", "projection"), (config.TimeWidth, config.TimeWidth), "silu"),
        "simple_projection" => Layers.Linear(
            Required(config.ProjectionClassEmbeddingsInputDim, "projection_class_embeddings_input_dim", "simple_projection"), config.TimeWidth),
        var other => throw new ArgumentException($"class_embed_type \"{other}\" is not known: it must be timestep, identity, projection, simple_projection or null."),
    };

    private static TimestepEmbedding? FurtherEmbedding(UNet2DConditionConfig config)
    {
        if (config.AdditionEmbedType is not { } kind) return null;
        if (kind != "text_time") throw new ArgumentException($"addition_embed_type \"{kind}\" is not known to this network: it must be text_time or null.");
        Required(config.AdditionTimeEmbedDim, "addition_time_embed_dim", kind);
        return new TimestepEmbedding(
            Required(config.ProjectionClassEmbeddingsInputDim, "projection_class_embeddings_input_dim", kind), (config.TimeWidth, config.TimeWidth), "silu");
    }

    private static int Required(int? value, string key, string kind) =>
        value ?? throw new ArgumentException($"The config asks for \"{kind}\", so it must have {key} too.");
}
