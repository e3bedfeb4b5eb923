using Alebrije.Models.Autoencoders;
using Alebrije.Models.UNets;
using Alebrije.Weights;
using static Alebrije.Pipelines.Originals.OriginalConfigs;

namespace Alebrije.Pipelines.SingleFiles;

/// <summary>
/// Configurations of UNet and autoencoder in a checkpoint of one file, which comes without any: sizes are read from the shapes, and the
/// rest is what its authors published (CompVis/stable-diffusion, configs/stable-diffusion/v1-inference.yaml; Stability-AI/stablediffusion,
/// configs/stable-diffusion; Stability-AI/generative-models, configs/inference/sd_xl_base.yaml).
/// </summary>
internal static class SingleFileConfigs
{
    /// <summary>
    /// Features of a head in UNets that enter their transformers by linear layers; the others, and the upscaler, have a number of heads.
    /// </summary>
    private const int HeadWidth = 64, Heads = 8;

    /// <summary>Features of the code of one of SDXL's sizes.</summary>
    private const int SizeWidth = 256;

    /// <summary>Sizes of a UNet.</summary>
    /// <param name="file">The checkpoint.</param>
    /// <param name="prefix">Start of the names of the UNet.</param>
    /// <param name="layout">Its kind.</param>
    /// <param name="side">Side of the latents that it was trained on.</param>
    public static UNet2DConditionConfig UNet(TensorSource file, string prefix, SingleFileLayout layout, int side)
    {
        var levels = Levels(file, prefix);
        var middle = prefix + "middle_block.1.";
        var (context, depth) = (Shape(file, middle + "transformer_blocks.0.attn2.to_k.weight")[1],
            Count(file, middle + "transformer_blocks."));
        var isLinear = file.Describe(middle + "proj_in.weight").Shape.Length == 2;
        var depths = levels.Select((level, i) => level.Attends ? level.Depth : i == levels.Length - 1 ? depth : 1).ToArray();
        var config = new UNet2DConditionConfig
        {
            SampleSize = [side], InChannels = Shape(file, prefix + "input_blocks.0.0.weight")[1],
            OutChannels = Shape(file, prefix + "out.2.weight")[0],
            BlockOutChannels = [.. levels.Select(level => level.Channels)],
            LayersPerBlock = OneIfAlike([.. levels.Select(level => level.Blocks)]),
            DownBlockTypes = [.. levels.Select(level => level.Attends ? "CrossAttnDownBlock2D" : "DownBlock2D")],
            UpBlockTypes = [.. levels.AsEnumerable().Reverse().Select(level => level.Attends ? "CrossAttnUpBlock2D" : "UpBlock2D")],
            CrossAttentionDim = [context], TransformerLayersPerBlock = new Depths([.. OneIfAlike(depths).Select(count => new[] { count })]),
            AttentionHeadDim = isLinear && layout.Kind != SingleFileKind.Upscaler
            ? [.. levels.Select(level => HeadsOf(file, level.Channels))] : [Heads],
            UseLinearProjection = isLinear,
            OnlyCrossAttention = OneIfAlike([.. levels.Select(level => level.SelfWidth == context && level.Channels != context)]),
        };
        return layout.Kind switch
        {
            SingleFileKind.Xl => config with
            {
                AdditionEmbedType = "text_time", AdditionTimeEmbedDim = SizeWidth,
                ProjectionClassEmbeddingsInputDim = Shape(file, prefix + "label_emb.0.0.weight")[1],
            },
            SingleFileKind.Upscaler => config with { NumClassEmbeds = Shape(file, prefix + "label_emb.weight")[0] },
            _ => config,
        };
    }

    /// <summary>Sizes of an autoencoder.</summary>
    /// <param name="file">The checkpoint.</param>
    /// <param name="prefix">Start of the names of the autoencoder.</param>
    /// <param name="kind">Kind of the checkpoint, which decides the scale of the latents.</param>
    public static AutoencoderKLConfig Autoencoder(TensorSource file, string prefix, SingleFileKind kind)
    {
        var levels = Enumerable.Range(0, Count(file, prefix + "encoder.down.")).ToArray();
        return new AutoencoderKLConfig
        {
            InChannels = Shape(file, prefix + "encoder.conv_in.weight")[1],
            OutChannels = Shape(file, prefix + "decoder.conv_out.weight")[0],
            BlockOutChannels = [.. levels.Select(level => Shape(file, $"{prefix}encoder.down.{level}.block.0.conv1.weight")[0])],
            DownBlockTypes = [.. levels.Select(_ => "DownEncoderBlock2D")], UpBlockTypes = [.. levels.Select(_ => "UpDecoderBlock2D")],
            LayersPerBlock = Count(file, prefix + "encoder.down.0.block."),
            LatentChannels = Shape(file, prefix + "encoder.conv_out.weight")[0] / 2,
            ScalingFactor = kind switch { SingleFileKind.Xl => 0.13025, SingleFileKind.Upscaler => 0.08333, _ => 0.18215 },
        };
    }

    private static int HeadsOf(TensorSource file, int channels) => channels >= HeadWidth && channels % HeadWidth == 0 ? channels / HeadWidth
        : throw new WeightsException(
            $"{file.Location} has a level of {channels} channels in its UNet, which heads of {HeadWidth} do not divide.");

    private static T[] OneIfAlike<T>(T[] values) => values.Distinct().Take(2).Count() == 1 ? [values[0]] : values;

    /// <summary>
    /// Levels of a UNet from the finest: blocks are numbered through all of them, and a layer that halves ends each but the last.
    /// </summary>
    private static UNetLevelSizes[] Levels(TensorSource file, string prefix)
    {
        var (levels, blocks) = (new List<UNetLevelSizes>(), 0);
        for (var i = 1; i <= Count(file, prefix + "input_blocks."); i++)
        {
            var block = $"{prefix}input_blocks.{i}.";
            if (file.Contains(block + "0.out_layers.3.weight"))
            {
                blocks++;
                if (!file.Contains($"{prefix}input_blocks.{i + 1}.0.out_layers.3.weight")) levels.Add(Level(file, block, blocks));
            }
            else
            {
                blocks = 0;
            }
        }

        return levels.Count > 0 ? [.. levels]
            : throw new WeightsException($"{file.Location} has a UNet without levels ({prefix}input_blocks.*).");
    }

    /// <param name="file">The checkpoint.</param>
    /// <param name="block">Start of the names of the level's last block.</param>
    /// <param name="blocks">Blocks of the level.</param>
    private static UNetLevelSizes Level(TensorSource file, string block, int blocks)
    {
        const string first = "1.transformer_blocks.0.attn1.to_k.weight";
        var attends = file.Contains(block + first);
        return new UNetLevelSizes(Shape(file, block + "0.out_layers.3.weight")[0], blocks)
        {
            Depth = attends ? Count(file, block + "1.transformer_blocks.") : 0, SelfWidth = attends ? Shape(file, block + first)[1] : 0,
        };
    }

    /// <summary>Sizes of one level.</summary>
    private sealed record UNetLevelSizes(int Channels, int Blocks)
    {
        /// <summary>Transformer blocks after each residual block; 0: none.</summary>
        public int Depth { get; init; }

        /// <summary>Context width of the first attention of a transformer block.</summary>
        public int SelfWidth { get; init; }

        public bool Attends => Depth > 0;
    }
}
