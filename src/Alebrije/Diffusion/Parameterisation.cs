using System.Text.Json;
using System.Text.Json.Serialization;
using static TorchSharp.torch;

namespace Alebrije.Diffusion;

/// <summary>Type of a diffusion network's prediction.</summary>
internal enum PredictionType
{
    /// <summary>The noise (Ho et al., 2020).</summary>
    Epsilon,

    /// <summary>The clean sample x0 (Ramesh et al., 2022, §2.2, for the prior).</summary>
    Sample,

    /// <summary>The velocity v = sqrt(abar) noise - sqrt(1 - abar) x0 (Salimans and Ho, 2022, appendix D).</summary>
    VPrediction,
}

/// <summary>
/// Conversions of a network's output to x0 and to the noise, with x_t = sqrt(abar) x0 + sqrt(1 - abar) noise (Ho et al., 2020, eq. 4).
/// </summary>
internal static class Parameterisation
{
    /// <summary>Reads the value of <c>prediction_type</c>.</summary>
    /// <exception cref="FormatException">The value is none of epsilon, sample, v_prediction.</exception>
    public static PredictionType Parse(string name) => name switch
    {
        "epsilon" => PredictionType.Epsilon,
        "sample" or "original_sample" => PredictionType.Sample,
        "v_prediction" => PredictionType.VPrediction,
        _ => throw new FormatException($"a prediction type is one of epsilon, sample, v_prediction, not {name}."),
    };

    /// <summary>Computes x0 from the network's output.</summary>
    /// <param name="type">Type of the network's prediction.</param>
    /// <param name="output">[batch, ...] the network's output.</param>
    /// <param name="x">[batch, ...] the noisy sample that the network ran on.</param>
    /// <param name="alphaBar">abar of the timestep.</param>
    public static Tensor Original(PredictionType type, Tensor output, Tensor x, float alphaBar)
    {
        var (alpha, sigma) = (MathF.Sqrt(alphaBar), MathF.Sqrt(1 - alphaBar));
        return type switch
        {
            PredictionType.Epsilon => (x - sigma * output) / alpha,
            PredictionType.Sample => output.alias(),
            _ => alpha * x - sigma * output,
        };
    }

    /// <summary>Computes the noise from the network's output; parameters as in <see cref="Original"/>.</summary>
    public static Tensor Epsilon(PredictionType type, Tensor output, Tensor x, float alphaBar)
    {
        var (alpha, sigma) = (MathF.Sqrt(alphaBar), MathF.Sqrt(1 - alphaBar));
        return type switch
        {
            PredictionType.Epsilon => output.alias(),
            PredictionType.Sample => (x - alpha * output) / sigma,
            _ => alpha * output + sigma * x,
        };
    }

    /// <summary>Output of the network that corresponds to a given x0; the inverse of <see cref="Original"/>.</summary>
    /// <param name="type">Type of the network's prediction.</param>
    /// <param name="original">[batch, ...] x0.</param>
    /// <param name="x">[batch, ...] the noisy sample.</param>
    /// <param name="alphaBar">abar of the timestep, below 1.</param>
    public static Tensor Predict(PredictionType type, Tensor original, Tensor x, float alphaBar)
    {
        var (alpha, sigma) = (MathF.Sqrt(alphaBar), MathF.Sqrt(1 - alphaBar));
        return type switch
        {
            PredictionType.Epsilon => (x - alpha * original) / sigma,
            PredictionType.Sample => original.alias(),
            _ => (alpha * x - original) / sigma,
        };
    }

    /// <summary>
    /// Computes x0 of the sigma form x = x0 + sigma noise; the network ran on x / sqrt(sigma² + 1) (Karras et al., 2022, table 1).
    /// </summary>
    public static Tensor OriginalAtSigma(PredictionType type, Tensor output, Tensor x, float sigma) => type switch
    {
        PredictionType.Epsilon => x - sigma * output,
        PredictionType.Sample => output.alias(),
        _ => output * (-sigma / MathF.Sqrt((sigma * sigma) + 1)) + (x / ((sigma * sigma) + 1)),
    };

    /// <summary>
    /// Splits an output with twice the channels of x into prediction and learned variance; other outputs have no variance.
    /// </summary>
    /// <param name="output">[batch, channels or 2 channels, ...]</param>
    /// <param name="x">[batch, channels, ...]</param>
    public static (Tensor Prediction, Tensor? Variance) Split(Tensor output, Tensor x)
    {
        var channels = x.shape[1];
        return output.shape[1] == 2 * channels
            ? (output.narrow(1, 0, channels), output.narrow(1, channels, channels))
            : (output, null);
    }

    /// <summary>Bounds a predicted x0 as configured: by dynamic thresholding, else clipping, else not at all.</summary>
    public static Tensor Bound(Tensor original, SchedulerConfig config) =>
        config.Thresholding ? Threshold(original, config.DynamicThresholdingRatio, config.SampleMaxValue)
        : config.ClipSample ? original.clamp(-config.ClipSampleRange, config.ClipSampleRange)
        : original;

    /// <summary>
    /// Dynamic thresholding (Saharia et al., 2022, §2.3): s is a quantile of |x0| over a whole image, at least 1 and at most
    /// <paramref name="limit"/>; x0 is clipped to [-s, s] and divided by s.
    /// </summary>
    /// <param name="original">[batch, ...]</param>
    /// <param name="ratio">The quantile, for example 0.95.</param>
    /// <param name="limit">The largest s.</param>
    public static Tensor Threshold(Tensor original, double ratio, double limit)
    {
        using var scope = NewDisposeScope();
        var flat = original.to(ScalarType.Float32).flatten(1);                                                    // [batch, all]
        var s = flat.abs().quantile(tensor((float)ratio, device: flat.device), dim: 1).clamp(1, limit).unsqueeze(1);  // [batch, 1]
        return (flat.maximum(-s).minimum(s) / s).reshape(original.shape).to(original.dtype).MoveToOuterDisposeScope();
    }
}

/// <summary>The value of <c>prediction_type</c> in a configuration.</summary>
internal sealed class PredictionTypeConverter : JsonConverter<PredictionType>
{
    /// <inheritdoc/>
    public override PredictionType Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        try
        {
            return Parameterisation.Parse(reader.GetString()!);
        }
        catch (FormatException e)
        {
            throw new JsonException(e.Message, e);
        }
    }

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, PredictionType value, JsonSerializerOptions options) =>
        writer.WriteStringValue(JsonNamingPolicy.SnakeCaseLower.ConvertName(value.ToString()));
}
