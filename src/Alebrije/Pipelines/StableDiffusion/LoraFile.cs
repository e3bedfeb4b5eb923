using System.Text.Json;
using System.Text.RegularExpressions;
using Alebrije.Preprocessing;
using Alebrije.Tensors;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Pipelines.StableDiffusion;

/// <summary>Low-rank addition to a weight (Hu et al., 2022, §4.1).</summary>
/// <param name="Target">The weight.</param>
/// <param name="Factor">scale · (alpha / rank)</param>
internal sealed record LoraAddition(LoraTarget Target, double Factor)
{
    /// <summary>Name in the file of [rank, input, ...].</summary>
    public required string Down { get; init; }

    /// <summary>Name in the file of [output, rank, ...].</summary>
    public required string Up { get; init; }

    /// <summary>Name in the file of [rank, rank, kernel, kernel], where the kernel is factored too; or null.</summary>
    public string? Middle { get; init; }
}

/// <summary>
/// A file of LoRA or LoCon with the names of kohya's trainers (kohya-ss/sd-scripts, networks/lora.py), of diffusers (loaders,
/// utils/state_dict_utils.py) or of peft, matched with a model as a whole: a module that does not fit refuses the file.
/// </summary>
internal sealed partial class LoraFile : IDisposable
{
    private const string Metadata = "lora_adapter_metadata", Option = "or leave the LoRA out (--lora)";

    /// <summary>Marks of other ways to change weights, in the names of their tensors.</summary>
    private static readonly (string Mark, string Kind)[] OtherKinds =
    [
        ("dora_scale", "DoRA"), ("lora_magnitude_vector", "DoRA"), ("hada_", "LoHa"), ("lokr_", "LoKr"), ("oft_", "OFT"), ("boft_", "BOFT"),
        ("on_input", "IA3"), ("a1.weight", "GLoRA"), ("a2.weight", "GLoRA"), ("b1.weight", "GLoRA"), ("b2.weight", "GLoRA"),
        ("diff", "set of whole differences"), ("w_norm", "set of norms"), ("b_norm", "set of norms"), ("lora_B.bias", "LoRA with biases"),
        ("lora_embedding_", "LoRA of token embeddings"),
    ];

    private readonly TensorSource source;
    private readonly Dictionary<string, double> alphas = new(StringComparer.Ordinal);

    private LoraFile(TensorSource source, LoraTargets targets, double scale)
    {
        this.source = source;
        foreach (var name in source.Names)
            if (OtherKinds.FirstOrDefault(other => name.Contains("." + other.Mark, StringComparison.Ordinal)) is { Kind: { } kind })
                throw Bad($"is a {kind} ('{name}'), and LoRA and LoCon alone are added to a model here; convert it to one, {Option}");
        ReadMetadata();
        var modules = new Dictionary<string, Dictionary<string, string>>(StringComparer.Ordinal);
        foreach (var name in source.Names)
        {
            if (Tensor().Match(name) is not { Success: true } match)
            {
                throw Bad(
                    $"holds '{name}', which is not part of a LoRA; these end in lora_down.weight, lora_up.weight, lora_A.weight, "
                    + $"lora_B.weight or alpha: name such a file, {Option}");
            }

            var module = Module(match.Groups["module"].Value);
            var half = match.Groups["half"].Value switch { "A" => "down", "B" => "up", var other => other };
            if (!modules.TryGetValue(module, out var parts)) modules.Add(module, parts = []);
            if (!parts.TryAdd(half, name))
                throw Bad($"names '{parts[half]}' and '{name}' for one and the same part; name a file that has each once, {Option}");
        }

        Additions = [.. modules.Select(module => Match(module.Key, module.Value, targets, scale))];
        if (Additions.Count == 0) throw Bad($"holds no LoRA; name a file that does, {Option}");
        if (Additions.GroupBy(addition => addition.Target).FirstOrDefault(group => group.Count() > 1) is { } twice)
        {
            throw Bad(
                $"changes '{twice.Key.Weight}' twice ('{twice.First().Down}' and '{twice.Last().Down}'); "
                + $"name a file that has each module once, {Option}");
        }
    }

    /// <summary>Its additions, in the order of the file.</summary>
    public IReadOnlyList<LoraAddition> Additions { get; }

    /// <summary>Opens a file and matches all of it with a model.</summary>
    /// <exception cref="FileNotFoundException">The file is missing.</exception>
    /// <exception cref="InvalidDataException">The file has another hash than the recipe's.</exception>
    /// <exception cref="WeightsException">It is not a LoRA, or does not fit the model.</exception>
    public static LoraFile Open(LoraInput input, LoraTargets targets)
    {
        var source = input.OpenTensors();
        try
        {
            return new LoraFile(source, targets, input.Scale);
        }
        catch
        {
            source.Dispose();
            throw;
        }
    }

    /// <summary>Weight change of an addition: Factor · up · down, in float64.</summary>
    /// <returns>The shape of the weight.</returns>
    public Tensor Delta(LoraAddition addition)
    {
        using var scope = NewDisposeScope();
        var (up, down) = (Read(addition.Up), Read(addition.Down));
        var (outputs, rank) = (up.shape[0], up.shape[1]);
        (up, down) = (up.reshape(outputs, rank), down.reshape(rank, -1));
        if (addition.Middle is { } name)
        {
            // Tucker: up · middle · down for each place of the kernel.
            var middle = Read(name);                                                         // [rank, rank, kernel, kernel]
            var inner = middle.flatten(2).permute(2, 0, 1);                                  // [kernel², rank, rank]
            var product = Shapes.MatMul(Shapes.MatMul(up, inner), down).permute(1, 2, 0);    // [output, input, kernel²]
            return (product * addition.Factor).reshape(addition.Target.Shape).MoveToOuterDisposeScope();
        }

        return (Shapes.MatMul(up, down) * addition.Factor).reshape(addition.Target.Shape).MoveToOuterDisposeScope();

        Tensor Read(string part) => source.Read(part).to(ScalarType.Float64);
    }

    /// <inheritdoc/>
    public void Dispose() => source.Dispose();

    private LoraAddition Match(string module, Dictionary<string, string> parts, LoraTargets targets, double scale)
    {
        if (targets.Find(module) is not { } target)
            throw Misfit(targets, $"'{parts.Values.First()}' is of a module that the model does not have");
        if (!parts.TryGetValue("down", out var down) || !parts.TryGetValue("up", out var up))
            throw Bad($"has '{parts.Values.First()}' without its other half; name a whole file, {Option}");
        var middle = parts.GetValueOrDefault("mid");
        foreach (var name in new[] { down, up, middle })
        {
            if (name is not null && source.Describe(name) is var entry && !TensorTypes.IsFloating(entry.Type))
                throw Bad($"holds '{name}' as {entry.Type}, and a LoRA has floating-point numbers; name another file, {Option}");
        }

        var (lower, upper) = (source.Describe(down).Shape, source.Describe(up).Shape);
        if (!Fits(target.Shape, lower, upper, middle is null ? null : source.Describe(middle).Shape))
            throw Misfit(targets, $"'{down}' is {Sizes(lower)} and '{up}' {Sizes(upper)} for a weight of {Sizes(target.Shape)}");
        var alpha = Alpha(target.Component, parts.GetValueOrDefault("alpha"), lower[0]);
        return new LoraAddition(target, scale * (alpha / lower[0])) { Down = down, Up = up, Middle = middle };

        static string Sizes(long[] shape) => $"[{string.Join(", ", shape)}]";
    }

    private static bool Fits(long[] target, long[] down, long[] up, long[]? middle)
    {
        if (down.Length < 2 || up.Length < 2 || down[0] < 1 || down[1] != target[1] || up[0] != target[0] || up[1] != down[0]) return false;
        if (Window(up).Length > 0) return false;
        if (middle is null) return Window(down).SequenceEqual(Window(target));
        return Window(down).Length == 0 && middle.Length > 2 && middle[0] == down[0] && middle[1] == down[0]
            && Window(middle).SequenceEqual(Window(target));
    }

    /// <summary>Sizes of a kernel; none for a matrix and for kernels of one pixel.</summary>
    private static long[] Window(long[] shape) => shape[2..].All(size => size == 1) ? [] : shape[2..];

    /// <summary>The numerator of the factor: as the file has it, or the rank, which is a factor of 1.</summary>
    private double Alpha(string component, string? name, long rank)
    {
        if (name is null) return alphas.GetValueOrDefault(component, rank);
        if (source.Describe(name) is { Count: not 1 } entry)
            throw Bad($"holds '{name}' as {entry}, and alpha is one number; name another file, {Option}");
        using var value = source.Read(name);
        using var number = value.to(ScalarType.Float64);
        var alpha = number.reshape(1).data<double>()[0];
        return double.IsFinite(alpha) ? alpha : throw Bad($"holds an alpha that is not a number ('{name}'); name another file, {Option}");
    }

    /// <summary>Alphas of peft that are stored outside of the tensors (diffusers, loaders/lora_base.py).</summary>
    private void ReadMetadata()
    {
        if (source is not SafeTensorsFile file || !file.Metadata.TryGetValue(Metadata, out var json)) return;
        try
        {
            using var document = JsonText.Parse(json);
            foreach (var entry in document.RootElement.EnumerateObject())
            {
                var dot = entry.Name.IndexOf('.', StringComparison.Ordinal);
                var (component, key) = dot > 0 ? (entry.Name[..dot], entry.Name[(dot + 1)..]) : ("unet", entry.Name);
                if (key == "lora_alpha" && entry.Value.ValueKind == JsonValueKind.Number) alphas[component] = entry.Value.GetDouble();
                var isSet = entry.Value.ValueKind == JsonValueKind.True
                    || (entry.Value.ValueKind == JsonValueKind.Object && entry.Value.EnumerateObject().Any());
                if (isSet && key is "use_dora" or "use_rslora" or "alpha_pattern")
                    throw Bad($"was trained with peft's {key}, which is not read here; name a file without, {Option}");
            }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw Bad($"has damaged metadata ({Metadata}); name another file, {Option}");
        }
    }

    /// <summary>The name of a module as the targets have it.</summary>
    private static string Module(string name)
    {
        const string peft = "base_model.model.", suffix = "_lora";
        if (name.StartsWith(peft, StringComparison.Ordinal)) name = name[peft.Length..];
        if (name.EndsWith(suffix, StringComparison.Ordinal)) name = name[..^suffix.Length];
        name = name.Replace(".processor.", ".", StringComparison.Ordinal);
        return OldOutput().Replace(OldText().Replace(name, "$1.$2_proj"), "$1.to_out.0");
    }

    private WeightsException Bad(string sentence) => new($"{source.Location} {sentence}.");

    private WeightsException Misfit(LoraTargets targets, string sentence)
    {
        var keys = source.Names.FirstOrDefault(name => TextKeys().IsMatch(name));
        var trained = (keys is null ? [] : source.Describe(keys).Shape) switch
        {
            [_, 768, ..] => " (Stable Diffusion 1, by its width)",
            [_, 1024, ..] => " (Stable Diffusion 2, by its width)",
            [_, 2048, ..] => " (Stable Diffusion XL, by its width)",
            _ => "",
        };
        return Bad(
            $"does not fit {targets.Model}: {sentence}; a LoRA fits the kind of model that it was trained on{trained}: "
            + $"name one (--model), {Option}");
    }

    [GeneratedRegex(
        """
        ^(?<module>.+?)
        (?:\.lora_(?<half>down|up|mid)\.weight
        |\.lora_(?<half>A|B)(?:\.[^.]+)?\.weight
        |[._]lora(?:_linear_layer)?\.(?<half>down|up)\.weight
        |\.(?<half>alpha))$
        """,
        RegexOptions.CultureInvariant | RegexOptions.IgnorePatternWhitespace)]
    private static partial Regex Tensor();

    [GeneratedRegex(@"(self_attn)\.to_(q|k|v|out)$", RegexOptions.CultureInvariant)]
    private static partial Regex OldText();

    [GeneratedRegex(@"(attn\d)\.to_out$", RegexOptions.CultureInvariant)]
    private static partial Regex OldOutput();

    [GeneratedRegex(@"attn2[._](?:processor\.)?to_k.*(?:down|lora_A)", RegexOptions.CultureInvariant)]
    private static partial Regex TextKeys();
}
