namespace Alebrije.Diffusion;

/// <summary>Builds the sampler that a configuration names.</summary>
internal static class Schedulers
{
    /// <summary>Names of the built-in classes.</summary>
    public static IReadOnlyList<string> Known { get; } =
    [
        "UnCLIPScheduler", "DDPMScheduler", "DDIMScheduler", "DDIMInverseScheduler",
        "EulerDiscreteScheduler", "EulerAncestralDiscreteScheduler", "DPMSolverMultistepScheduler",
        "PNDMScheduler", "LMSDiscreteScheduler", "HeunDiscreteScheduler", "LCMScheduler", "UniPCMultistepScheduler",
    ];

    /// <summary>
    /// Builds from a scheduler's folder or its <c>scheduler_config.json</c>; exceptions as <see cref="SchedulerConfig.Load"/>.
    /// </summary>
    public static IScheduler Create(string path) => Create(SchedulerConfig.Load(path));

    /// <summary>Builds from a configuration.</summary>
    /// <exception cref="NotSupportedException">The class, or a value of its configuration, is not supported.</exception>
    public static IScheduler Create(SchedulerConfig config) => config.ClassName switch
    {
        "UnCLIPScheduler" => new UnClipScheduler(config),
        "DDPMScheduler" => new DdpmScheduler(config),
        "DDIMScheduler" => new DdimScheduler(config),
        "DDIMInverseScheduler" => new DdimInverseScheduler(config),
        "EulerDiscreteScheduler" => new EulerScheduler(config),
        "EulerAncestralDiscreteScheduler" => new EulerAncestralScheduler(config),
        "DPMSolverMultistepScheduler" => new DpmSolverScheduler(config),
        "PNDMScheduler" => new PndmScheduler(config),
        "LMSDiscreteScheduler" => new LmsScheduler(config),
        "HeunDiscreteScheduler" => new HeunScheduler(config),
        "LCMScheduler" => new LcmScheduler(config),
        "UniPCMultistepScheduler" => new UniPcScheduler(config),
        _ => throw Unknown(config.ClassName),
    };

    /// <summary>Exception for a class that is not built in.</summary>
    public static NotSupportedException Unknown(string className) =>
        new($"Scheduler class \"{className}\" is not supported; these are: {string.Join(", ", Known)}.");
}
