using System.Text.Json;
using Alebrije.Pipelines;
using Alebrije.Preprocessing.Imaging;

namespace Alebrije.Server.Jobs;

/// <summary>An image with every stage that led to it.</summary>
internal sealed record TracedRun(GenerationResult Result, IReadOnlyList<TracedStage> Stages)
{
    /// <summary>Bytes of its numbers and images.</summary>
    public long Bytes => Stages.Sum(stage => ((long)stage.Values.Length * sizeof(float)) + (stage.Png?.LongLength ?? 0));
}

/// <summary>A stage of a trace, in memory: numbers, a PNG, or tokens.</summary>
/// <param name="Name">Name of the stage, as in <see cref="TraceStage"/>.</param>
/// <param name="Shape">Shape of its numbers.</param>
/// <param name="Norm">Euclidean norm; null for tokens.</param>
internal sealed record TracedStage(string Name, IReadOnlyList<long> Shape, double? Norm)
{
    /// <summary>Numbers in row order; empty for images and tokens.</summary>
    public float[] Values { get; init; } = [];

    /// <summary>The image as PNG; null where there is none.</summary>
    public byte[]? Png { get; init; }

    /// <summary>Tokens; empty for others.</summary>
    public IReadOnlyList<string> Tokens { get; init; } = [];

    /// <summary>Additional values of the stage.</summary>
    public JsonElement? Notes { get; init; }

    /// <summary>Reads the file of a stage.</summary>
    public static TracedStage Read(string folder, TraceStage stage)
    {
        var path = Path.Combine(folder, stage.File);
        var read = new TracedStage(stage.Name, stage.Shape, stage.Norm)
        {
            Notes = stage.Notes is { } notes ? JsonSerializer.SerializeToElement(notes) : null,
        };
        return Path.GetExtension(path) switch
        {
            ".png" => read with { Png = RgbImage.Load(path).ToPng() },
            ".json" => read with { Tokens = stage.Notes as IReadOnlyList<string> ?? [] },
            _ => read with { Values = Npy.Read(path).ToSingle() },
        };
    }

    /// <summary>Numbers of a note; empty where there is none of that name.</summary>
    public double[] Noted(string name) => Notes is { ValueKind: JsonValueKind.Object } notes && notes.TryGetProperty(name, out var value)
        ? value.ValueKind == JsonValueKind.Array ? [.. value.EnumerateArray().Select(each => each.GetDouble())] : [value.GetDouble()] : [];
}
