using Alebrije.Pipelines;
using Alebrije.Pipelines.StableDiffusion;
using Alebrije.Preprocessing.Tokenizers;
using Alebrije.Tensors;
using Alebrije.Tests.Weights;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Tests.Pipelines;

/// <summary>A module of a LoRA: its names, written down from the published files and independently of the code under test.</summary>
/// <param name="Component">Component of the pipeline.</param>
/// <param name="Module">Name in diffusers or transformers.</param>
/// <param name="Old">Name in early versions of diffusers.</param>
/// <param name="Ldm">Name in the original code, or null if there is none.</param>
internal sealed record LoraModule(string Component, string Module, string Old, string? Ldm = null);

/// <summary>LoRA files with known factors, and the resulting weights, computed element by element.</summary>
internal static class LoraMaker
{
    public const int Rank = 3;

    /// <summary>Writes a file.</summary>
    /// <param name="file">The file.</param>
    /// <param name="folder">The model.</param>
    /// <param name="modules">Modules.</param>
    /// <param name="style">Names: kohya, ldm, peft, diffusers, old, or old without component (bare).</param>
    /// <param name="seed">Seed of the factors.</param>
    /// <param name="alpha">Alpha; null: none in the file.</param>
    /// <returns>Factors by component and weight.</returns>
    public static Dictionary<(string Component, string Weight), (float[] Up, float[] Down)> Write(
        string file, string folder, LoraModule[] modules, string style, int seed = 1, double? alpha = null)
    {
        using var scope = NewDisposeScope();
        using var noise = new Noise(seed);
        var (tensors, factors) = (new Dictionary<string, Tensor>(), new Dictionary<(string, string), (float[], float[])>());
        foreach (var module in modules)
        {
            var shape = Weights(folder, module.Component)[module.Module + ".weight"].Shape;
            var (up, down) = (noise.Randn([shape[0], Rank]), noise.Randn([Rank, .. shape[1..]]));
            factors[(module.Component, module.Module + ".weight")] = (Numbers(up), Numbers(down));
            var (first, second, stem) = Names(module, style, folder);
            tensors[first] = down;
            tensors[second] = shape.Length == 4 ? up.reshape(shape[0], Rank, 1, 1) : up;
            if (alpha is { } value) tensors[stem + ".alpha"] = tensor((float)value);
        }

        if (file.EndsWith(".bin", StringComparison.Ordinal)) PickleWriter.SaveTensors(file, tensors);
        else SafeTensorsWriter.Write(file, tensors);
        return factors;
    }

    /// <summary>W + Σ factor · up · down, element by element.</summary>
    public static float[] Expected(float[] weight, params (double Factor, float[] Up, float[] Down)[] additions)
    {
        var sums = weight.Select(number => (double)number).ToArray();
        foreach (var (factor, up, down) in additions)
        {
            var columns = down.Length / Rank;
            for (var i = 0; i < sums.Length; i++)
            {
                var product = 0.0;
                for (var k = 0; k < Rank; k++) product += (double)up[(i / columns * Rank) + k] * down[(k * columns) + (i % columns)];
                sums[i] += product * factor;
            }
        }

        return [.. sums.Select(sum => (float)sum)];
    }

    /// <summary>Values and shapes of a component's weights.</summary>
    public static Dictionary<string, (long[] Shape, float[] Numbers)> Weights(string folder, string component)
    {
        using var scope = NewDisposeScope();
        using var source = CheckpointFolder.OpenWeights(Path.Combine(folder, component));
        return source.Names.ToDictionary(name => name, name => (source.Describe(name).Shape, Numbers(source.Read(name))));
    }

    /// <summary>Weights of a component as a request changes them.</summary>
    public static Dictionary<string, float[]> Adapted<T>(
        string folder, string component, AdapterInputs inputs, ScalarType? type = null) where T : nn.Module
    {
        var opened = PipelineFolder.Open(folder);
        using var adapters = Adapters.Open(inputs, opened, Tokenizers(opened));
        using var network = opened.Load<T>(component, type, adapters.Edits(component));
        return network.state_dict().ToDictionary(pair => pair.Key, pair => Numbers(pair.Value));
    }

    /// <summary>Tokenizers of a model.</summary>
    public static Dictionary<string, ClipTokenizer> Tokenizers(PipelineFolder folder) =>
        folder.Components.Keys.Where(name => name.StartsWith("text_encoder", StringComparison.Ordinal))
            .ToDictionary(
                name => name, name => ClipTokenizer.Load(folder.Of(name.Replace("text_encoder", "tokenizer", StringComparison.Ordinal))));

    /// <summary>Writes a component with other weights.</summary>
    public static void Replace(string folder, string component, IReadOnlyDictionary<string, float[]> changed)
    {
        using var scope = NewDisposeScope();
        var file = Directory.GetFiles(Path.Combine(folder, component), "*.safetensors").Single();
        var all = Weights(folder, component).ToDictionary(
            pair => pair.Key, pair => tensor(changed.GetValueOrDefault(pair.Key) ?? pair.Value.Numbers).reshape(pair.Value.Shape));
        SafeTensorsWriter.Write(file, all);
    }

    /// <summary>Runs a request.</summary>
    public static GenerationResult Drawn(this ImagePipeline pipeline, GenerationRequest request) =>
        pipeline.Generate(request, cancellation: TestContext.Current.CancellationToken);

    /// <summary>Runs requests, in batches where possible.</summary>
    public static IReadOnlyList<GenerationResult> DrawnMany(this ImagePipeline pipeline, IEnumerable<GenerationRequest> requests) =>
        [.. pipeline.GenerateMany(requests, cancellation: TestContext.Current.CancellationToken)];

    /// <summary>Values of a tensor, as float32.</summary>
    public static float[] Numbers(Tensor tensor)
    {
        using var plain = tensor.detach().to(ScalarType.Float32).contiguous();
        return plain.data<float>().ToArray();
    }

    private static (string Down, string Up, string Stem) Names(LoraModule module, string style, string folder)
    {
        var isXl = Directory.Exists(Path.Combine(folder, "text_encoder_2"));
        var prefix = module.Component switch
        {
            "unet" => "lora_unet_",
            "text_encoder_2" => "lora_te2_",
            _ => isXl ? "lora_te1_" : "lora_te_",
        };
        var flat = prefix + ((style == "ldm" ? module.Ldm : null) ?? module.Module).Replace('.', '_');
        return style switch
        {
            "kohya" or "ldm" => ($"{flat}.lora_down.weight", $"{flat}.lora_up.weight", flat),
            "peft" => Pair($"{module.Component}.{module.Module}", ".lora_A.weight", ".lora_B.weight"),
            "diffusers" when module.Component == "unet" => Pair($"unet.{module.Module}", ".lora.down.weight", ".lora.up.weight"),
            "diffusers" => Pair($"{module.Component}.{module.Module}", ".lora_linear_layer.down.weight", ".lora_linear_layer.up.weight"),
            _ => Pair((style == "bare" ? "" : module.Component + ".") + module.Old, "_lora.down.weight", "_lora.up.weight"),
        };

        static (string, string, string) Pair(string stem, string down, string up) => (stem + down, stem + up, stem);
    }
}
