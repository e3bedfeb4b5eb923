using System.Text.Json;
using Alebrije.Preprocessing;
using Alebrije.Weights;
using static TorchSharp.torch;

namespace Alebrije.Verification;

/// <summary>A golden fixture: small checkpoint, inputs and reference outputs (<c>cases.json</c>, <c>tensors.safetensors</c>).</summary>
internal sealed class Fixture : IDisposable
{
    public const string FileName = "cases.json";

    private readonly SafeTensorsFile? tensors;
    private readonly Dictionary<string, object> parts = new(StringComparer.Ordinal);

    /// <summary>Opens a fixture's folder.</summary>
    /// <exception cref="WeightsException">A file is missing, damaged or of another format.</exception>
    public Fixture(string folder)
    {
        Folder = folder;
        var path = Path.Combine(folder, FileName);
        try
        {
            using var document = JsonText.Parse(RegularFile.ReadAllBytes(path));
            var root = document.RootElement.Clone();
            var reference = root.GetProperty("reference");
            Library = reference.GetProperty("library").GetString()!;
            ReferenceClass = reference.GetProperty("class").GetString()!;
            Vocabulary = root.TryGetProperty("vocabulary", out var vocabulary) ? Locate(folder, vocabulary.GetString()!) : null;
            Config = root.TryGetProperty("config", out var config) ? config : null;
            if (Path.Combine(folder, "tensors.safetensors") is var file && File.Exists(file)) tensors = new SafeTensorsFile(file);
            Cases = [.. root.GetProperty("cases").EnumerateArray().Select(json => new FixtureCase(this, json))];
        }
        catch (Exception e)
        {
            tensors?.Dispose();
            if (e is JsonException or KeyNotFoundException or InvalidOperationException)
                throw new WeightsException(
                    $"{path} is not a list of cases: it must be JSON with a reference (library, class) and cases (id, call).", e);
            throw;
        }
    }

    public string Folder { get; }

    /// <summary>Library that computed the expected values.</summary>
    public string Library { get; }

    /// <summary>Its class, as named in the fixture.</summary>
    public string ReferenceClass { get; }

    /// <summary>Vocabulary of a text fixture, or null.</summary>
    public string? Vocabulary { get; }

    /// <summary>Configuration that the checkpoint's files do not contain, or null.</summary>
    public JsonElement? Config { get; }

    public IReadOnlyList<FixtureCase> Cases { get; }

    /// <summary>Names of a case's tensors, without its prefix.</summary>
    public IEnumerable<string> TensorsOf(string id) => tensors is null
        ? []
        : tensors.Names.Where(name => name.StartsWith(id + "/", StringComparison.Ordinal)).Select(name => name[(id.Length + 1)..]);

    public bool Has(string id, string name) => tensors?.Contains($"{id}/{name}") ?? false;

    public Tensor Read(string id, string name) => Has(id, name)
        ? tensors!.Read($"{id}/{name}")
        : throw new WeightsException($"{Folder} lacks the tensor {id}/{name}.");

    /// <summary>The checkpoint, or a component's folder in it.</summary>
    public string Model(string component = "") =>
        component.Length == 0 ? Path.Combine(Folder, "model") : Path.Combine(Folder, "model", component);

    /// <summary>An object shared by all cases and created once: a loaded network, a tokenizer.</summary>
    public T Part<T>(string key, Func<T> make) where T : class
    {
        if (!parts.TryGetValue(key, out var part)) parts[key] = part = make();
        return (T)part;
    }

    /// <summary>Path of a shared file, relative to the fixture or to one of the two folders above it.</summary>
    private static string Locate(string folder, string name)
    {
        string[] places = [.. ((string[])["", "..", "../.."]).Select(up => Path.GetFullPath(Path.Combine(folder, up, name)))];
        return places.FirstOrDefault(File.Exists) ?? places[0];
    }

    public void Dispose()
    {
        foreach (var part in parts.Values.OfType<IDisposable>()) part.Dispose();
        tensors?.Dispose();
    }
}

/// <summary>Tolerance of an output: |ours - reference| ≤ Absolute + Relative · |reference|.</summary>
internal readonly record struct Tolerance(double Absolute, double Relative);

/// <summary>One case of a fixture: a call, its arguments and inputs, and expected outputs.</summary>
internal sealed class FixtureCase
{
    private readonly JsonElement json;

    public FixtureCase(Fixture fixture, JsonElement json)
    {
        (Fixture, this.json) = (fixture, json);
        Id = json.GetProperty("id").GetString()!;
        Call = json.GetProperty("call").GetString()!;
        Component = json.TryGetProperty("component", out var component) ? component.GetString()! : "";
        Pipeline = json.TryGetProperty("pipeline", out var pipeline) ? pipeline.GetString() : null;
        Draws = json.TryGetProperty("draws", out var draws) ? [.. draws.EnumerateArray().Select(name => name.GetString()!)] : [];

        // Tokenizer fixtures list no outputs: all their tensors are expected exactly.
        Outputs = json.TryGetProperty("outputs", out var outputs)
            ? [.. outputs.EnumerateObject().Select(o => (o.Name, new Tolerance(Number(o.Value, "atol"), Number(o.Value, "rtol"))))]
            : [.. fixture.TensorsOf(Id).Select(name => (name, default(Tolerance)))];
    }

    public Fixture Fixture { get; }

    public string Id { get; }

    /// <summary>The reference's method.</summary>
    public string Call { get; }

    /// <summary>Folder below the checkpoint, or part of a single model; empty for the whole.</summary>
    public string Component { get; }

    /// <summary>The reference's pipeline class, or null.</summary>
    public string? Pipeline { get; }

    /// <summary>Names of the tensors that replace random numbers, in order of use.</summary>
    public IReadOnlyList<string> Draws { get; }

    /// <summary>Expected outputs in the order in which the reference computes them.</summary>
    public IReadOnlyList<(string Name, Tolerance Tolerance)> Outputs { get; }

    public bool Wants(string output) => Outputs.Any(o => o.Name == output);

    public bool HasInput(string name) => Fixture.Has(Id, name);

    public Tensor Input(string name) => Fixture.Read(Id, name);

    public Tensor? OptionalInput(string name) => HasInput(name) ? Input(name) : null;

    /// <summary>Diffusion timestep: a scalar from the arguments, or a tensor with one per sample; null if neither exists.</summary>
    public Tensor? Timestep() => Argument("timestep") is { } step ? tensor(step.GetInt64()) : OptionalInput("timestep");

    /// <summary>An argument, or null if the case lacks it.</summary>
    public JsonElement? Argument(string name) =>
        json.TryGetProperty("arguments", out var arguments) && arguments.TryGetProperty(name, out var value)
        && value.ValueKind != JsonValueKind.Null ? value : null;

    public double Number(string name, double otherwise) => Argument(name)?.GetDouble() ?? otherwise;

    public int Integer(string name) => Argument(name)?.GetInt32() ?? throw new WeightsException($"case {Id} lacks the argument {name}.");

    public string Text(string name) => Argument(name)?.GetString() ?? throw new WeightsException($"case {Id} lacks the argument {name}.");

    /// <summary>One text, or a list of them.</summary>
    public IReadOnlyList<string>? Texts(string name) => Argument(name) switch
    {
        null => null,
        { ValueKind: JsonValueKind.Array } list => [.. list.EnumerateArray().Select(text => text.GetString()!)],
        { } text => [text.GetString()!],
    };

    private static double Number(JsonElement value, string name) => value.TryGetProperty(name, out var number) ? number.GetDouble() : 0;
}
