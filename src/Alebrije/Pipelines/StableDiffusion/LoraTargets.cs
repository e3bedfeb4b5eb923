using Alebrije.Models.UNets;
using Alebrije.Published;
using Alebrije.Weights;

namespace Alebrije.Pipelines.StableDiffusion;

/// <summary>A weight that a LoRA may change.</summary>
/// <param name="Component">Component of the folder.</param>
/// <param name="Weight">Name of the weight in its network.</param>
/// <param name="Shape">[output, input] or [output, input, kernel, kernel]</param>
internal sealed record LoraTarget(string Component, string Weight, long[] Shape);

/// <summary>The matrices and kernels of a model by the names that files of LoRA give them.</summary>
internal sealed class LoraTargets
{
    private const string Ending = ".weight";

    private readonly Dictionary<string, LoraTarget> targets = new(StringComparer.Ordinal);

    /// <param name="folder">A pipeline of Stable Diffusion.</param>
    public LoraTargets(PipelineFolder folder)
    {
        Model = folder.Name;
        var isXl = folder.Has("text_encoder_2");
        var renames = UNet2DConditionKeyMap.FromStableDiffusion(folder.Config<UNet2DConditionConfig>("unet"), "").Renames;
        Add(folder, "unet", ["lora_unet_"]);
        if (folder.Has("text_encoder")) Add(folder, "text_encoder", isXl ? ["lora_te1_"] : ["lora_te_"]);
        if (isXl) Add(folder, "text_encoder_2", ["lora_te2_"]);
        foreach (var target in targets.Values.Where(target => target.Component == "unet").Distinct().ToArray())
        {
            var module = target.Weight[..^Ending.Length];
            // Attention processors of early versions of diffusers, without the component.
            targets.TryAdd(module, target);
            targets.TryAdd("lora_unet_" + Flat(OriginalTrunk.Original(module, renames)), target);
        }
    }

    /// <summary>Name of the model.</summary>
    public string Model { get; }

    /// <summary>The weight of a module's name in a file; null where the model has none.</summary>
    public LoraTarget? Find(string module) => targets.GetValueOrDefault(module);

    private void Add(PipelineFolder folder, string component, string[] prefixes)
    {
        foreach (var (name, shape) in folder.Names(component))
        {
            if (shape.Length < 2 || !name.EndsWith(Ending, StringComparison.Ordinal)) continue;
            var (target, module) = (new LoraTarget(component, name, shape), name[..^Ending.Length]);
            targets.Add($"{component}.{module}", target);
            foreach (var prefix in prefixes) targets.TryAdd(prefix + Flat(module), target);
        }
    }

    private static string Flat(string module) => module.Replace('.', '_');
}
