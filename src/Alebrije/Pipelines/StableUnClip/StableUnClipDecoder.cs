using Alebrije.Diffusion;
using Alebrije.Models.UNets;
using Alebrije.Tensors;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Pipelines.StableUnClip;

/// <summary>
/// Stable unCLIP's decoder: latents from a noised image embedding and a text, decoded by a variational autoencoder (diffusers,
/// pipelines/stable_diffusion/pipeline_stable_unclip.py; the order of random draws is the reference's).
/// </summary>
internal sealed class StableUnClipDecoder(StableUnClipParts parts, StableUnClipStages stages) : IUnClipDecoder
{
    /// <summary>The networks.</summary>
    public StableUnClipParts Parts => parts;

    /// <summary>The steps of the chain.</summary>
    public StableUnClipStages Stages => stages;

    /// <inheritdoc/>
    public int Features => (int)parts.Normalizer.Mean.shape[1];

    /// <inheritdoc/>
    public int Size => (parts.UNet.Config.SampleSize ?? [64])[0] * parts.Vae.Config.Factor;

    /// <inheritdoc/>
    public int SizeStep => parts.Vae.Config.Factor * parts.UNet.Config.Factor;

    /// <inheritdoc/>
    public bool HasFreeSize => true;

    /// <inheritdoc/>
    public int? UpsampledSize => parts.Upsampler?.Side;

    /// <inheritdoc/>
    public long[] StartShape(int size) => [1, parts.UNet.Config.InChannels, DrawnSize(size) / parts.Vae.Config.Factor, DrawnSize(size) / parts.Vae.Config.Factor];

    /// <inheritdoc/>
    public Tensor Draw(DecoderConditions conditions, DecoderRun run, Noise noise)
    {
        using var scope = NewDisposeScope();
        var condition = stages.NoiseEmbedding(conditions.Image, parts.Defaults.NoiseLevel, noise);           // [batch, 2 features]
        if (conditions.WithoutEmbedding) condition = zeros_like(condition);
        run.Trace?.Add("decoder condition", condition);
        var context = stages.EncodeForDecoder(conditions.Prompts, conditions.Negatives, run.Guidance > 1, run.Trace);
        if (DrawnSize(run.Height) == run.Height)
            return stages.DecodePixels(DrawLatents(condition, context, conditions, run, noise)).MoveToOuterDisposeScope();

        var small = stages.DecodePixels(DrawLatents(condition, context, conditions, run with { Height = Size, Width = Size }, noise));
        return parts.Upsampler!.Pixels(
            small, (run.Height, run.Width), run.UpsamplerSteps ?? parts.Defaults.UpsamplerSteps, noise, run.Progress("upsampler"), run.Trace, run.Cancellation).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public Tensor Invert(DecoderConditions conditions, DecoderRun run)
    {
        using var scope = NewDisposeScope();
        using var silent = Noise.Replay([zeros_like(conditions.Image)]);
        var condition = stages.NoiseEmbedding(conditions.Image, level: 0, silent);
        var context = stages.EncodeForDecoder(conditions.Prompts, conditions.Negatives, guided: false);
        using var scheduler = new DdimInverseScheduler(parts.SchedulerConfig.ForDdim());
        scheduler.SetTimesteps(run.Steps);
        var known = Encode(conditions.Picture ?? throw new ArgumentException("There is no picture to invert."), DrawnSize(run.Height));
        return Sampling.Run(scheduler, Conditioned(condition, context, run with { Guidance = 1 }), known, silent, new SamplingOptions { Progress = run.Progress("inversion") }, run.Cancellation)
            .MoveToOuterDisposeScope();
    }

    /// <summary>Draws latents under conditions that are made already.</summary>
    /// <param name="condition">[batch, 2 features]: the noised embedding and its noise level's code.</param>
    /// <param name="context">[batch or 2 batch, tokens, width]: text encodings.</param>
    /// <param name="conditions">A picture and what is repainted of it.</param>
    /// <param name="run">Steps, guidance and size.</param>
    /// <param name="noise">One draw, and more where the sampler draws.</param>
    /// <returns>[batch, channels, h, w], scaled</returns>
    public Tensor DrawLatents(Tensor condition, Tensor context, DecoderConditions conditions, DecoderRun run, Noise noise)
    {
        using var scope = NewDisposeScope();
        var known = conditions.Picture is { } picture ? Encode(picture, run.Height).expand(condition.shape[0], -1, -1, -1) : null;
        using var scheduler = DecoderSampling.Scheduler(parts.SchedulerConfig, run);
        scheduler.SetTimesteps(run.Steps);
        long[] shape = [condition.shape[0], parts.UNet.Config.InChannels, run.Height / parts.Vae.Config.Factor, run.Width / parts.Vae.Config.Factor];
        var begin = DecoderSampling.Begin(scheduler, run, noise, shape, known);
        run.Trace?.Add("decoder noise", begin.Start);
        var denoiser = Conditioned(condition, context, run);
        if (run.Pull is { } pull) denoiser = Guidance.Pulled(denoiser, scheduler, x => pull.Score(parts.Vae.Decode(parts.Vae.Unscale(x))), pull.Scale);
        var options = DecoderSampling.Options(scheduler, run, begin, known, conditions.Repaint, stages.DecodePixels);
        var latents = Sampling.Run(scheduler, denoiser, begin.Start, noise, options, run.Cancellation);
        run.Trace?.Add("latents", latents);
        return latents.MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public void Dispose() => parts.Dispose();

    /// <summary>The most likely latents of a picture, scaled.</summary>
    /// <param name="picture">[batch, 3, h, w] in [-1, 1]</param>
    /// <param name="side">Side at which the decoder draws: where an upsampler follows, that of the small picture.</param>
    private Tensor Encode(Tensor picture, int side)
    {
        if (picture.shape[2] != side) picture = Bicubic.Resize(picture, side, side).clamp(-1, 1);
        return parts.Vae.Scale(parts.Vae.Encode(picture).Mean);
    }

    /// <summary>Side at which a picture is drawn before its upsampler, if any.</summary>
    private int DrawnSize(int size) => size == UpsampledSize ? Size : size;

    private Denoiser Conditioned(Tensor condition, Tensor context, DecoderRun run)
    {
        var guided = run.Guidance > 1;
        var bound = new UNetConditions(context) { ClassLabels = guided ? cat([zeros_like(condition), condition]) : condition };
        var numbers = new FiniteNumbers("unet", stages.DecoderType, run.Note);
        Denoiser denoiser = (x, t) => numbers.Run(parts.UNet, kind => parts.UNet.call(x.to(kind), t, bound.To(kind)));
        return guided ? Guidance.ClassifierFree(denoiser, run.Guidance) : denoiser;
    }
}
