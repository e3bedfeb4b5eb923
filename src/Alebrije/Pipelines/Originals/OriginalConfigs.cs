using Alebrije.Models.Autoencoders;
using Alebrije.Models.Clip;
using Alebrije.Models.Priors;
using Alebrije.Models.UNets;
using Alebrije.Models.XlmRoberta;
using Alebrije.Weights;

namespace Alebrije.Pipelines.Originals;

/// <summary>
/// Configurations of the networks in original files, which come without any: sizes are read from the tensors' shapes, and the rest is what
/// was published (Karlo's configs/*.yaml; Kandinsky's configs.py).
/// </summary>
internal static class OriginalConfigs
{
    /// <summary>Features of a head, in every network of both.</summary>
    private const int HeadWidth = 64;

    /// <summary>Residual blocks of a level.</summary>
    private const int Blocks = 3;

    public static PriorTransformerConfig Prior(TensorSource file, string prefix)
    {
        var projection = Shape(file, prefix + "clip_img_proj.weight");                        // [width, features]
        return new PriorTransformerConfig
        {
            NumAttentionHeads = projection[0] / HeadWidth, AttentionHeadDim = HeadWidth,
            NumLayers = Count(file, prefix + "transformer.resblocks."),
            EmbeddingDim = projection[1], NumEmbeddings = Shape(file, prefix + "positional_embedding")[1] - 4, AdditionalEmbeddings = 4,
        };
    }

    public static UNet2DConditionConfig KarloDecoder(TensorSource file, string prefix) =>
        Decoder(file, prefix) with { ClassEmbedType = "identity" };

    public static UNet2DConditionConfig KandinskyDecoder(TensorSource file, string prefix) => Decoder(file, prefix) with
    {
        AdditionEmbedType = "text_image", EncoderHidDimType = "text_image_proj",
        EncoderHidDim = Shape(file, prefix + "to_model_dim_n.weight")[1],
    };

    public static UnClipTextProjectionConfig TextProjection(TensorSource file, string prefix)
    {
        var sequence = Shape(file, prefix + "text_seq_proj.0.weight");                        // [context width, features]
        return new UnClipTextProjectionConfig
        {
            ClipEmbeddingsDim = sequence[1], CrossAttentionDim = sequence[0],
            TimeEmbedDim = Shape(file, prefix + "text_feat_proj.weight")[0],
            ClipExtraContextTokens = Shape(file, prefix + "clip_tok_proj.weight")[0] / sequence[0],
        };
    }

    public static UNet2DConfig Upsampler(TensorSource file, string prefix)
    {
        var channels = Channels(file, prefix);
        return UNet2DConfig.Upsampler(channels) with
        {
            SampleSize = [256], LayersPerBlock = Blocks, InChannels = Shape(file, prefix + "input_blocks.0.0.weight")[1],
            OutChannels = Shape(file, prefix + "out.2.weight")[0],
            ResnetTimeScaleShift = TimeForm(file, prefix),
        };
    }

    public static VQModelConfig MoVq(TensorSource file, string prefix)
    {
        var levels = Enumerable.Range(0, Count(file, prefix + "encoder.down.")).ToArray();
        var attends = levels.Select(level => file.Contains($"{prefix}encoder.down.{level}.attn.0.q.weight")).ToArray();
        var codes = Shape(file, prefix + "quantize.embedding.weight");
        return new VQModelConfig
        {
            BlockOutChannels = [.. levels.Select(level => Shape(file, $"{prefix}encoder.down.{level}.block.0.conv1.weight")[0])],
            LayersPerBlock = Count(file, prefix + "encoder.down.0.block."),
            LatentChannels = Shape(file, prefix + "encoder.conv_out.weight")[0],
            DownBlockTypes = [.. attends.Select(at => at ? "AttnDownEncoderBlock2D" : "DownEncoderBlock2D")],
            UpBlockTypes = [.. attends.Reverse().Select(at => at ? "AttnUpDecoderBlock2D" : "UpDecoderBlock2D")],
            NumVqEmbeddings = codes[0], VqEmbedDim = codes[1], NormType = "spatial",
        };
    }

    public static (ClipTextConfig Text, ClipVisionConfig Vision) Clip(TensorSource file, string prefix)
    {
        var clip = OpenClipConfig.Infer(file, prefix).ToClip();
        return clip.VisionConfig.IsTransformer ? (clip.TextConfig with { EosTokenId = new ClipTextConfig().EosTokenId }, clip.VisionConfig)
            : throw new WeightsException($"{file.Location} is a CLIP without a vision transformer as image tower; ViT-L-14.pt is needed.");
    }

    public static MultilingualClipConfig MultilingualClip(TensorSource file)
    {
        const string embeddings = "transformer.embeddings.", layers = "transformer.encoder.layer.";
        var (words, projection) = (Shape(file, embeddings + "word_embeddings.weight"), Shape(file, "LinearTransformation.weight"));
        return new MultilingualClipConfig
        {
            TransformerDimensions = projection[1], NumDims = projection[0],
            VocabSize = words[0], HiddenSize = words[1], NumAttentionHeads = words[1] / HeadWidth,
            NumHiddenLayers = Count(file, layers), IntermediateSize = Shape(file, layers + "0.intermediate.dense.weight")[0],
            MaxPositionEmbeddings = Shape(file, embeddings + "position_embeddings.weight")[0],
            TypeVocabSize = Shape(file, embeddings + "token_type_embeddings.weight")[0],
            LayerNormEps = 1e-5,
        };
    }

    private static UNet2DConditionConfig Decoder(TensorSource file, string prefix)
    {
        var channels = Channels(file, prefix);
        var attends = channels.Select((_, level) => file.Contains($"{prefix}input_blocks.{First(level)}.1.qkv.weight")).ToArray();
        return new UNet2DConditionConfig
        {
            SampleSize = [64], InChannels = Shape(file, prefix + "input_blocks.0.0.weight")[1],
            OutChannels = Shape(file, prefix + "out.2.weight")[0],
            BlockOutChannels = channels, LayersPerBlock = [Blocks], AttentionHeadDim = [HeadWidth],
            CrossAttentionDim = [Shape(file, prefix + "middle_block.1.encoder_kv.weight")[1]],
            DownBlockTypes = [.. attends.Select(at => at ? "SimpleCrossAttnDownBlock2D" : "ResnetDownsampleBlock2D")],
            MidBlockType = "UNetMidBlock2DSimpleCrossAttn",
            UpBlockTypes = [.. attends.Reverse().Select(at => at ? "SimpleCrossAttnUpBlock2D" : "ResnetUpsampleBlock2D")],
            ResnetTimeScaleShift = TimeForm(file, prefix),
        };
    }

    /// <summary>Channels of every level. The original counts a level's blocks and the one that halves as one row.</summary>
    private static int[] Channels(TensorSource file, string prefix)
    {
        var blocks = Count(file, prefix + "input_blocks.");
        return blocks > 0 && blocks % (Blocks + 1) == 0 ? [.. Enumerable.Range(0, blocks / (Blocks + 1))
            .Select(level => Shape(file, $"{prefix}input_blocks.{First(level)}.0.out_layers.3.weight")[0])]
            : throw new WeightsException($"{file.Location} has {blocks} input "
                + $"blocks; the published networks have {Blocks} residual blocks a level, {Blocks + 1} with the one before or after them.");
    }

    private static int First(int level) => 1 + (level * (Blocks + 1));

    private static string TimeForm(TensorSource file, string prefix) =>
        Shape(file, prefix + "input_blocks.1.0.emb_layers.1.weight")[0] == 2 * Shape(file,
            prefix + "input_blocks.1.0.out_layers.3.weight")[0] ? "scale_shift" : "default";

    /// <summary>Sizes of a tensor that has two axes or more.</summary>
    internal static int[] Shape(TensorSource file, string name)
    {
        var shape = file.Describe(name).Shape;
        return shape.Length >= 2 && shape.All(size => size is > 0 and <= int.MaxValue) ? [.. shape.Select(size => (int)size)]
            : throw new WeightsException($"{file.Location}: '{name}' is "
                + $"[{string.Join(", ", shape)}], which no published checkpoint has: two axes or more were expected.");
    }

    /// <summary>Numbered parts behind a prefix.</summary>
    internal static int Count(TensorSource file, string prefix) =>
        file.Names.Where(name => name.StartsWith(prefix, StringComparison.Ordinal))
        .Select(name => name[prefix.Length..].Split('.')[0]).Distinct(StringComparer.Ordinal).Count();
}
