using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;
using Alebrije.Models.Clip;
using Alebrije.Diffusion;
using Alebrije.Preprocessing;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Preprocessing.Tokenizers;
using Alebrije.Published;
using Alebrije.Weights;

namespace Alebrije.Verification;

/// <summary>
/// Checks a checkpoint folder: every component is present and readable, weights have the names and shapes of their network (without
/// loading them), and files match <c>SHA256SUMS</c> if the folder has one.
/// </summary>
internal static class CheckpointVerifier
{
    private const string Index = "model_index.json", Config = "config.json", Sums = "SHA256SUMS";

    /// <summary>True if a folder is a checkpoint of a pipeline or of one component.</summary>
    public static bool IsCheckpoint(string folder) =>
        File.Exists(Path.Combine(folder, Index)) || File.Exists(Path.Combine(folder, Config))
        || File.Exists(Path.Combine(folder, OpenClipConfig.FileName));

    /// <summary>One result per component, and one per file with a checksum.</summary>
    public static IEnumerable<VerificationCase> Run(string folder)
    {
        if (File.Exists(Path.Combine(folder, Index)))
        {
            foreach (var (component, className) in Components(folder))
                yield return className is null ? new VerificationCase { Id = component,
                    Ok = false, Error = "model_index.json does not name its class." }
                    : Guard(component, () => Component(component, className, Path.Combine(folder, component)));
        }
        else if (!File.Exists(Path.Combine(folder, Config)))
        {
            yield return Guard("", () => Network("", "CLIP", folder));
        }
        else
        {
            yield return Guard("", () =>
                Network("", ConfigFile.ClassName(folder) ?? throw new WeightsException("config.json names no class."), folder));
        }

        if (File.Exists(Path.Combine(folder, Sums)))
            foreach (var line in RegularFile.ReadLines(Path.Combine(folder, Sums)).Where(line => line.Trim().Length > 0))
                yield return Guard(line.Trim(), () => Hash(folder, line));
    }

    private static List<(string Component, string? Class)> Components(string folder)
    {
        JsonObject index;
        try
        {
            index = ConfigFile.ReadObject(Path.Combine(folder, Index));
        }
        catch (WeightsException e)
        {
            return [(e.Message, null)];
        }

        var components = new List<(string, string?)>();
        foreach (var (name, value) in index)
        {
            if (value is not JsonArray { Count: 2 } pair || pair is [null, null]) continue;
            components.Add((name, pair[1] is JsonValue text
                && text.GetValueKind() == JsonValueKind.String ? text.GetValue<string>() : null));
        }

        return components;
    }

    private static VerificationCase Component(string component, string className, string folder)
    {
        var files = new VerificationCase { Id = component, Output = "files", Ok = true };
        if (!Directory.Exists(folder))
            throw new CheckpointNotFoundException($"model_index.json names the component {component}, but there is no such folder.");
        if (ComponentCatalog.Knows(className)) return Network(component, className, folder);
        if (className.EndsWith("Scheduler", StringComparison.Ordinal))
        {
            using var scheduler = Schedulers.Create(folder);
            return files;
        }

        if (className.StartsWith("CLIPTokenizer", StringComparison.Ordinal))
        {
            ClipTokenizer.Load(folder);
            return files;
        }

        if (className is "XLMRobertaTokenizer" or "XLMRobertaTokenizerFast" or "T5Tokenizer" or "T5TokenizerFast")
        {
            UnigramTokenizer.Load(folder);
            return files;
        }

        if (className == "CLIPFeatureExtractor" || className.StartsWith("CLIPImageProcessor", StringComparison.Ordinal))
        {
            ClipImageProcessor.Load(folder);
            return files;
        }

        throw new WeightsException($"the class {className} is not built in.");
    }

    private static VerificationCase Network(string component, string className, string folder)
    {
        var names = ComponentCatalog.Names(className, folder);
        using var weights = CheckpointFolder.OpenWeights(folder);
        var listed = StateDict.Names(weights, ComponentCatalog.Options(className, folder));
        return CensusVerifier.Compare(new VerificationCase { Id = component, Output = "tensors", Ok = false }, names, listed);
    }

    private static VerificationCase Hash(string folder, string line)
    {
        var parts = line.Split((char[]?)null, 2, StringSplitOptions.RemoveEmptyEntries);
        if (parts.Length != 2 || parts[0].Length != 64)
            throw new WeightsException($"{Sums} has a line that is not a SHA-256 and a file: {line}");
        var name = parts[1].TrimStart('*');
        var path = Path.GetFullPath(Path.Combine(folder, name));
        if (!path.StartsWith(Path.GetFullPath(folder), StringComparison.Ordinal))
            throw new WeightsException($"{Sums} names {name}, outside of its folder.");
        if (!File.Exists(path)) throw new CheckpointNotFoundException($"{Sums} names {name}, which is not there.");
        using var stream = RegularFile.Open(path);
        var actual = Convert.ToHexStringLower(SHA256.HashData(stream));
        var same = actual.Equals(parts[0], StringComparison.OrdinalIgnoreCase);
        return new VerificationCase { Id = name, Output = "sha256", Ok = same,
            Where = same ? null : $"it is {actual} and should be {parts[0]}" };
    }

    private static VerificationCase Guard(string id, Func<VerificationCase> verify)
    {
        try
        {
            return verify();
        }
        catch (Exception e) when (e is not (OperationCanceledException or OutOfMemoryException))
        {
            return Verifier.Failure(id, e);
        }
    }
}
