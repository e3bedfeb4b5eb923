using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Alebrije.Weights;

namespace Alebrije.Diffusion;

/// <summary>
/// <c>scheduler_config.json</c>: every key of a published scheduler. Missing and null keys take the constructor default of the class named
/// by <c>_class_name</c> (diffusers, src/diffusers/schedulers); unknown keys are ignored.
/// </summary>
internal sealed record SchedulerConfig
{
    /// <summary>File name inside a scheduler's folder.</summary>
    public const string FileName = "scheduler_config.json";

    private const string ClassKey = "_class_name";

    /// <summary>Keys in the file; empty for constructor defaults alone.</summary>
    private FileKeys own;

    [JsonPropertyName(ClassKey)]
    public required string ClassName { get; init; }

    [JsonPropertyName("num_train_timesteps")]
    public int TrainTimesteps { get; init => field = Positive(value, "num_train_timesteps"); } = 1000;

    public double BetaStart { get; init; } = 0.0001;
    public double BetaEnd { get; init; } = 0.02;
    public string BetaSchedule { get; init; } = "linear";
    public IReadOnlyList<float>? TrainedBetas { get; init; }
    public bool RescaleBetasZeroSnr { get; init; }

    [JsonConverter(typeof(PredictionTypeConverter))]
    public PredictionType PredictionType { get; init; } = PredictionType.Epsilon;

    public string? VarianceType { get; init; }
    public bool ClipSample { get; init; }
    public float ClipSampleRange { get; init; } = 1;
    public bool Thresholding { get; init; }
    public double DynamicThresholdingRatio { get; init; } = 0.995;
    public double SampleMaxValue { get; init; } = 1;
    public bool SetAlphaToOne { get; init; } = true;
    public int StepsOffset { get; init; }
    public string TimestepSpacing { get; init; } = "leading";
    public string TimestepType { get; init; } = "discrete";
    public string InterpolationType { get; init; } = "linear";
    public bool UseKarrasSigmas { get; init; }
    public bool UseExponentialSigmas { get; init; }
    public bool UseBetaSigmas { get; init; }
    public double? SigmaMin { get; init; }
    public double? SigmaMax { get; init; }
    public string FinalSigmasType { get; init; } = "zero";
    public string AlgorithmType { get; init; } = "dpmsolver++";
    public int SolverOrder { get; init; } = 2;
    public string SolverType { get; init; } = "midpoint";
    public bool LowerOrderFinal { get; init; } = true;
    public bool EulerAtFinal { get; init; }
    public double LambdaMinClipped { get; init; } = double.NegativeInfinity;
    public bool UseLuLambdas { get; init; }
    public bool UseFlowSigmas { get; init; }
    public bool SkipPrkSteps { get; init; }
    public int OriginalInferenceSteps { get; init => field = Positive(value, "original_inference_steps"); } = 50;
    public double TimestepScaling { get; init; } = 10;
    public bool PredictX0 { get; init; } = true;
    public IReadOnlyList<int>? DisableCorrector { get; init; }

    /// <summary>
    /// DDIM on this configuration's schedule, from the last training timestep to the image, without clipping, so that its steps can be
    /// inverted (Song et al., 2021, §4.3; Ramesh et al., 2022, §3.1).
    /// </summary>
    public SchedulerConfig ForDdim() => this with
    {
        ClassName = "DDIMScheduler", TimestepSpacing = "trailing", StepsOffset = 0,
        SetAlphaToOne = true, ClipSample = false, Thresholding = false, VarianceType = null,
    };

    /// <summary>The constructor defaults of a scheduler class.</summary>
    /// <exception cref="NotSupportedException">No scheduler of that name is built in.</exception>
    public static SchedulerConfig For(string className) => new SchedulerConfig { ClassName = className } is var common ? className switch
    {
        "UnCLIPScheduler" => common with { BetaSchedule = "squaredcos_cap_v2", VarianceType = "fixed_small_log", ClipSample = true },
        "DDPMScheduler" => common with { VarianceType = "fixed_small", ClipSample = true },
        "DDIMScheduler" or "DDIMInverseScheduler" => common with { ClipSample = true },
        "PNDMScheduler" => common with { SetAlphaToOne = false },
        "LCMScheduler" => common with { BetaStart = 0.00085, BetaEnd = 0.012, BetaSchedule = "scaled_linear" },
        "EulerDiscreteScheduler" or "EulerAncestralDiscreteScheduler" or "LMSDiscreteScheduler"
            or "DPMSolverMultistepScheduler" => common with { TimestepSpacing = "linspace" },
        "HeunDiscreteScheduler" => common with { BetaStart = 0.00085, BetaEnd = 0.012, TimestepSpacing = "linspace" },
        "UniPCMultistepScheduler" => common with { TimestepSpacing = "linspace", SolverType = "bh2" },
        _ => throw Schedulers.Unknown(className),
    } : common;

    /// <summary>Reads <c>scheduler_config.json</c>, or the file of that name inside a folder.</summary>
    /// <exception cref="CheckpointNotFoundException">There is no such file.</exception>
    /// <exception cref="WeightsException">The file is not a scheduler's configuration; the message names file and key.</exception>
    /// <exception cref="NotSupportedException">The file names a class that is not built in.</exception>
    public static SchedulerConfig Load(string path)
    {
        if (Directory.Exists(path)) path = Path.Combine(path, FileName);
        return Of(ConfigFile.ReadObject(path), path);
    }

    /// <summary>Reads the text of a <c>scheduler_config.json</c>; exceptions as <see cref="Load"/>.</summary>
    public static SchedulerConfig Parse(string json) => Of(ConfigFile.ParseObject(json, FileName), FileName);

    /// <summary>
    /// Another scheduler class with the keys of this file, and its own defaults for all others (diffusers, SchedulerMixin.from_config).
    /// </summary>
    /// <exception cref="NotSupportedException">No scheduler of that name is built in.</exception>
    public SchedulerConfig As(string className) =>
        own.Keys is { } keys ? Of(className, keys, FileName) : this with { ClassName = className };

    private static SchedulerConfig Of(JsonObject keys, string file)
    {
        if (keys[ClassKey] is not JsonValue name || name.GetValueKind() != JsonValueKind.String)
            throw new WeightsException(
                $"{file} has no \"{ClassKey}\", so the sampler is unknown: give the file that the checkpoint was published with.");
        keys.Remove(ClassKey);
        if (keys["set_alpha_to_zero"] is { } inverse) keys["set_alpha_to_one"] = inverse.DeepClone();
        return Of(name.GetValue<string>(), keys, file);
    }

    private static SchedulerConfig Of(string className, JsonObject keys, string file) =>
        ConfigFile.Overlay(For(className), keys, file) with { own = new FileKeys(keys) };

    /// <summary>Keys of a file. Configurations with equal values are equal, regardless of the source of the values.</summary>
    private readonly struct FileKeys(JsonObject keys) : IEquatable<FileKeys>
    {
        public JsonObject? Keys => keys;

        public bool Equals(FileKeys other) => true;

        public override bool Equals(object? obj) => obj is FileKeys;

        public override int GetHashCode() => 0;
    }

    /// <summary>Exception for a value that the class does not support.</summary>
    public NotSupportedException Unsupported(string key, object? value, string supported) =>
        new($"{ClassName} does not support \"{key}\": \"{value}\"; supported: {supported}.");

    private static int Positive(int value, string key) =>
        value > 0 ? value : throw new ArgumentException($"\"{key}\" is {value}; a number above zero is needed.");
}
