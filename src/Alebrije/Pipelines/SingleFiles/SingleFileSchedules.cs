using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Alebrije.Diffusion;
using Alebrije.Preprocessing;
using Alebrije.Tensors;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Pipelines.SingleFiles;

/// <summary>Samplers and schedules that were published with checkpoints of one file.</summary>
internal static partial class SingleFileSchedules
{
    private const string PixelSchedule =
        """ "beta_start": 0.0001, "beta_end": 0.02, "beta_schedule": "scaled_linear", "num_train_timesteps": 1000 """;

    private const string LatentSchedule =
        """ "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "num_train_timesteps": 1000 """;

    private const string Pndm =
        $$"""{ "_class_name": "PNDMScheduler", {{LatentSchedule}}, "set_alpha_to_one": false, "skip_prk_steps": true, "steps_offset": 1, "clip_sample": false }""";

    private const string Ddim =
        $$"""{ "_class_name": "DDIMScheduler", {{LatentSchedule}}, "set_alpha_to_one": false, "steps_offset": 1, "clip_sample": false }""";

    private const string Euler =
        $$"""{ "_class_name": "EulerDiscreteScheduler", {{LatentSchedule}}, "timestep_spacing": "leading", "steps_offset": 1 }""";

    private const string UpscalerDdim =
        $$"""{ "_class_name": "DDIMScheduler", {{PixelSchedule}}, "set_alpha_to_one": false, "steps_offset": 1, "clip_sample": false }""";

    private const string SmallImage =
        $$"""{ "_class_name": "DDPMScheduler", {{PixelSchedule}}, "clip_sample": true, "variance_type": "fixed_small" }""";

    /// <summary>
    /// Standard deviation of the shift before the last attention of Stable Diffusion 2, above which its UNet predicts the velocity
    /// (Comfy-Org/ComfyUI, comfy/supported_models.py, SD20).
    /// </summary>
    private const double VelocitySpread = 0.09;

    /// <summary>Schedule at which the upscaler's small image is noised.</summary>
    public static SchedulerConfig OfSmallImage() => SchedulerConfig.Parse(SmallImage);

    /// <summary>Sampler of a checkpoint.</summary>
    /// <param name="layout">Its kind.</param>
    /// <param name="prediction">Prediction of its UNet.</param>
    /// <param name="hasZeroSnr">True for a schedule that ends in noise alone.</param>
    public static SchedulerConfig Of(SingleFileLayout layout, PredictionType prediction, bool hasZeroSnr = false)
    {
        var isVelocity = prediction == PredictionType.VPrediction;
        var config = (JsonObject)JsonNode.Parse(layout.Kind switch
        {
            SingleFileKind.Xl => Euler,
            SingleFileKind.Upscaler => UpscalerDdim,
            _ => isVelocity ? Ddim : Pndm,
        })!;
        if (isVelocity) config["prediction_type"] = "v_prediction";
        if (hasZeroSnr) (config["rescale_betas_zero_snr"], config["timestep_spacing"]) = (true, "trailing");
        return SchedulerConfig.Parse(config.ToJsonString());
    }

    /// <summary>
    /// Prediction of a checkpoint's UNet: that of a configuration next to it (the same name with <c>.yaml</c>, as web interfaces keep it),
    /// else the mark <c>v_pred</c> among its tensors, else for Stable Diffusion 2 a property of its weights. Inpainting ones and all others
    /// predict the noise.
    /// </summary>
    /// <param name="path">Path of the file.</param>
    /// <param name="file">The file.</param>
    /// <param name="layout">Its kind.</param>
    public static PredictionType PredictionOf(string path, TensorSource file, SingleFileLayout layout)
    {
        if (layout.Kind == SingleFileKind.Upscaler) return PredictionType.VPrediction;
        var yaml = Path.ChangeExtension(path, ".yaml");
        var isVelocity = File.Exists(yaml) ? Parameterization().Match(RegularFile.ReadAllText(yaml)) is { Success: true } match
            && match.Groups["kind"].Value == "v"
            : file.Contains(layout.Root + "v_pred")
            || (layout is { Kind: SingleFileKind.Two, Inpaints: false } && HasVelocitySpread(file, layout));
        return isVelocity ? PredictionType.VPrediction : PredictionType.Epsilon;
    }

    private static bool HasVelocitySpread(TensorSource file, SingleFileLayout layout)
    {
        var unet = layout.Parts[0].Prefix;
        var last = Originals.OriginalConfigs.Count(file, unet + "output_blocks.") - 1;
        var name = $"{unet}output_blocks.{last}.1.transformer_blocks.0.norm1.bias";
        if (!file.Contains(name)) return true;
        TorchRuntime.Initialize();
        using var scope = NewDisposeScope();
        return file.Read(name).to(ScalarType.Float64).std(unbiased: false).item<double>() > VelocitySpread;
    }

    [GeneratedRegex("""^\s*parameterization:\s*["']?(?<kind>\w+)""", RegexOptions.Multiline | RegexOptions.CultureInvariant)]
    private static partial Regex Parameterization();
}
