using System.Globalization;
using Alebrije.Weights;

namespace Alebrije.Pipelines;

/// <summary>
/// Defaults of a model for open fields of a request: <c>generation_config.json</c> next to the index, or the reference pipeline's.
/// </summary>
internal sealed record GenerationDefaults
{
    /// <summary>Its name, next to model_index.json.</summary>
    public const string FileName = "generation_config.json";

    public int Steps { get; init; } = 20;
    public double Guidance { get; init; } = 10;
    public int PriorSteps { get; init; } = 25;
    public double PriorGuidance { get; init; } = 4;

    /// <summary>Timestep, 0 to 999, at which the image embedding, or the small image of an upscaler, is noised.</summary>
    public int NoiseLevel { get; init; }

    /// <summary>Share of the steps taken from an initial image, above 0 and at most 1.</summary>
    public double Strength { get; init; } = 0.8;

    /// <summary>
    /// Noise on the first guess from which the steps start, for decoders that have one: a share of the schedule, above 0; 1 starts from
    /// noise alone.
    /// </summary>
    public double GuessStrength { get; init; } = 1;

    /// <summary>Steps of the upsampler, where there is one (diffusers, pipeline_unclip.py).</summary>
    public int UpsamplerSteps { get; init; } = 7;

    /// <summary>From 0 (as the reference) to 1: fidelity of the upsampler to the small image (<see cref="Upsampler.Fidelity"/>).</summary>
    public double UpsamplerFidelity { get; init; }

    /// <summary>Karlo's (diffusers, pipeline_unclip.py).</summary>
    public static GenerationDefaults OfKarlo { get; } = new() { Steps = 25, Guidance = 8 };

    /// <summary>Kandinsky's: the reference takes 100 steps, its model cards half of that.</summary>
    public static GenerationDefaults OfKandinsky { get; } = new() { Steps = 50, Guidance = 4, Strength = 0.3 };

    /// <summary>Stable Diffusion 1 and 2 (diffusers, pipeline_stable_diffusion.py).</summary>
    public static GenerationDefaults OfStableDiffusion { get; } = new() { Steps = 50, Guidance = 7.5 };

    /// <summary>SDXL (diffusers, pipeline_stable_diffusion_xl.py).</summary>
    public static GenerationDefaults OfStableDiffusionXl { get; } = new() { Steps = 50, Guidance = 5, Strength = 0.3 };

    /// <summary>Latent consistency models (diffusers, pipeline_latent_consistency_text2img.py).</summary>
    public static GenerationDefaults OfLatentConsistency { get; } = new() { Steps = 4, Guidance = 8.5 };

    /// <summary>Stable Diffusion's x4 upscaler (diffusers, pipeline_stable_diffusion_upscale.py).</summary>
    public static GenerationDefaults OfUpscaler { get; } = new() { Steps = 75, Guidance = 9, NoiseLevel = 20 };

    /// <summary>First stage of DeepFloyd IF (diffusers, pipeline_if.py).</summary>
    public static GenerationDefaults OfDeepFloyd { get; } = new() { Steps = 100, Guidance = 7, Strength = 0.7 };

    /// <summary>Second stage of DeepFloyd IF (diffusers, pipeline_if_superresolution.py).</summary>
    public static GenerationDefaults OfDeepFloydLater { get; } = new() { Steps = 50, Guidance = 4, NoiseLevel = 250, Strength = 0.8 };

    /// <summary>The folder's own values.</summary>
    /// <param name="folder">A pipeline's folder.</param>
    /// <param name="otherwise">Defaults for a folder that has none; null: Stable unCLIP's.</param>
    /// <exception cref="WeightsException">A value is out of its range; one sentence.</exception>
    public static GenerationDefaults Load(string folder, GenerationDefaults? otherwise = null)
    {
        var file = Path.Combine(folder, FileName);
        if (!File.Exists(file)) return otherwise ?? new GenerationDefaults();
        var read = ConfigFile.Read<GenerationDefaults>(file, unknownKeysAllowed: false);
        try
        {
            new GenerationRequest
            {
                Prompt = "", Steps = read.Steps, Guidance = read.Guidance, PriorSteps = read.PriorSteps, PriorGuidance = read.PriorGuidance,
                UpsamplerSteps = read.UpsamplerSteps, NoiseLevel = read.NoiseLevel,
            }.Check(promptNeeded: false);
        }
        catch (ArgumentException e)
        {
            throw new WeightsException($"{file} has a value out of its range: {e.Message}", e);
        }

        if (!(read.UpsamplerFidelity is >= 0 and <= 1)) throw new WeightsException(string.Create(CultureInfo.InvariantCulture,
            $"{file} has upsampler_fidelity {read.UpsamplerFidelity}, but it is a share: from 0 to 1."));
        foreach (var (name, share) in new[] { ("strength", read.Strength), ("guess_strength", read.GuessStrength) })
            if (share is not (> 0 and <= 1)) throw new WeightsException(string.Create(
                CultureInfo.InvariantCulture, $"{file} has {name} {share}, but it is a share of the steps: above 0, at most 1."));
        return read;
    }

    public void Save(string folder) => ConfigFile.Write(Path.Combine(folder, FileName), this);
}
