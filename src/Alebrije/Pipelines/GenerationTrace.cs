using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Serialization;
using Alebrije.Preprocessing;
using Alebrije.Preprocessing.Imaging;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Pipelines;

/// <summary>One stage of a traced run.</summary>
/// <param name="Name">Name of the stage.</param>
/// <param name="File">File in the trace's folder.</param>
/// <param name="Shape">Shape of the file's content.</param>
/// <param name="Norm">Euclidean norm of its numbers; null for texts.</param>
/// <param name="Hash">SHA-256 of its float32 (or int64, or RGB) bytes.</param>
/// <param name="Notes">Additional numbers, such as cosines along a trajectory.</param>
public sealed record TraceStage(
    string Name, string File, IReadOnlyList<long> Shape, double? Norm, string Hash,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] object? Notes = null);

/// <summary>
/// Writes every stage of a run into a folder: arrays as <c>.npy</c>, images as <c>.png</c>, and <c>trace.json</c> with their order.
/// </summary>
public sealed class GenerationTrace
{
    /// <summary>Name of the file with the order of the stages.</summary>
    public const string IndexFile = "trace.json";

    private readonly List<TraceStage> stages = [];
    private readonly string folder;

    /// <param name="folder">Folder of the files; made when missing.</param>
    public GenerationTrace(string folder)
    {
        this.folder = folder;
        WrittenFile.MakeFolder(folder);
    }

    /// <summary>Entries written so far, in order.</summary>
    public IReadOnlyList<TraceStage> Stages => stages;

    /// <summary>Writes <c>trace.json</c>.</summary>
    /// <param name="header">Text above the stages: the request, the model.</param>
    public void Finish(object header) =>
        WrittenFile.Write(Path.Combine(folder, IndexFile), JsonSerializer.Serialize(new { run = header, stages }, JsonForms.Indented));

    internal void Add(string name, Tensor value, object? notes = null)
    {
        using var scope = NewDisposeScope();
        var file = FileName(name, "npy");
        var shape = value.shape.Select(n => checked((int)n)).ToArray();
        if (value.dtype == ScalarType.Int64)
        {
            var ids = value.contiguous().data<long>().ToArray();
            Npy.Write(Path.Combine(folder, file), ids, shape);
            stages.Add(new TraceStage(name, file, value.shape, null,
                Hash(System.Runtime.InteropServices.MemoryMarshal.AsBytes(ids.AsSpan())), notes));
            return;
        }

        var numbers = value.to(ScalarType.Float32).contiguous().data<float>().ToArray();
        Npy.Write(Path.Combine(folder, file), numbers, shape);
        stages.Add(new TraceStage(name, file, value.shape, Math.Sqrt(numbers.Sum(x => (double)x * x)),
            Hash(System.Runtime.InteropServices.MemoryMarshal.AsBytes(numbers.AsSpan())), notes));
    }

    internal void Add(string name, RgbImage picture, object? notes = null)
    {
        var file = FileName(name, "png");
        picture.SavePng(Path.Combine(folder, file));
        stages.Add(new TraceStage(name, file, [picture.Height, picture.Width, 3],
            Math.Sqrt(picture.Pixels.Sum(x => (double)x * x)), Hash(picture.Pixels), notes));
    }

    internal void AddTokens(string name, IReadOnlyList<string> tokens)
    {
        var file = FileName(name, "json");
        var text = JsonSerializer.Serialize(tokens, JsonForms.Indented);
        WrittenFile.Write(Path.Combine(folder, file), text);
        stages.Add(new TraceStage(name, file, [tokens.Count], null, Hash(System.Text.Encoding.UTF8.GetBytes(text)), tokens));
    }

    private string FileName(string name, string extension) => $"{stages.Count:D2}-{name.Replace(' ', '-')}.{extension}";

    private static string Hash(ReadOnlySpan<byte> bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes));
}
