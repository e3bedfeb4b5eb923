using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Tests.Diffusion;

/// <summary>
/// A golden scheduler fixture (diffusers 0.42.1): <c>model/scheduler_config.json</c>, <c>cases.json</c>, <c>tensors.safetensors</c>.
/// </summary>
internal sealed class SchedulerFixture
{
    private readonly byte[] tensors;
    private readonly JsonElement header;
    private readonly JsonElement cases;

    public SchedulerFixture(string name)
    {
        Folder = Path.Combine(Root, name);
        cases = JsonDocument.Parse(File.ReadAllText(Path.Combine(Folder, "cases.json"))).RootElement.GetProperty("cases");
        tensors = File.ReadAllBytes(Path.Combine(Folder, "tensors.safetensors"));
        header = JsonDocument.Parse(tensors.AsMemory(8, HeaderLength)).RootElement;
    }

    public static string Root => Path.Combine(AppContext.BaseDirectory, "Fixtures", "schedulers");
    public string Folder { get; }
    public string Model => Path.Combine(Folder, "model");
    public IEnumerable<JsonElement> Cases => cases.EnumerateArray();
    private int HeaderLength => checked((int)BitConverter.ToInt64(tensors));

    /// <summary>float32 and int64 tensors, as float32.</summary>
    public Tensor Read(string name)
    {
        var entry = header.GetProperty(name);
        var offsets = entry.GetProperty("data_offsets");
        var (from, to) = (offsets[0].GetInt32(), offsets[1].GetInt32());
        var bytes = tensors.AsSpan(8 + HeaderLength + from, to - from);
        long[] shape = [.. entry.GetProperty("shape").EnumerateArray().Select(n => n.GetInt64())];
        var values = entry.GetProperty("dtype").GetString() switch
        {
            "F32" => MemoryMarshal.Cast<byte, float>(bytes).ToArray(),
            "F64" => Array.ConvertAll(MemoryMarshal.Cast<byte, double>(bytes).ToArray(), v => (float)v),
            "I64" => Array.ConvertAll(MemoryMarshal.Cast<byte, long>(bytes).ToArray(), v => (float)v),
            var other => throw new InvalidDataException($"{name} is {other}."),
        };
        return tensor(values).reshape(shape);
    }

    /// <summary>Null if |ours - reference| &lt;= atol + rtol |reference| everywhere and shapes agree, else the difference.</summary>
    public string? Compare(JsonElement fixtureCase, string output, Tensor ours)
    {
        var id = fixtureCase.GetProperty("id").GetString();
        var tolerance = fixtureCase.GetProperty("outputs").GetProperty(output);
        var reference = Read($"{id}/{output}");
        if (!ours.shape.SequenceEqual(reference.shape)) return $"{id}/{output}: shape {Shape(ours)} instead of {Shape(reference)}";
        var (atol, rtol) = (tolerance.GetProperty("atol").GetDouble(), tolerance.GetProperty("rtol").GetDouble());
        var excess = (ours - reference).abs() - (atol + rtol * reference.abs());
        if (excess.max().ToSingle() <= 0) return null;
        var (first, worst) = (excess.flatten().le(0).logical_not().nonzero()[0].item<long>(), (ours - reference).abs().max().ToSingle());
        var (got, expected) = (ours.flatten()[first].ToSingle(), reference.flatten()[first].ToSingle());
        return $"{id}/{output}: {got:R} instead of {expected:R} at {first} of {reference.numel()}, at most {worst:G3} away";
    }

    private static string Shape(Tensor x) => new StringBuilder("[").AppendJoin(", ", x.shape).Append(']').ToString();
}
