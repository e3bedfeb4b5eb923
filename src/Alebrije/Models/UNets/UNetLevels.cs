using System.Text.Json;
using System.Text.Json.Serialization;
using Alebrije.Nn;
using TorchSharp;
using TorchSharp.Modules;

namespace Alebrije.Models.UNets;

/// <summary>Counts of transformer blocks: of all levels, of each level, or of each residual block of each level.</summary>
/// <param name="Rows">One row per level or one for all; a row has one count per residual block or one for all.</param>
internal sealed record Depths(int[][] Rows)
{
    /// <summary>True if residual blocks of one level differ.</summary>
    [JsonIgnore]
    public bool DifferWithinLevels => Rows.Any(row => row.Length > 1);

    /// <summary>The counts from the last level to the first.</summary>
    public Depths Reversed() => new([.. Rows.Reverse()]);

    /// <summary>Counts of one level's residual blocks.</summary>
    public int[] Of(int level, int blocks)
    {
        var row = Rows[Rows.Length == 1 ? 0 : level];
        if (row.Length == 1) return [.. Enumerable.Repeat(row[0], blocks)];
        return row.Length == blocks
            ? row
            : throw new ArgumentException($"The config gives {row.Length} "
                + $"transformer depths to level {level}, which has {blocks} residual blocks: there must be as many, or one.");
    }
}

/// <summary>Reads <c>1</c>, <c>[1, 2, 10]</c> or <c>[[1, 2], [3, 4]]</c>.</summary>
internal sealed class DepthsConverter : JsonConverter<Depths>
{
    /// <inheritdoc/>
    public override Depths Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        using var document = JsonDocument.ParseValue(ref reader);
        var root = document.RootElement;
        return new Depths(root.ValueKind == JsonValueKind.Array ? [.. root.EnumerateArray().Select(Row)] : [Row(root)]);
    }

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, Depths value, JsonSerializerOptions options)
    {
        if (value.Rows is [[var single]])
        {
            writer.WriteNumberValue(single);
            return;
        }

        writer.WriteStartArray();
        foreach (var row in value.Rows)
        {
            if (row is [var one]) writer.WriteNumberValue(one);
            else JsonSerializer.Serialize(writer, row, options);
        }

        writer.WriteEndArray();
    }

    private static int[] Row(JsonElement element) =>
        element.ValueKind == JsonValueKind.Array ? [.. element.EnumerateArray().Select(Number)] : [Number(element)];

    private static int Number(JsonElement element) =>
        element.ValueKind == JsonValueKind.Number && element.TryGetInt32(out var number) && number >= 0
            ? number
            : throw new JsonException("expected whole numbers, 0 or more, or lists of them.");
}

/// <summary>Sizes of one resolution of a network.</summary>
/// <param name="Input">Input channels.</param>
/// <param name="Output">Output channels.</param>
/// <param name="Depths">Transformer blocks after each residual block.</param>
/// <param name="Attention">Form of its attention, or null without attention.</param>
internal sealed record UNetLevel(int Input, int Output, int[] Depths, TransformerForm? Attention)
{
    /// <summary>True if residual blocks resize the image, as in Karlo's, Kandinsky's and IF's denoisers.</summary>
    public bool ResizesInBlocks { get; init; }

    /// <summary>Form of the attention of such a level, or null without attention.</summary>
    public AddedKvForm? AddedKv { get; init; }

    /// <summary>True if it is the last in its direction, which keeps the size.</summary>
    public bool Last { get; init; }

    /// <summary>Channels of the skip connections, in the order of their use in the up path; empty in the down path.</summary>
    public int[] Skips { get; init; } = [];

    /// <summary>Attentions after the first residual blocks, or null without attention.</summary>
    public ModuleList<torch.nn.Module>? Attentions(int count) =>
        Attention is { } form ? new([.. Depths.Take(count).Select(depth => new Transformer2D(Output, depth, form))])
        : AddedKv is { } added ? new([.. Depths.Take(count).Select(_ => new AddedKvAttention(Output, added))]) : null;
}

/// <summary>Sizes of all levels, from a config's lists.</summary>
internal sealed class UNetLevels
{
    private const string SimpleMiddle = "UNetMidBlock2DSimpleCrossAttn";

    private readonly UNet2DConditionConfig config;
    private readonly int count;

    /// <exception cref="ArgumentException">Lists of the config are inconsistent, or it requires a feature that the network does not
    /// support.</exception>
    public UNetLevels(UNet2DConditionConfig config)
    {
        (this.config, count) = (config, config.BlockOutChannels.Length);
        RequireCount(config.DownBlockTypes.Length, "down_block_types");
        RequireCount(config.UpBlockTypes.Length, "up_block_types");
        RequireOneOrCount(config.OnlyCrossAttention.Length, "only_cross_attention");
        RequireOneOrCount(config.LayersPerBlock.Length, "layers_per_block");
        RequireOneOrCount(config.CrossAttentionDim.Length, "cross_attention_dim");
        RequireOneOrCount(Heads.Length, "attention_head_dim");
        RequireOneOrCount(config.TransformerLayersPerBlock.Rows.Length, "transformer_layers_per_block");
        Refuse(config.DualCrossAttention, "dual_cross_attention true", "false");
        Refuse(config.AttentionType != "default", $"attention_type \"{config.AttentionType}\"", "default");
        Refuse(config.TimeEmbeddingType != "positional", $"time_embedding_type \"{config.TimeEmbeddingType}\"", "positional");
        Refuse(
            config.MidBlockType is not (null or "UNetMidBlock2DCrossAttn" or SimpleMiddle), $"mid_block_type \"{config.MidBlockType}\"",
            $"UNetMidBlock2DCrossAttn, {SimpleMiddle} or null");
        Refuse(config.ResnetTimeScaleShift is not ("default" or "scale_shift"),
            $"resnet_time_scale_shift \"{config.ResnetTimeScaleShift}\"", "default or scale_shift");
    }

    /// <summary>Form of residual blocks.</summary>
    private ResnetForm Form => new(config.NormNumGroups, config.NormEps)
    {
        Activation = config.ActFn,
        TimeWidth = config.BlockTimeWidth,
        TimeScales = config.ResnetTimeScaleShift == "scale_shift",
        Dropout = config.Dropout,
    };

    /// <summary>Form of the middle's residual blocks.</summary>
    public ResnetForm MiddleForm =>
        (config.MidBlockType == SimpleMiddle ? ResizingForm : Form) with { OutputDivisor = config.MidBlockScaleFactor };

    private ResnetForm ResizingForm =>
        Form with { TimeIsActivated = config.ResnetSkipTimeAct, OutputDivisor = config.ResnetOutScaleFactor };

    private int[] Heads => config.NumAttentionHeads ?? config.AttentionHeadDim;

    /// <summary>Form of a level's residual blocks.</summary>
    public ResnetForm FormOf(UNetLevel level) => level.ResizesInBlocks ? ResizingForm : Form;

    /// <summary>Levels from the finest to the coarsest.</summary>
    public IEnumerable<UNetLevel> Down() => Enumerable.Range(0, count).Select(i =>
    {
        var (output, type) = (config.BlockOutChannels[i], config.DownBlockTypes[i]);
        var depths = config.TransformerLayersPerBlock.Of(i, At(config.LayersPerBlock, i));
        return WithAttention(new UNetLevel(config.BlockOutChannels[Math.Max(i - 1, 0)], output, depths, null) { Last = i == count - 1 },
            type, "Down", i);
    });

    /// <summary>The coarsest level, between down and up path; null for networks without one.</summary>
    public UNetLevel? Middle()
    {
        if (config.MidBlockType is null) return null;
        var channels = config.BlockOutChannels[^1];
        var rows = config.TransformerLayersPerBlock.Rows;
        var level = new UNetLevel(channels, channels, [rows[^1][0]], null) { Last = true };
        if (config.MidBlockType != SimpleMiddle) return level with { Attention = TransformerOf(count - 1, onlyContext: false) };
        var onlyContext = config.MidBlockOnlyCrossAttention ?? config.OnlyCrossAttention is [true];
        return level with { ResizesInBlocks = true, AddedKv = AddedKvOf(count - 1, onlyContext) };
    }

    /// <summary>Levels from the coarsest to the finest.</summary>
    public IEnumerable<UNetLevel> Up()
    {
        var depths = config.ReverseTransformerLayersPerBlock;
        if (depths is null && config.TransformerLayersPerBlock.DifferWithinLevels)
            throw new ArgumentException("transformer_layers_per_block differs "
                + "within levels, so the config must have reverse_transformer_layers_per_block for the up blocks.");
        depths ??= config.TransformerLayersPerBlock.Reversed();
        return Enumerable.Range(0, count).Select(up =>
        {
            var level = count - 1 - up;
            var blocks = At(config.LayersPerBlock, level) + 1;
            var (output, finer) = (config.BlockOutChannels[level], config.BlockOutChannels[Math.Max(level - 1, 0)]);
            var sizes = new UNetLevel(config.BlockOutChannels[Math.Min(level + 1, count - 1)], output, depths.Of(up, blocks), null)
            {
                Last = level == 0,
                Skips = [.. Enumerable.Repeat(output, blocks - 1), finer],
            };
            return WithAttention(sizes, config.UpBlockTypes[up], "Up", level);
        });
    }

    private UNetLevel WithAttention(UNetLevel sizes, string type, string way, int level)
    {
        var onlyContext = At(config.OnlyCrossAttention, level);
        if (type == $"{way}Block2D") return sizes;
        if (type == $"CrossAttn{way}Block2D") return sizes with { Attention = TransformerOf(level, onlyContext) };
        if (type == $"Resnet{way}sampleBlock2D") return sizes with { ResizesInBlocks = true };
        if (type == $"SimpleCrossAttn{way}Block2D") return sizes with { ResizesInBlocks = true, AddedKv = AddedKvOf(level, onlyContext) };
        throw new ArgumentException(
            $"The block type \"{type}\" is not supported by this network: it "
                + $"must be {way}Block2D, CrossAttn{way}Block2D, Resnet{way}sampleBlock2D or SimpleCrossAttn{way}Block2D.");
    }

    private AddedKvForm AddedKvOf(int level, bool onlyContext) =>
        new(At(config.AttentionHeadDim, level), At(config.CrossAttentionDim, level))
    {
        Groups = config.NormNumGroups,
        OnlyContext = onlyContext,
        ContextNorm = config.CrossAttentionNorm,
    };

    private TransformerForm TransformerOf(int level, bool onlyContext) =>
        new(AttentionSizes.Split(config.BlockOutChannels[level], At(Heads, level)) with { Upcast = config.UpcastAttention },
            At(config.CrossAttentionDim, level))
        {
            Groups = config.NormNumGroups,
            LinearProjection = config.UseLinearProjection,
            OnlyContext = onlyContext,
        };

    private static T At<T>(T[] values, int level) => values[values.Length == 1 ? 0 : level];

    private void RequireCount(int length, string key)
    {
        if (length != count) throw new ArgumentException(
            $"The config has {length} {key} and {count} block_out_channels: there must be as many.");
    }

    private void RequireOneOrCount(int length, string key)
    {
        if (length != 1) RequireCount(length, key);
    }

    private static void Refuse(bool condition, string what, string known)
    {
        if (condition) throw new ArgumentException($"{what} is not supported by this network: it must be {known}.");
    }
}
