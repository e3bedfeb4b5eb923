using Alebrije.Models.Clip;
using Alebrije.Tensors;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Alebrije.Training;

/// <summary>Initial weights from a seed of their own, so that a run is the same wherever it starts.</summary>
internal static class SeededInit
{
    /// <summary>PyTorch's defaults: Kaiming uniform with a = √5 for weight matrices, ones and zeros for norms.</summary>
    public static void Apply(nn.Module module, ulong seed)
    {
        using var _ = no_grad();
        using var noise = new Noise(unchecked((long)seed));
        var parameters = module.named_parameters().ToDictionary(p => p.name, p => p.parameter);
        foreach (var (name, parameter) in parameters.OrderBy(p => p.Key, StringComparer.Ordinal))
        {
            if (parameter.ndim >= 2)
            {
                Draw(parameter, Bound(parameter), noise);
            }
            else if (name.EndsWith("bias", StringComparison.Ordinal))
            {
                var bound = parameters.TryGetValue(name[..^4] + "weight", out var weight) && weight.ndim >= 2 ? Bound(weight) : 0;
                if (bound > 0) Draw(parameter, bound, noise);
                else parameter.zero_();
            }
            else if (name.EndsWith("weight", StringComparison.Ordinal))
            {
                parameter.fill_(1);
            }
        }
    }

    /// <summary>CLIP's own initialisation (openai/CLIP model.py, initialize_parameters; transformers' _init_weights).</summary>
    public static void Apply(ClipNetwork network, ulong seed)
    {
        var (text, vision) = (network.Config.TextConfig, network.Config.VisionConfig);
        Apply(network, seed, name => name.StartsWith("text_", StringComparison.Ordinal)
            ? (text.HiddenSize, text.NumHiddenLayers) : (vision.HiddenSize, vision.NumHiddenLayers));
    }

    /// <summary>The same for a network with towers of CLIP's in it.</summary>
    /// <param name="module">The network.</param>
    /// <param name="seed">Seed of the weights.</param>
    /// <param name="sizes">Width and number of blocks of the tower that a parameter belongs to, by its name.</param>
    public static void Apply(nn.Module module, ulong seed, Func<string, (int Width, int Layers)> sizes)
    {
        Apply(module, seed);
        using var _ = no_grad();
        using var noise = new Noise(unchecked((long)seed + 1));
        foreach (var (name, parameter) in module.named_parameters().OrderBy(p => p.name, StringComparer.Ordinal))
        {
            var (width, layers) = sizes(name);
            if (Deviation(name, width, layers) is { } deviation) DrawNormal(parameter, deviation, noise);
            else if (parameter.ndim == 1 && name.EndsWith("bias", StringComparison.Ordinal)) parameter.zero_();
        }
    }

    private static double? Deviation(string name, int width, int layers)
    {
        var residual = Math.Pow(2 * layers, -0.5);
        return name switch
        {
            _ when name.EndsWith("token_embedding.weight", StringComparison.Ordinal) => 0.02,
            _ when name.EndsWith("position_embedding.weight", StringComparison.Ordinal) => 0.02,
            _ when name.EndsWith("patch_embedding.weight", StringComparison.Ordinal) => 0.02,
            _ when name.EndsWith("class_embedding", StringComparison.Ordinal) => Math.Pow(width, -0.5),
            _ when name.EndsWith("projection.weight", StringComparison.Ordinal) => Math.Pow(width, -0.5),
            _ when name.EndsWith("out_proj.weight", StringComparison.Ordinal) => Math.Pow(width, -0.5) * residual,
            _ when name.Contains("_proj.weight", StringComparison.Ordinal) => Math.Pow(width, -0.5),
            _ when name.EndsWith("fc1.weight", StringComparison.Ordinal) => Math.Pow(2 * width, -0.5),
            _ when name.EndsWith("fc2.weight", StringComparison.Ordinal) => Math.Pow(width, -0.5) * residual,
            _ => null,
        };
    }

    /// <summary>Uniform in [-bound, bound). Drawn here because TorchSharp's nn.init ignores its generator.</summary>
    private static void Draw(Parameter parameter, double bound, Noise noise)
    {
        using var scope = NewDisposeScope();
        parameter.copy_((noise.Uniform(parameter.shape) * (2 * bound)) - bound);
    }

    private static void DrawNormal(Parameter parameter, double deviation, Noise noise)
    {
        using var scope = NewDisposeScope();
        parameter.copy_(noise.Randn(parameter.shape) * deviation);
    }

    private static double Bound(Parameter weight) => 1 / Math.Sqrt(Math.Max(1, weight.numel() / weight.shape[0]));
}
