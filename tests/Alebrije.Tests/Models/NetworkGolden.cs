using System.Text.Json;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Tests.Models;

/// <summary>A fixture of one network: a checkpoint, inputs, and the reference's outputs.</summary>
internal sealed class NetworkGolden : IDisposable
{
    private static readonly string Root = Path.Combine(AppContext.BaseDirectory, "Fixtures");

    private readonly SafeTensorsFile tensors;
    private readonly JsonElement cases;

    public NetworkGolden(string name)
    {
        Tensors.TorchRuntime.Initialize();
        var folder = Path.Combine(Root, name);
        ModelFolder = Path.Combine(folder, "model");
        tensors = new SafeTensorsFile(Path.Combine(folder, "tensors.safetensors"));
        cases = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "cases.json"))).RootElement.GetProperty("cases");
    }

    public string ModelFolder { get; }

    public IEnumerable<Case> Cases => cases.EnumerateArray().Select(c => new Case(tensors, c));

    /// <summary>Names of the fixtures whose reference is this class (the part before a space).</summary>
    public static TheoryData<string> Of(string referenceClass) => new(Directory.GetDirectories(Root)
        .Where(folder => File.Exists(Path.Combine(folder, "cases.json")) && ReferenceClass(folder) == referenceClass)
        .Select(folder => Path.GetFileName(folder)!)
        .Order(StringComparer.Ordinal));

    public void Dispose() => tensors.Dispose();

    private static string? ReferenceClass(string folder)
    {
        var root = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "cases.json"))).RootElement;
        return root.TryGetProperty("reference", out var reference)
            && reference.TryGetProperty("class", out var name) ? name.GetString()!.Split(' ')[0] : null;
    }

    internal sealed class Case(SafeTensorsFile tensors, JsonElement json)
    {
        public string Id { get; } = json.GetProperty("id").GetString()!;

        public string Call { get; } = json.GetProperty("call").GetString()!;

        public Tensor Input(string name) => tensors.Read($"{Id}/{name}");

        public Tensor? Optional(string name) => tensors.Contains($"{Id}/{name}") ? Input(name) : null;

        /// <summary>The timestep, a number in the arguments or a tensor with one for each sample.</summary>
        public Tensor? Timestep() =>
            json.GetProperty("arguments").TryGetProperty("timestep", out var step) ? tensor(step.GetInt64()) : Optional("timestep");

        /// <summary>Asserts |ours - reference| ≤ atol + rtol·|reference| everywhere.</summary>
        public void Check(string output, Tensor ours)
        {
            var tolerance = json.GetProperty("outputs").GetProperty(output);
            var expected = Input(output);
            Assert.Equal(expected.shape, ours.shape);
            var excess = ((ours - expected).abs() - (tolerance.GetProperty("rtol").GetDouble() * expected.abs())).max().item<float>();
            Assert.True(excess <= tolerance.GetProperty("atol").GetDouble(), $"{Id}/{output} is off by {excess}");
        }

        /// <summary>Names of all outputs.</summary>
        public IEnumerable<string> Outputs => json.GetProperty("outputs").EnumerateObject().Select(o => o.Name);
    }
}
