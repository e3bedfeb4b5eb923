using Alebrije.Diffusion;
using Alebrije.Models.UNets;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Tensors;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Pipelines.Denoising;

/// <summary>
/// The denoising path of every family: conditions, start, guided steps, codec, upsampler (diffusers, pipelines/*; the order of random draws
/// is the reference's).
/// </summary>
/// <param name="family">Parts and conditions.</param>
/// <param name="upsampler">Upsampler of the folder, or null.</param>
internal sealed class ImageDecoder(IFamily family, Upsampler? upsampler = null) : IDisposable
{
    /// <summary>Abilities and sizes.</summary>
    public DrawingTraits Traits => family.Traits;

    /// <summary>Floating-point format of the denoiser.</summary>
    public ScalarType Type => family.Type;

    /// <summary>Images to samples and back.</summary>
    public IImageCodec Codec => family.Codec;

    /// <summary>Upsampler of the folder, or null.</summary>
    public Upsampler? Upsampler => upsampler;

    /// <summary>
    /// Side of the images that the upsampler makes on request; null where there is none, or where it always runs.
    /// </summary>
    public int? UpsampledSize => Traits.AlwaysUpsamples ? null : upsampler?.Side;

    /// <summary>Shape of the noise of one image, [1, channels, rows, columns].</summary>
    /// <param name="height">Rows of the image.</param>
    /// <param name="width">Columns of the image.</param>
    public long[] StartShape(int height, int width)
    {
        var drawn = Drawn(height, width);
        return [1, .. family.SampleShape(drawn.Height, drawn.Width)];
    }

    /// <summary>Default size for an initial image.</summary>
    public (int Height, int Width) SizeOf(RgbImage initial) => family.SizeOf(initial);

    /// <summary>An initial image at the size that is drawn, resized as in the family's reference pipelines.</summary>
    public RgbImage Resize(RgbImage initial, int width, int height) => family.Resize(initial, width, height);

    /// <inheritdoc cref="IFamily.Check"/>
    public void Check(AdapterInputs adapters) => family.Check(adapters);

    /// <summary>Draws images.</summary>
    /// <returns>[batch, 3, h, w] in [0, 1]</returns>
    /// <exception cref="ArgumentException">A condition that the family needs is missing.</exception>
    public Tensor Draw(DrawConditions conditions, DrawOptions options, Noise noise)
    {
        using var scope = NewDisposeScope();
        var (height, width) = Drawn(options.Height, options.Width);
        var pixels = Codec.Pixels(Sample(conditions, options with { Height = height, Width = width }, noise));
        if (!Upsamples(options.Height, options.Width)) return pixels.MoveToOuterDisposeScope();
        var report = options.Progress("upsampler");
        return upsampler!.Pixels(pixels, (options.Height, options.Width),
            options.UpsamplerSteps ?? Traits.Defaults.UpsamplerSteps, noise, p =>
        {
            options.After?.Invoke("upsampler", p.Sample);
            report(p);
        }, options.Trace, options.Cancellation).MoveToOuterDisposeScope();
    }

    /// <summary>The noise that leads to an image under given conditions: DDIM inversion (Ramesh et al., 2022, §3.1).</summary>
    /// <param name="conditions">With the image.</param>
    /// <param name="options">Steps and size.</param>
    /// <returns>A start for <see cref="DrawOptions.Start"/>.</returns>
    public Tensor Invert(DrawConditions conditions, DrawOptions options)
    {
        using var scope = NewDisposeScope();
        using var silent = Noise.Zeros();
        var (height, width) = Drawn(options.Height, options.Width);
        options = options with { Guidance = 1, NoiseLevel = 0, Height = height, Width = width };
        var inputs = family.Bind(conditions, options, silent);
        var known = family.Known(conditions, options, silent) ?? throw new ArgumentException("There is no image to invert.");
        inputs = family.Beside(inputs, conditions, options, known, silent);
        using var scheduler = new DdimInverseScheduler(family.Scheduler.ForDdim());
        scheduler.SetTimesteps(options.Steps);
        using var network = family.Denoiser.Borrow();
        return Sampling.Run(
            scheduler, Guided(network.Value, inputs, options), known, silent,
            new SamplingOptions { Progress = options.Progress("inversion") }, options.Cancellation)
            .MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        family.Dispose();
        upsampler?.Dispose();
    }

    /// <summary>The sample of images, [batch, channels, h, w] at the scale of the denoiser.</summary>
    private Tensor Sample(DrawConditions conditions, DrawOptions options, Noise noise)
    {
        var inputs = family.Bind(conditions, options, noise);
        if (conditions.Towards is { } towards) inputs = inputs.Towards(
            family.Bind(conditions with { Prompts = towards.Prompts }, options with { Trace = null }, noise), towards.Path);
        if (options.OnlyGuess) return inputs.Guess ?? throw new InvalidOperationException("This decoder has no first guess.");
        using var scheduler = DenoisingStart.Scheduler(family.Scheduler, options);
        long[] shape = [conditions.Count, .. family.SampleShape(options.Height, options.Width)];
        var known = family.Known(conditions, options, noise)?.expand(shape);
        var (run, guess) = known is null ? FromGuess(options, inputs.Guess) : (options, null);
        scheduler.SetTimesteps(run.Steps);
        var mask = conditions.Repaint is { } repaint ? family.Mask(repaint, shape) : null;
        var repaints = conditions.Repaint is not null && !Traits.KeepsClean;
        var start = family.Start(DenoisingStart.Begin(scheduler, run, noise, shape, known ?? guess, repaints), known, options);
        if (Traits.KeepsClean && mask is not null && known is not null)
            start = start with { Start = where(mask.to_type(ScalarType.Bool), start.Start, known) };
        inputs = family.Beside(inputs, conditions, options, known, noise);
        options.Trace?.Add("decoder noise", start.Start);

        using var network = family.Denoiser.Borrow();
        using var held = options.NeedsPictures ? Codec.Hold() : null;
        var denoiser = Guided(network.Value, inputs, options);
        if (options.Pull is { } pull) denoiser = Guidance.Pulled(denoiser, scheduler, x => pull.Score(Codec.Decode(x)), pull.Scale);
        var sampling = DenoisingStart.Options(scheduler, options, start, known, mask, Traits.KeepsClean, Codec.Pixels);
        var sample = Sampling.Run(scheduler, denoiser, start.Start, noise, sampling, options.Cancellation);
        if (Codec.Factor > 1) options.Trace?.Add("latents", sample);
        return sample;
    }

    /// <summary>
    /// Options under which the first guess is noised like an initial image, because it determines the shapes; the requested steps are
    /// the last ones of a longer schedule.
    /// </summary>
    private (DrawOptions Run, Tensor? Guess) FromGuess(DrawOptions options, Tensor? guess)
    {
        var strength = Traits.Defaults.GuessStrength;
        if (guess is null || strength >= 1 || options.Start is not null) return (options, null);
        var most = Math.Max(options.Steps, family.Scheduler.TrainTimesteps);
        var total = Math.Clamp((int)Math.Round(options.Steps / strength), options.Steps, most);
        return (options with { Steps = total, Strength = (options.Steps + 0.5) / total }, guess);
    }

    private Denoiser Guided(UNet2DConditionModel network, DenoiserInputs inputs, DrawOptions options)
    {
        var denoiser = DenoisingStart.Bind((network, family.Component), inputs, Type, options);
        return !inputs.Guided ? denoiser : options.Rescale <= 0 ? Guidance.ClassifierFree(denoiser, options.Guidance) : (x, t) =>
        {
            using var scope = NewDisposeScope();
            var both = denoiser(cat([x, x]), cat([t, t]));
            return Guidance.Rescale(Guidance.Combine(both, x.shape[1], options.Guidance), both.chunk(2)[1], options.Rescale)
                .MoveToOuterDisposeScope();
        };
    }

    private bool Upsamples(int height, int width) => Traits.AlwaysUpsamples
        || (upsampler is not null && height == upsampler.Side && width == upsampler.Side);

    /// <summary>Size at which the denoiser draws, before the upsampler.</summary>
    private (int Height, int Width) Drawn(int height, int width) => Upsamples(height, width) ? (Traits.Size, Traits.Size) : (height, width);
}
