using System.Text.Json;
using System.Text.RegularExpressions;

namespace Alebrije.Diffusion;

/// <summary>
/// <c>scheduler_config.json</c>: every key that a published scheduler has. Missing and null keys take the constructor default of the class
/// named by <c>_class_name</c> (diffusers, src/diffusers/schedulers); unknown keys are ignored.
/// </summary>
internal sealed partial record SchedulerConfig
{
    /// <summary>File name inside a scheduler's folder.</summary>
    public const string FileName = "scheduler_config.json";

    /// <summary>Keys that the file has; none for constructor defaults alone.</summary>
    private FileKeys own;

    public required string ClassName { get; init; }
    public int TrainTimesteps { get; init; } = 1000;
    public double BetaStart { get; init; } = 0.0001;
    public double BetaEnd { get; init; } = 0.02;
    public string BetaSchedule { get; init; } = "linear";
    public IReadOnlyList<float>? TrainedBetas { get; init; }
    public bool RescaleBetasZeroSnr { get; init; }
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
    public int OriginalInferenceSteps { get; init; } = 50;
    public double TimestepScaling { get; init; } = 10;
    public bool PredictX0 { get; init; } = true;
    public IReadOnlyList<int> DisableCorrector { get; init; } = [];

    /// <summary>
    /// DDIM on this configuration's schedule, from the last training timestep to the picture itself, without clipping, so that its steps can be
    /// taken backwards (Song et al., 2021, §4.3; Ramesh et al., 2022, §3.1).
    /// </summary>
    public SchedulerConfig ForDdim() => this with
    {
        ClassName = "DDIMScheduler", TimestepSpacing = "trailing", StepsOffset = 0, SetAlphaToOne = true, ClipSample = false, Thresholding = false, VarianceType = null,
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
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">It is not a scheduler's configuration; the message names the key.</exception>
    /// <exception cref="NotSupportedException">It names a class that is not built in.</exception>
    public static SchedulerConfig Load(string path)
    {
        if (Directory.Exists(path)) path = Path.Combine(path, FileName);
        if (!File.Exists(path)) throw new FileNotFoundException($"No {FileName} at {path}: point at a scheduler's folder or file.", path);
        try
        {
            return Parse(File.ReadAllText(path));
        }
        catch (InvalidDataException e)
        {
            throw new InvalidDataException($"{path}: {e.Message}", e);
        }
    }

    /// <summary>Reads the text of a <c>scheduler_config.json</c>.</summary>
    public static SchedulerConfig Parse(string json)
    {
        try
        {
            // Python's json writes infinities bare ("lambda_min_clipped": -Infinity), which JSON does not know.
            using var document = JsonDocument.Parse(BareInfinity().Replace(json, "\"$1\""));
            var root = document.RootElement;
            if (root.ValueKind != JsonValueKind.Object || !root.TryGetProperty("_class_name", out var name)
                || name.ValueKind != JsonValueKind.String)
                throw new InvalidDataException(
                    "it has no \"_class_name\", so the sampler is unknown: give the file that the checkpoint was published with.");
            JsonProperty[] members = [.. root.Clone().EnumerateObject().Where(member => member.Value.ValueKind != JsonValueKind.Null)];
            return Of(name.GetString()!, members);
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"it is not valid JSON: it breaks off at line {e.LineNumber + 1}, byte {e.BytePositionInLine + 1}.", e);
        }
    }

    /// <summary>Another scheduler class with the keys of this file, its own defaults for all others (diffusers, SchedulerMixin.from_config).</summary>
    /// <exception cref="NotSupportedException">No scheduler of that name is built in.</exception>
    public SchedulerConfig As(string className) => own.Members is { } members ? Of(className, members) : this with { ClassName = className };

    private static SchedulerConfig Of(string className, IReadOnlyList<JsonProperty> members) =>
        members.Aggregate(For(className), (config, member) => config.With(member.Name, member.Value)) with { own = new FileKeys(members) };

    /// <summary>Keys of a file. Configurations with the same values are equal, wherever their values are from.</summary>
    private readonly struct FileKeys(IReadOnlyList<JsonProperty> members) : IEquatable<FileKeys>
    {
        public IReadOnlyList<JsonProperty>? Members => members;

        public bool Equals(FileKeys other) => true;

        public override bool Equals(object? obj) => obj is FileKeys;

        public override int GetHashCode() => 0;
    }

    private SchedulerConfig With(string key, JsonElement value)
    {
        try
        {
            return key switch
            {
                "num_train_timesteps" => this with { TrainTimesteps = Positive(value.GetInt32()) },
                "beta_start" => this with { BetaStart = value.GetDouble() },
                "beta_end" => this with { BetaEnd = value.GetDouble() },
                "beta_schedule" => this with { BetaSchedule = value.GetString()! },
                "trained_betas" => this with { TrainedBetas = [.. value.EnumerateArray().Select(beta => beta.GetSingle())] },
                "rescale_betas_zero_snr" => this with { RescaleBetasZeroSnr = value.GetBoolean() },
                "prediction_type" => this with { PredictionType = Parameterisation.Parse(value.GetString()!) },
                "variance_type" => this with { VarianceType = value.GetString() },
                "clip_sample" => this with { ClipSample = value.GetBoolean() },
                "clip_sample_range" => this with { ClipSampleRange = value.GetSingle() },
                "thresholding" => this with { Thresholding = value.GetBoolean() },
                "dynamic_thresholding_ratio" => this with { DynamicThresholdingRatio = value.GetDouble() },
                "sample_max_value" => this with { SampleMaxValue = value.GetDouble() },
                "set_alpha_to_one" or "set_alpha_to_zero" => this with { SetAlphaToOne = value.GetBoolean() },
                "steps_offset" => this with { StepsOffset = value.GetInt32() },
                "timestep_spacing" => this with { TimestepSpacing = value.GetString()! },
                "timestep_type" => this with { TimestepType = value.GetString()! },
                "interpolation_type" => this with { InterpolationType = value.GetString()! },
                "use_karras_sigmas" => this with { UseKarrasSigmas = value.GetBoolean() },
                "use_exponential_sigmas" => this with { UseExponentialSigmas = value.GetBoolean() },
                "use_beta_sigmas" => this with { UseBetaSigmas = value.GetBoolean() },
                "sigma_min" => this with { SigmaMin = value.GetDouble() },
                "sigma_max" => this with { SigmaMax = value.GetDouble() },
                "final_sigmas_type" => this with { FinalSigmasType = value.GetString()! },
                "algorithm_type" => this with { AlgorithmType = value.GetString()! },
                "solver_order" => this with { SolverOrder = value.GetInt32() },
                "solver_type" => this with { SolverType = value.GetString()! },
                "lower_order_final" => this with { LowerOrderFinal = value.GetBoolean() },
                "euler_at_final" => this with { EulerAtFinal = value.GetBoolean() },
                "lambda_min_clipped" => this with { LambdaMinClipped = MaybeInfinite(value) },
                "use_lu_lambdas" => this with { UseLuLambdas = value.GetBoolean() },
                "use_flow_sigmas" => this with { UseFlowSigmas = value.GetBoolean() },
                "skip_prk_steps" => this with { SkipPrkSteps = value.GetBoolean() },
                "original_inference_steps" => this with { OriginalInferenceSteps = Positive(value.GetInt32()) },
                "timestep_scaling" => this with { TimestepScaling = value.GetDouble() },
                "predict_x0" => this with { PredictX0 = value.GetBoolean() },
                "disable_corrector" => this with { DisableCorrector = [.. value.EnumerateArray().Select(step => step.GetInt32())] },
                _ => this,
            };
        }
        catch (Exception e) when (e is InvalidOperationException or FormatException or ArgumentException)
        {
            throw new InvalidDataException($"\"{key}\" is {value.GetRawText()}, which {ClassName} cannot read: {e.Message}", e);
        }
    }

    /// <summary>The refusal of a value that the class does not support.</summary>
    public NotSupportedException Unsupported(string key, object? value, string supported) =>
        new($"{ClassName} does not support \"{key}\": \"{value}\"; supported: {supported}.");

    private static int Positive(int value) => value > 0 ? value : throw new FormatException("a number above zero is needed.");

    private static double MaybeInfinite(JsonElement value) => value.ValueKind != JsonValueKind.String ? value.GetDouble()
        : value.GetString()!.ToLowerInvariant() switch
        {
            "-infinity" or "-inf" => double.NegativeInfinity,
            "infinity" or "inf" => double.PositiveInfinity,
            _ => throw new FormatException("a number or -Infinity is needed."),
        };

    [GeneratedRegex(@"(?<=:\s*)(-?Infinity|NaN)(?=\s*[,}])")]
    private static partial Regex BareInfinity();
}
