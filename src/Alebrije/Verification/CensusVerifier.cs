using System.Globalization;
using System.IO.Compression;
using System.Text.Json;
using Alebrije.Preprocessing;
using Alebrije.Published;
using Alebrije.Weights;

namespace Alebrije.Verification;

/// <summary>Compares names and shapes of networks, built without weights, with the reference's for published configs.</summary>
internal static class CensusVerifier
{
    private const string FileName = "index.json";

    /// <summary>True if a folder is a census: an <c>index.json</c> that lists models with a reference class.</summary>
    public static bool IsCensus(string folder) => ReadIndex(folder) is { Count: > 0 };

    /// <summary>One result per model.</summary>
    public static IEnumerable<VerificationCase> Run(string folder) =>
        ReadIndex(folder)!.Select(model => Verify(folder, model.Name, model.Class, model.MayRefuse));

    private static VerificationCase Verify(string folder, string model, string className, bool mayRefuse)
    {
        var result = new VerificationCase { Id = model, Output = "tensors", Ok = false };
        try
        {
            if (!ComponentCatalog.Knows(className)) throw new WeightsException($"the class {className} is not built in.");
            var (config, list) = (Path.Combine(folder, model + ".json"), Path.Combine(folder, model + ".txt.gz"));
            using var listed = new ShapesOnly(ReadNames(list), list);
            var names = StateDict.Names(listed, ComponentCatalog.Options(className, config));
            return Compare(result, ComponentCatalog.Names(className, config), names);
        }
        catch (WeightsException e) when (mayRefuse)
        {
            return result with { Ok = true, Where = $"refused, as the census allows: {e.Message}" };
        }
        catch (Exception e) when (e is not (OperationCanceledException or OutOfMemoryException))
        {
            return Verifier.Failure(model, e) with { Output = "tensors" };
        }
    }

    /// <summary>Compares in both directions.</summary>
    /// <param name="result">Template with the case's name.</param>
    /// <param name="network">Names and shapes in the network.</param>
    /// <param name="listed">Names and shapes in the list or file.</param>
    public static VerificationCase Compare(
        VerificationCase result, IReadOnlyDictionary<string, long[]> network, IReadOnlyDictionary<string, long[]> listed)
    {
        var missing = network.Keys.Where(name => !listed.ContainsKey(name)).Order(StringComparer.Ordinal).ToList();
        var unexpected = listed.Keys.Where(name => !network.ContainsKey(name)).Order(StringComparer.Ordinal).ToList();
        var shapes = network.Where(pair => listed.TryGetValue(pair.Key, out var shape) && !shape.AsSpan().SequenceEqual(pair.Value))
            .Select(pair => pair.Key).ToList();
        var places = new List<string>();
        if (missing.Count > 0) places.Add($"missing {Some(missing)}");
        if (unexpected.Count > 0) places.Add($"unexpected {Some(unexpected)}");
        if (shapes.Count > 0)
            places.Add($"{shapes[0]} is [{string.Join(", ", network[shapes[0]])}] here and [{string.Join(", ", listed[shapes[0]])}] there");
        return result with
        {
            Ok = places.Count == 0,
            Missing = missing.Count,
            Unexpected = unexpected.Count,
            Shapes = shapes.Count,
            Where = places.Count == 0 ? null : string.Join("; ", places),
        };
    }

    private static string Some(List<string> names) => string.Join(", ", names.Take(3)) + (names.Count > 3 ? ", ..." : "");

    private static List<(string Name, string Class, bool MayRefuse)>? ReadIndex(string folder)
    {
        var path = Path.Combine(folder, FileName);
        if (!File.Exists(path)) return null;
        try
        {
            using var document = JsonText.Parse(RegularFile.ReadAllBytes(path));
            if (document.RootElement.ValueKind != JsonValueKind.Object || !document.RootElement.TryGetProperty("models", out var models)
                || models.ValueKind != JsonValueKind.Object) return null;
            return [.. models.EnumerateObject().Where(m => m.Value.ValueKind == JsonValueKind.Object)
                .Select(m => (m.Name, m.Value.TryGetProperty("class", out var name) ? name.GetString() ?? "" : "",
                    m.Value.TryGetProperty("expect", out var expect) && expect.GetString() is { } asked && asked != "load"))];
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static Dictionary<string, long[]> ReadNames(string path)
    {
        using var reader = new StreamReader(new GZipStream(RegularFile.Open(path), CompressionMode.Decompress));
        var names = new Dictionary<string, long[]>(StringComparer.Ordinal);
        while (reader.ReadLine() is { } line)
        {
            if (line.Length == 0) continue;
            var fields = line.Split('\t');
            if (fields.Length != 3) throw new WeightsException($"{path} has a line without name, type and shape: {line}");
            names.Add(fields[0], fields[2].Length == 0 ? []
                : [.. fields[2].Split(',').Select(size => long.Parse(size, CultureInfo.InvariantCulture))]);
        }

        return names;
    }
}
