using static TorchSharp.torch;

namespace Alebrije.Diffusion;

/// <summary>A network with its conditions bound: a prediction from x and t.</summary>
/// <param name="x">[batch, channels, ...]</param>
/// <param name="t">[batch] timesteps, float32.</param>
/// <returns>[batch, channels or 2 channels, ...]</returns>
internal delegate Tensor Denoiser(Tensor x, Tensor t);

/// <summary>Classifier-free guidance (Ho and Salimans, 2022, eq. 6) on any type of prediction: the noise, x0 or v.</summary>
internal static class Guidance
{
    /// <summary>
    /// unconditional + scale (conditional - unconditional); scale 1 is the conditional prediction, 0 the unconditional one.
    /// </summary>
    /// <param name="conditional">[batch, ...]</param>
    /// <param name="unconditional">[batch, ...]</param>
    /// <param name="scale">The guidance scale.</param>
    public static Tensor Combine(Tensor conditional, Tensor unconditional, double scale)
    {
        using var scope = NewDisposeScope();
        return (unconditional + scale * (conditional - unconditional)).MoveToOuterDisposeScope();
    }

    /// <summary>Guides a network that runs once on both halves.</summary>
    /// <param name="both">
    /// The network with its conditions doubled, the unconditional half first, as in the reference's pipelines. It receives x and t repeated
    /// twice. Of an output with a learned variance only the prediction is guided; the variance is the conditional half's.
    /// </param>
    /// <param name="scale">The guidance scale.</param>
    public static Denoiser ClassifierFree(Denoiser both, double scale) => (x, t) =>
    {
        using var scope = NewDisposeScope();
        var output = both(cat([x, x]), cat([t, t]));  // [2 batch, ...]
        return Combine(output, x.shape[1], scale).MoveToOuterDisposeScope();
    };

    /// <summary>
    /// Guides with two networks, or with two runs of one, in half the memory of <see cref="ClassifierFree(Denoiser, double)"/>.
    /// </summary>
    public static Denoiser ClassifierFree(Denoiser conditional, Denoiser unconditional, double scale) => (x, t) =>
    {
        using var scope = NewDisposeScope();
        return Combine(cat([unconditional(x, t), conditional(x, t)]), x.shape[1], scale).MoveToOuterDisposeScope();
    };

    /// <summary>Guides the output of a doubled batch.</summary>
    /// <param name="output">[2 batch, channels or 2 channels, ...], the unconditional half first.</param>
    /// <param name="channels">Channels of the sample; further channels of the output are a learned variance.</param>
    /// <param name="scale">The guidance scale.</param>
    /// <returns>[batch, channels or 2 channels, ...]</returns>
    public static Tensor Combine(Tensor output, long channels, double scale)
    {
        using var scope = NewDisposeScope();
        var halves = output.chunk(2);
        var (unconditional, conditional) = (halves[0], halves[1]);
        var extra = output.shape[1] - channels;
        var guided = Combine(conditional.narrow(1, 0, channels), unconditional.narrow(1, 0, channels), scale);
        return (extra > 0 ? cat([guided, conditional.narrow(1, channels, extra)], 1) : guided).MoveToOuterDisposeScope();
    }

    /// <summary>Rescales a guided prediction towards the standard deviation of the conditional one (Lin et al., 2023, §3.4).</summary>
    /// <param name="guided">[batch, ...]</param>
    /// <param name="conditional">[batch, ...]</param>
    /// <param name="share">From 0 (no rescaling) to 1 (full rescaling); 0.7 in the paper.</param>
    public static Tensor Rescale(Tensor guided, Tensor conditional, double share)
    {
        using var scope = NewDisposeScope();
        long[] shape = [guided.shape[0], .. Enumerable.Repeat(1L, (int)guided.dim() - 1)];
        var rescaled = guided * (conditional.flatten(1).std(1) / guided.flatten(1).std(1)).reshape(shape);
        return (share * rescaled + (1 - share) * guided).MoveToOuterDisposeScope();
    }

    /// <summary>
    /// Moves every predicted x0 along the gradient of a score, as in CLIP-guided diffusion (Dhariwal and Nichol, 2021, §4, with CLIP in
    /// place of a classifier: Nichol et al., 2022, §2.3). The gradient is taken at x0, scaled to a mean square of 1, and weighted by the
    /// remaining noise: it shapes the layout early and barely changes details.
    /// </summary>
    /// <param name="denoiser">The network, guided or not.</param>
    /// <param name="scheduler">Scheduler of the network, with its timesteps set.</param>
    /// <param name="score">From x0 [batch, channels, ...] to [batch], differentiable.</param>
    /// <param name="scale">Distance by which x0 moves at full noise, in units of x0.</param>
    public static Denoiser Pulled(Denoiser denoiser, IScheduler scheduler, Func<Tensor, Tensor> score, double scale) => (x, t) =>
    {
        using var scope = NewDisposeScope();
        var (type, alphaBar) = (scheduler.Config.PredictionType, scheduler.Schedule.AlphaBar((int)t[0].item<float>()));
        var output = denoiser(x, t);
        var (prediction, variance) = Parameterisation.Split(output, x);
        var original = Parameterisation.Original(type, prediction, x, alphaBar);
        Tensor gradient;
        using (enable_grad())
        {
            var leaf = original.detach().requires_grad_(true);
            gradient = autograd.grad([score(leaf).sum()], [leaf])[0];
        }

        long[] ones = [gradient.shape[0], .. Enumerable.Repeat(1L, (int)gradient.dim() - 1)];
        var deviation = gradient.flatten(1).square().mean([1]).sqrt().clamp_min(1e-12).reshape(ones);
        var pulled = original + (scale * Math.Sqrt(1 - alphaBar) * gradient / deviation);
        var changed = Parameterisation.Predict(type, pulled, x, alphaBar);
        return (variance is null ? changed : cat([changed, variance], 1)).MoveToOuterDisposeScope();
    };
}
