using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Nn;

/// <summary>Sinusoidal timestep embedding (Ho et al., 2020, §B; diffusers, models/embeddings.py, get_timestep_embedding).</summary>
internal static class Timesteps
{
    private const double LongestPeriod = 10_000;

    /// <summary>Encodes steps as sines and cosines of <paramref name="width"/> / 2 frequencies.</summary>
    /// <param name="steps">[batch], integer or floating-point.</param>
    /// <param name="width">Width of the embedding; an odd one ends in a zero.</param>
    /// <param name="cosineFirst">The configs' flip_sin_to_cos.</param>
    /// <param name="shift">The configs' freq_shift: subtracted from the number of frequencies in the exponent.</param>
    /// <returns>[batch, width] float32 in [-1, 1].</returns>
    public static Tensor Encode(Tensor steps, long width, bool cosineFirst, double shift)
    {
        using var scope = NewDisposeScope();
        var half = width / 2;
        var exponent = arange(half, dtype: ScalarType.Float32, device: steps.device) * -Math.Log(LongestPeriod) / (half - shift);
        var angles = steps.to(ScalarType.Float32).unsqueeze(1) * exponent.exp().unsqueeze(0);    // [batch, half]
        var (sine, cosine) = (angles.sin(), angles.cos());
        var code = cat(cosineFirst ? [cosine, sine] : [sine, cosine], dim: 1);
        if (width % 2 == 1) code = nn.functional.pad(code, (0, 1));
        return code.MoveToOuterDisposeScope();
    }

    /// <summary>Expands a single step to one per sample, on the samples' device.</summary>
    /// <exception cref="ArgumentException">There are several steps, but not one per sample.</exception>
    public static Tensor ForBatch(Tensor steps, Tensor samples)
    {
        var batch = samples.shape[0];
        return steps.numel() == 1 || steps.numel() == batch
            ? steps.reshape(-1).expand(batch).to(samples.device)
            : throw new ArgumentException(
                $"{steps.numel()} timesteps were given for a batch of {batch}: give one for all or one for each.");
    }
}

/// <summary>
/// Two-layer network on the embedding of a step or of another condition (diffusers, models/embeddings.py, TimestepEmbedding).
/// </summary>
internal sealed class TimestepEmbedding : nn.Module<Tensor, Tensor?, Tensor>
{
    private readonly Func<Tensor, Tensor> activation;
    private readonly Func<Tensor, Tensor>? last;
    private readonly LinearLayer linear_1, linear_2;
    private readonly LinearLayer? cond_proj;

    /// <param name="input">Width of the input.</param>
    /// <param name="widths">Hidden width and output width.</param>
    /// <param name="activation">Name of the activation between the layers.</param>
    /// <param name="lastActivation">Name of the activation after the last layer, or null.</param>
    /// <param name="condition">Width of a second input projected onto the first, or null.</param>
    public TimestepEmbedding(
        long input, (long Hidden, long Output) widths, string activation, string? lastActivation = null, long? condition = null)
        : base(nameof(TimestepEmbedding))
    {
        this.activation = Activation.Named(activation);
        last = lastActivation is null ? null : Activation.Named(lastActivation);
        linear_1 = Layers.Linear(input, widths.Hidden);
        if (condition is { } features) cond_proj = Layers.Linear(features, input, bias: false);
        linear_2 = Layers.Linear(widths.Hidden, widths.Output);
        RegisterComponents();
    }

    /// <param name="code">[batch, input]</param>
    /// <param name="condition">[batch, condition features], or null.</param>
    /// <returns>[batch, output]</returns>
    public override Tensor forward(Tensor code, Tensor? condition)
    {
        using var scope = NewDisposeScope();
        if (condition is not null)
        {
            if (cond_proj is null) throw new ArgumentException(
                "A timestep condition was given, but the network's config has no time_cond_proj_dim.");
            code = code + cond_proj.call(condition);
        }

        var x = linear_2.call(activation(linear_1.call(code)));
        return (last is null ? x : last(x)).MoveToOuterDisposeScope();
    }

    /// <summary>Embeds a timestep embedding without a condition.</summary>
    public Tensor call(Tensor code) => call(code, null);
}
