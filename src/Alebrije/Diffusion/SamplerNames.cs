namespace Alebrije.Diffusion;

/// <summary>
/// Names of samplers: those of this program, of diffusers' classes, and of web interfaces. A sampler takes the noise schedule and the
/// prediction type from the checkpoint's own scheduler (diffusers, SchedulerMixin.from_config).
/// </summary>
internal static class SamplerNames
{
    private sealed record Sampler(string Name, string ClassName, Func<SchedulerConfig, SchedulerConfig> Change, params string[] Aliases);

    private static readonly Sampler[] All =
    [
        new("ddim", "DDIMScheduler", Same),
        new("ddpm", "DDPMScheduler", Same),
        new("euler", "EulerDiscreteScheduler", Same),
        new("euler-karras", "EulerDiscreteScheduler", Karras),
        new("euler-a", "EulerAncestralDiscreteScheduler", Same, "euler-ancestral"),
        new("heun", "HeunDiscreteScheduler", Same),
        new("lms", "LMSDiscreteScheduler", Same),
        new("lms-karras", "LMSDiscreteScheduler", Karras),
        new("pndm", "PNDMScheduler", Same),
        new("plms", "PNDMScheduler", config => config with { SkipPrkSteps = true }),
        new("dpm++-2m", "DPMSolverMultistepScheduler", Same, "dpmpp-2m", "dpmsolver++"),
        new("dpm++-2m-karras", "DPMSolverMultistepScheduler", Karras, "dpmpp-2m-karras"),
        new("dpm++-2m-sde", "DPMSolverMultistepScheduler", Stochastic, "dpmpp-2m-sde"),
        new("dpm++-2m-sde-karras", "DPMSolverMultistepScheduler", config => Karras(Stochastic(config)), "dpmpp-2m-sde-karras"),
        new("dpm++-3m", "DPMSolverMultistepScheduler", config => config with { SolverOrder = 3 }, "dpmpp-3m"),
        new("unipc", "UniPCMultistepScheduler", Same),
        new("lcm", "LCMScheduler", Same),
    ];

    /// <summary>Names of this program.</summary>
    public static IReadOnlyList<string> Known { get; } = [.. All.Select(sampler => sampler.Name)];

    /// <summary>Maps a common name to this program's name; null if it is unknown.</summary>
    public static string? Find(string name) => FindSampler(name)?.Name;

    /// <summary>The configuration of a sampler on a checkpoint's schedule.</summary>
    /// <param name="own">The checkpoint's own configuration.</param>
    /// <param name="name">A name that <see cref="Find"/> accepts.</param>
    /// <exception cref="ArgumentException">There is no such sampler.</exception>
    public static SchedulerConfig Config(SchedulerConfig own, string name)
    {
        var sampler = FindSampler(name) ?? throw new ArgumentException(Refusal(name));
        return sampler.Change(own.As(sampler.ClassName));
    }

    /// <summary>Error message for an unknown name, one sentence.</summary>
    public static string Refusal(string name) => $"There is no sampler {name}; there are {string.Join(", ", Known)}.";

    private static Sampler? FindSampler(string name)
    {
        var plain = Plain(name);
        return All.FirstOrDefault(sampler => Plain(sampler.Name) == plain || sampler.Aliases.Any(alias => Plain(alias) == plain))
            ?? All.FirstOrDefault(sampler => sampler.ClassName == name);
    }

    /// <summary>Normalises a name: "DPM++ 2M Karras" and "dpm++-2m-karras" are equal.</summary>
    private static string Plain(string name) => new([.. name.ToLowerInvariant().Where(c => char.IsLetterOrDigit(c) || c == '+')]);

    private static SchedulerConfig Same(SchedulerConfig config) => config;

    private static SchedulerConfig Karras(SchedulerConfig config) => config with { UseKarrasSigmas = true };

    private static SchedulerConfig Stochastic(SchedulerConfig config) => config with { AlgorithmType = "sde-dpmsolver++" };
}
