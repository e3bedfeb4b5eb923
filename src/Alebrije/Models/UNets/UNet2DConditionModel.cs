using Alebrije.Nn;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Alebrije.Models.UNets;

/// <summary>Conditions of a denoiser besides the noisy sample and the step.</summary>
/// <param name="Text">[batch, tokens, context width]: the text encodings; null for networks conditioned on an image embedding
/// alone.</param>
internal sealed record UNetConditions(Tensor? Text)
{
    /// <summary>
    /// [batch, tokens], 1 for real tokens and 0 for padding; null attends to all. Used only by networks that resize in their residual
    /// blocks.
    /// </summary>
    public Tensor? TextMask { get; init; }

    /// <summary>[batch, features]: Kandinsky's image embedding.</summary>
    public Tensor? ImageEmbeds { get; init; }

    /// <summary>[batch, 3, 8h, 8w] in [0, 1]: the depth map of Kandinsky with a ControlNet.</summary>
    public Tensor? Hint { get; init; }

    /// <summary>
    /// [batch] int64 for a table; [batch, features] for a projection, as Stable unCLIP's noised image embedding and level.
    /// </summary>
    public Tensor? ClassLabels { get; init; }

    /// <summary>[batch, features]: the pooled text of SDXL and Kandinsky 2.1.</summary>
    public Tensor? TextEmbeds { get; init; }

    /// <summary>[batch, values]: SDXL's sizes and crops.</summary>
    public Tensor? TimeIds { get; init; }

    /// <summary>[batch, features]: the guidance scale's embedding, of distilled networks.</summary>
    public Tensor? TimestepCondition { get; init; }

    /// <summary>Casts every condition except ids and masks.</summary>
    public UNetConditions To(ScalarType type) => this with
    {
        Text = Text?.to(type), ImageEmbeds = ImageEmbeds?.to(type), Hint = Hint?.to(type), TextEmbeds = TextEmbeds?.to(type),
        TimestepCondition = TimestepCondition?.to(type),
        ClassLabels = ClassLabels is { } labels && labels.is_floating_point() ? labels.to(type) : ClassLabels,
    };
}

/// <summary>
/// Denoiser of Stable Diffusion and Stable unCLIP (Rombach et al., 2022, §3.2-3.3), of Karlo, Kandinsky and IF (Nichol et al., 2022; Ramesh
/// et al., 2022, §2.1): residual blocks conditioned on time, attention to the text or to an image embedding's tokens, skip connections
/// (Ronneberger et al., 2015), as diffusers' models/unets/unet_2d_condition.py.
/// </summary>
internal sealed class UNet2DConditionModel : nn.Module<Tensor, Tensor, UNetConditions, Tensor>
{
    private readonly Func<Tensor, Tensor> activation;
    private readonly Func<Tensor, Tensor>? timeActivation;
    private readonly ConvolutionLayer conv_in, conv_out;
    private readonly TimestepEmbedding time_embedding;
    private readonly nn.Module? class_embedding;
    private readonly nn.Module? add_embedding, encoder_hid_proj;
    private readonly ModuleList<DownLevel> down_blocks;
    private readonly MiddleLevel? mid_block;
    private readonly ModuleList<UpLevel> up_blocks;
    private readonly GroupNormLayer conv_norm_out;

    public UNet2DConditionModel(UNet2DConditionConfig config) : base(nameof(UNet2DConditionModel))
    {
        Config = config;
        var levels = new UNetLevels(config);
        var finest = config.BlockOutChannels[0];
        activation = Activation.Named(config.ActFn);
        timeActivation = config.TimeEmbeddingActFn is { } name ? Activation.Named(name) : null;
        conv_in = Layers.Conv2d(config.InChannels, finest, config.ConvInKernel, padding: (config.ConvInKernel - 1) / 2);
        time_embedding = new TimestepEmbedding(finest, (config.TimeWidth, config.TimeWidth),
            config.ActFn, config.TimestepPostAct, config.TimeCondProjDim);
        encoder_hid_proj = ContextProjection(config);
        class_embedding = ClassEmbedding(config);
        add_embedding = FurtherEmbedding(config);
        down_blocks = new([.. levels.Down().Select(level => new DownLevel(level, levels.FormOf(level), config.DownsamplePadding))]);
        if (levels.Middle() is { } middle) mid_block = new MiddleLevel(middle, levels.MiddleForm);
        up_blocks = new([.. levels.Up().Select(level => new UpLevel(level, levels.FormOf(level)))]);
        conv_norm_out = Layers.GroupNorm(config.NormNumGroups, finest, config.NormEps);
        conv_out = Layers.Conv2d(finest, config.OutChannels, config.ConvOutKernel, padding: (config.ConvOutKernel - 1) / 2);
        RegisterComponents();
    }

    /// <summary>Configuration of the network.</summary>
    public UNet2DConditionConfig Config { get; }

    /// <param name="sample">[batch, in channels, h, w], without the channels that a hint adds.</param>
    /// <param name="steps">One step or [batch] of them.</param>
    /// <param name="conditions">Text and, if the config requires them, class labels and more.</param>
    /// <returns>[batch, out channels, h, w]: noise, x0 or velocity, by the network's training.</returns>
    public override Tensor forward(Tensor sample, Tensor steps, UNetConditions conditions)
    {
        var channels = Config.InChannels - (add_embedding is ImageHintTimeEmbedding ? ImageHintTimeEmbedding.HintChannels : 0);
        if (sample.dim() != 4 || sample.shape[1] != channels)
            throw new ArgumentException(
                $"The sample is [{string.Join(", ", sample.shape)}], but the network takes [batch, {channels}, h, w].");
        using var scope = NewDisposeScope();
        var context = new UNetContext(TimeEmbedding(steps, sample, conditions), Context(conditions), TextBias(conditions, sample.dtype));
        if (add_embedding is ImageHintTimeEmbedding control)
            sample = cat([sample, control.Hint(Required(conditions.Hint, "the depth map (hint)").to(sample.dtype))], dim: 1);

        var x = conv_in.call(Config.CenterInputSample ? (2 * sample) - 1 : sample);
        var skips = new Stack<Tensor>([x]);
        foreach (var level in down_blocks) x = level.call(x, context, skips);
        if (mid_block is not null) x = mid_block.call(x, context);
        foreach (var level in up_blocks) x = level.call(x, context, skips);
        return conv_out.call(activation(conv_norm_out.call(x))).MoveToOuterDisposeScope();
    }

    /// <summary>Sum of timestep, class and additional embeddings, [batch, time width].</summary>
    private Tensor TimeEmbedding(Tensor steps, Tensor sample, UNetConditions conditions)
    {
        var type = sample.dtype;
        var embedding = time_embedding.call(Code(Timesteps.ForBatch(steps, sample), Config.BlockOutChannels[0], type),
            conditions.TimestepCondition);
        if (ClassCode(conditions, type) is { } classes)
            embedding = Config.ClassEmbeddingsConcat ? cat([embedding, classes], dim: -1) : embedding + classes;
        if (FurtherCode(conditions, type) is { } further) embedding = embedding + further;
        return timeActivation is null ? embedding : timeActivation(embedding);
    }

    private Tensor? ClassCode(UNetConditions conditions, ScalarType type)
    {
        if (class_embedding is null && Config.ClassEmbedType != "identity") return null;
        var labels = conditions.ClassLabels
            ?? throw new ArgumentException(
                "The network's config requires class labels (class_embed_type or num_class_embeds), but none were given.");
        return class_embedding switch
        {
            EmbeddingLayer table => table.call(labels).to(type),
            LinearLayer projection => projection.call(labels.to(type)),
            TimestepEmbedding code when Config.ClassEmbedType == "timestep" => code.call(Code(labels, Config.BlockOutChannels[0], type)),
            TimestepEmbedding projection => projection.call(labels.to(type)),
            _ => labels.to(type),
        };
    }

    /// <summary>The embedding of addition_embed_type, [batch, time width].</summary>
    private Tensor? FurtherCode(UNetConditions conditions, ScalarType type)
    {
        switch (add_embedding)
        {
            case TimestepEmbedding sizes:
                var (pooled, numbers) = (Required(conditions.TextEmbeds, "the pooled text (text_embeds)"),
                    Required(conditions.TimeIds, "the size numbers (time_ids)"));
                // [batch, numbers · code]
                var codes = Code(numbers.reshape(-1), Config.AdditionTimeEmbedDim!.Value, type).reshape(numbers.shape[0], -1);
                return sizes.call(cat([pooled.to(type), codes], dim: -1));
            case TextImageTimeEmbedding both:
                return both.call(Required(conditions.TextEmbeds, "the pooled text (text_embeds)").to(type),
                    Required(conditions.ImageEmbeds, "the image embedding (image_embeds)").to(type));
            case TextTimeEmbedding text:
                return text.call(Required(conditions.Text, "the text encodings"));
            case nn.Module<Tensor, Tensor> image:
                return image.call(Required(conditions.ImageEmbeds, "the image embedding (image_embeds)").to(type));
            default:
                return null;
        }
    }

    /// <summary>Context tokens of the attention, [batch, tokens, context width].</summary>
    private Tensor? Context(UNetConditions conditions) => encoder_hid_proj switch
    {
        LinearLayer text => text.call(Required(conditions.Text, "the text encodings")),
        TextImageProjection both => both.call(Required(conditions.Text, "the text encodings"),
            Required(conditions.ImageEmbeds, "the image embedding (image_embeds)")),
        ImageProjection image => image.call(Required(conditions.ImageEmbeds, "the image embedding (image_embeds)")),
        _ => conditions.Text,
    };

    private static Tensor? TextBias(UNetConditions conditions, ScalarType type) =>
        conditions.TextMask is not { } mask ? null
            : ((1 - mask.to(type)) * AttentionMask.Masked).unsqueeze(1).unsqueeze(1);        // [batch, 1, 1, tokens]

    private static Tensor Required(Tensor? condition, string what) =>
        condition ?? throw new ArgumentException($"The network's config requires {what}, but none was given.");

    private Tensor Code(Tensor steps, int width, ScalarType type) =>
        Timesteps.Encode(steps, width, Config.FlipSinToCos, Config.FreqShift).to(type);

    private static nn.Module? ContextProjection(UNet2DConditionConfig config)
    {
        if ((config.EncoderHidDimType ?? (config.EncoderHidDim is null ? null : "text_proj")) is not { } kind) return null;
        var (features, context) = (Required(config.EncoderHidDim, "encoder_hid_dim", kind), config.CrossAttentionDim[0]);
        return kind switch
        {
            "text_proj" => Layers.Linear(features, context),
            "text_image_proj" => new TextImageProjection(features, context),
            "image_proj" => new ImageProjection(features, context),
            _ => throw new ArgumentException(
                $"encoder_hid_dim_type \"{kind}\" is not supported: it must be text_proj, text_image_proj, image_proj or null."),
        };
    }

    private static nn.Module? ClassEmbedding(UNet2DConditionConfig config) => config.ClassEmbedType switch
    {
        null => config.NumClassEmbeds is { } classes ? Layers.Embedding(classes, config.TimeWidth) : null,
        "identity" => null,
        "timestep" => new TimestepEmbedding(config.BlockOutChannels[0], (config.TimeWidth, config.TimeWidth), config.ActFn),
        "projection" => new TimestepEmbedding(
            Required(config.ProjectionClassEmbeddingsInputDim, "projection_class_embeddings_input_dim", "projection"),
            (config.TimeWidth, config.TimeWidth), "silu"),
        "simple_projection" => Layers.Linear(
            Required(config.ProjectionClassEmbeddingsInputDim, "projection_class_embeddings_input_dim", "simple_projection"),
            config.TimeWidth),
        var other => throw new ArgumentException(
            $"class_embed_type \"{other}\" is not supported: it must be timestep, identity, projection, simple_projection or null."),
    };

    private static nn.Module? FurtherEmbedding(UNet2DConditionConfig config)
    {
        if (config.AdditionEmbedType is not { } kind) return null;
        switch (kind)
        {
            case "text":
                return new TextTimeEmbedding(config.EncoderHidDim ?? config.CrossAttentionDim[0],
                    config.TimeWidth, config.AdditionEmbedTypeNumHeads);
            case "text_image":
                return new TextImageTimeEmbedding(config.CrossAttentionDim[0], config.TimeWidth);
            case "image":
                return new ImageTimeEmbedding(Required(config.EncoderHidDim, "encoder_hid_dim", kind), config.TimeWidth);
            case "image_hint":
                return new ImageHintTimeEmbedding(Required(config.EncoderHidDim, "encoder_hid_dim", kind), config.TimeWidth);
            case "text_time":
                Required(config.AdditionTimeEmbedDim, "addition_time_embed_dim", kind);
                var features = Required(config.ProjectionClassEmbeddingsInputDim, "projection_class_embeddings_input_dim", kind);
                return new TimestepEmbedding(features, (config.TimeWidth, config.TimeWidth), "silu");
            default:
                throw new ArgumentException(
                    $"addition_embed_type \"{kind}\" is not supported: it must be text, text_image, text_time, image, image_hint or null.");
        }
    }

    private static int Required(int? value, string key, string kind) =>
        value ?? throw new ArgumentException($"The config sets \"{kind}\", so it must have {key} too.");
}
