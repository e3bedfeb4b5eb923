using static TorchSharp.torch;

namespace Alebrije.Diffusion;

/// <summary>
/// Input scaling and start of the samplers over noise levels, for x = x0 + sigma noise (Karras et al., 2022, table 1, VP).
/// </summary>
internal static class SigmaForm
{
    /// <summary>x / sqrt(sigma² + 1), the network's input in training.</summary>
    public static Tensor Scale(Tensor x, float sigma) => x / MathF.Sqrt((sigma * sigma) + 1);

    /// <summary>Standard deviation of the first sample; slightly higher for spacings that omit the last training timestep.</summary>
    public static float InitNoiseSigma(SchedulerConfig config, IReadOnlyList<float> sigmas)
    {
        var most = sigmas.Max();
        return config.TimestepSpacing is "linspace" or "trailing" ? most : MathF.Sqrt((most * most) + 1);
    }

    /// <summary>x0 + sigma noise.</summary>
    public static Tensor AddNoise(Tensor original, Tensor noise, float sigma)
    {
        using var scope = NewDisposeScope();
        return (original + sigma * noise).MoveToOuterDisposeScope();
    }

    /// <summary>alpha and sigma of the variance-preserving form, alpha² + sigma² = 1, of a noise level sigma / alpha.</summary>
    public static (float Alpha, float Sigma) AlphaSigma(float level)
    {
        var alpha = 1 / MathF.Sqrt((level * level) + 1);
        return (alpha, level * alpha);
    }

    /// <summary>lambda = log(alpha / sigma) of a noise level (Lu et al., 2022, §2).</summary>
    public static float Lambda(float level)
    {
        var (alpha, sigma) = AlphaSigma(level);
        return MathF.Log(alpha) - MathF.Log(sigma);
    }
}
