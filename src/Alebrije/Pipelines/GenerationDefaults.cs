using Alebrije.Weights;

namespace Alebrije.Pipelines;

/// <summary>What a model does when a request leaves it open: <c>generation_config.json</c> beside the index, or the reference pipeline's defaults.</summary>
internal sealed record GenerationDefaults
{
    /// <summary>Its name beside model_index.json.</summary>
    public const string FileName = "generation_config.json";

    public int Steps { get; init; } = 20;
    public double Guidance { get; init; } = 10;
    public int PriorSteps { get; init; } = 25;
    public double PriorGuidance { get; init; } = 4;

    /// <summary>0 to 999: how much noise the image embedding gets before the decoder sees it.</summary>
    public int NoiseLevel { get; init; }

    /// <summary>Steps of the upsampler, where there is one (diffusers, pipeline_unclip.py).</summary>
    public int UpsamplerSteps { get; init; } = 7;

    /// <summary>0 (as the reference) to 1: how far the upsampler's picture, made small again, is held to the small one (<see cref="Upsampler.Fidelity"/>).</summary>
    public double UpsamplerFidelity { get; init; }

    /// <summary>Karlo's (diffusers, pipeline_unclip.py).</summary>
    public static GenerationDefaults OfKarlo { get; } = new() { Steps = 25, Guidance = 8 };

    /// <summary>Kandinsky's: the reference takes 100 steps, its model cards half of that.</summary>
    public static GenerationDefaults OfKandinsky { get; } = new() { Steps = 50, Guidance = 4 };

    /// <summary>The folder's own values.</summary>
    /// <param name="folder">A pipeline's folder.</param>
    /// <param name="otherwise">What holds where the folder has none; null: Stable unCLIP's.</param>
    public static GenerationDefaults Load(string folder, GenerationDefaults? otherwise = null)
    {
        var file = Path.Combine(folder, FileName);
        return File.Exists(file) ? ConfigFile.Read<GenerationDefaults>(file, unknownKeysAllowed: false) : otherwise ?? new GenerationDefaults();
    }

    public void Save(string folder) => ConfigFile.Write(Path.Combine(folder, FileName), this);
}
