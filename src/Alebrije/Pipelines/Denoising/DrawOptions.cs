using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Pipelines.Denoising;

/// <summary>Sampling options of a decoder.</summary>
/// <param name="Steps">Steps of its sampler.</param>
/// <param name="Guidance">Scale of classifier-free guidance; 1 and below: none.</param>
internal sealed record DrawOptions(int Steps, double Guidance)
{
    /// <summary>Name of the stage in progress, traces and seconds.</summary>
    public string Stage { get; init; } = "decoder";

    /// <summary>Rows of the image.</summary>
    public int Height { get; init; }

    /// <summary>Columns of the image.</summary>
    public int Width { get; init; }

    /// <summary>Steps of an upsampler; null takes the decoder's own number.</summary>
    public int? UpsamplerSteps { get; init; }

    /// <summary>
    /// From 0 (none) to 1: share by which the standard deviation of a guided prediction is rescaled to that of the conditional one
    /// (<see cref="Diffusion.Guidance.Rescale"/>).
    /// </summary>
    public double Rescale { get; init; }

    /// <summary>
    /// Timestep, 0 to 999, at which the image embedding, or the small image of an upscaler, is noised; null takes the decoder's own.
    /// </summary>
    public int? NoiseLevel { get; init; }

    /// <summary>From 0 (the initial image) to 1 (noise alone).</summary>
    public double Strength { get; init; } = 1;

    /// <summary>Noise at the start, as from <see cref="ImageDecoder.Invert"/>; null draws it.</summary>
    public Tensor? Start { get; init; }

    /// <summary>Name of the sampler (<see cref="Diffusion.SamplerNames"/>); null takes the model's own.</summary>
    public string? Sampler { get; init; }

    /// <summary>DDIM's eta, from 0 (deterministic) to 1; null takes the model's own sampler.</summary>
    public double? Eta { get; init; }

    /// <summary>Gradient guidance of the predicted image, or null.</summary>
    public ImagePull? Pull { get; init; }

    /// <summary>
    /// True decodes the first guess as it is, without a denoiser; only for decoders that have one (<see cref="DrawingTraits.HasGuess"/>).
    /// </summary>
    public bool OnlyGuess { get; init; }

    /// <summary>Called after each step with stage, steps done and total.</summary>
    public Action<GenerationProgress>? Report { get; init; }

    /// <summary>Called after each step with stage and sample, before the unmasked region is restored.</summary>
    public Action<string, Tensor>? After { get; init; }

    /// <summary>Called with a sentence for the user, such as one about a text that was cut.</summary>
    public Action<RunNote>? Note { get; init; }

    /// <summary>Receives noise, predicted images and latents; null: none.</summary>
    public GenerationTrace? Trace { get; init; }

    /// <summary>Checked before each step.</summary>
    public CancellationToken Cancellation { get; init; }

    /// <summary>True if samples are decoded between two steps.</summary>
    public bool NeedsPictures => Pull is not null || Trace is not null;

    /// <summary>Adapts the sampler's progress to <see cref="GenerationProgress"/>.</summary>
    /// <param name="stage">Name of the stage.</param>
    /// <param name="picture">From a predicted sample to [batch, 3, h, w] in [0, 1]; null: nothing is predicted.</param>
    internal Action<Diffusion.SamplingProgress> Progress(string stage, Func<Tensor, Tensor>? picture = null) => p => Report?.Invoke(
        new GenerationProgress(stage, p.Step, p.Of)
        {
            Predicted = picture is null ? null : () => ImageTensors.ToImages(picture(p.Original)),
        });
}

/// <summary>CLIP guidance: a differentiable score of images and the scale of its gradient.</summary>
/// <param name="Score">From pixels [batch, 3, h, w] in [-1, 1] to a score for each, [batch], differentiable.</param>
/// <param name="Scale">Scale of the gradient.</param>
internal sealed record ImagePull(Func<Tensor, Tensor> Score, double Scale);
