using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Pipelines;

/// <summary>What a decoder of unCLIP is to draw, one picture for each image embedding.</summary>
/// <param name="Image">[batch, features] on CLIP's scale.</param>
internal sealed record DecoderConditions(Tensor Image)
{
    /// <summary>Texts for decoders that look at them, one for each picture; the empty text for variations.</summary>
    public IReadOnlyList<string> Prompts { get; init; } = [.. Enumerable.Repeat("", checked((int)Image.shape[0]))];

    /// <summary>Texts of the unguided half, one for each picture.</summary>
    public IReadOnlyList<string> Negatives { get; init; } = [.. Enumerable.Repeat("", checked((int)Image.shape[0]))];

    /// <summary>[batch, features]: image embeddings of the unguided half; null takes the decoder's own.</summary>
    public Tensor? NegativeImage { get; init; }

    /// <summary>Whether the embedding is left out, as training did now and then: the decoder's null condition takes its place.</summary>
    public bool WithoutEmbedding { get; init; }

    /// <summary>A picture to start from, [batch or 1, 3, h, w] in [-1, 1] at the size that is drawn, with <see cref="DecoderRun.Strength"/>.</summary>
    public Tensor? Picture { get; init; }

    /// <summary>What of <see cref="Picture"/> is drawn anew, [1, 1, h, w]: 1 to repaint, 0 to keep; null draws all of it.</summary>
    public Tensor? Repaint { get; init; }

    /// <summary>A depth map for decoders with a control, [batch or 1, 3, h, w] in [0, 1], light where things are near.</summary>
    public Tensor? Hint { get; init; }
}

/// <summary>How a decoder draws.</summary>
/// <param name="Steps">Steps of its sampler.</param>
/// <param name="Guidance">Guidance scale; 1 and below: none.</param>
internal sealed record DecoderRun(int Steps, double Guidance)
{
    /// <summary>Rows of the picture.</summary>
    public int Height { get; init; }

    /// <summary>Columns of the picture.</summary>
    public int Width { get; init; }

    /// <summary>Steps of an upsampler; null takes the decoder's own number.</summary>
    public int? UpsamplerSteps { get; init; }

    /// <summary>From 0 (none) to 1: how far the deviation of a guided prediction is brought back to that of the conditional one (<see cref="Diffusion.Guidance.Rescale"/>).</summary>
    public double Rescale { get; init; }

    /// <summary>0 to 999: how much noise the image embedding gets, or an upscaler's small picture; null takes the decoder's own level.</summary>
    public int? NoiseLevel { get; init; }

    /// <summary>From 0 (the picture that was given) to 1 (noise alone).</summary>
    public double Strength { get; init; } = 1;

    /// <summary>The noise that sampling starts from, as <see cref="IUnClipDecoder.Invert"/> gives it; null draws it.</summary>
    public Tensor? Start { get; init; }

    /// <summary>DDIM's eta: null takes the model's own sampler; a number from 0 (no noise is put back) to 1 samples with DDIM.</summary>
    public double? Eta { get; init; }

    /// <summary>Gradient that pulls the predicted picture towards something; null: none.</summary>
    public PicturePull? Pull { get; init; }

    /// <summary>True decodes the first guess as it is, without a denoiser; only for decoders that have one (<see cref="IUnClipDecoder.HasGuess"/>).</summary>
    public bool OnlyGuess { get; init; }

    /// <summary>Told after every step: stage, steps done, of.</summary>
    public Action<GenerationProgress>? Report { get; init; }

    /// <summary>Gets the sample after every step, by stage, before what is kept of a picture is put back.</summary>
    public Action<string, Tensor>? After { get; init; }

    /// <summary>Told what a user should know of the run, in a sentence.</summary>
    public Action<RunNote>? Note { get; init; }

    /// <summary>Gets noise, predicted pictures and latents when given.</summary>
    public GenerationTrace? Trace { get; init; }

    /// <summary>Looked at before every step.</summary>
    public CancellationToken Cancellation { get; init; }

    /// <summary>Whether pictures are wanted on the way, not only at the end.</summary>
    public bool NeedsPictures => Pull is not null || Trace is not null;

    /// <summary>Tells of a step.</summary>
    internal Action<Diffusion.SamplingProgress> Progress(string stage) => p => Report?.Invoke(new GenerationProgress(stage, p.Step, p.Of));
}

/// <summary>How good a picture is, to be raised by its gradient: CLIP guidance.</summary>
/// <param name="Score">From pixels [batch, 3, h, w] in [-1, 1] to a score for each, [batch], differentiable.</param>
/// <param name="Scale">How strongly the gradient pulls.</param>
internal sealed record PicturePull(Func<Tensor, Tensor> Score, double Scale);

/// <summary>
/// The second half of unCLIP (Ramesh et al., 2022, §2.1): image embedding in, picture out. Karlo draws pixels and enlarges them, Kandinsky and Stable
/// unCLIP draw latents that an autoencoder decodes.
/// </summary>
internal interface IUnClipDecoder : IDisposable
{
    /// <summary>Numbers of the image embedding that it takes.</summary>
    int Features { get; }

    /// <summary>Side that it was made for.</summary>
    int Size { get; }

    /// <summary>Sides of pictures are multiples of this.</summary>
    int SizeStep { get; }

    /// <summary>Whether it can draw other sizes than its own.</summary>
    bool HasFreeSize { get; }

    /// <summary>True if a regression's latents stand beside the noisy ones.</summary>
    bool HasGuess => false;

    /// <summary>The larger side that an upsampler of its own makes when it is asked for; null where there is none, or where it always runs.</summary>
    int? UpsampledSize { get; }

    /// <summary>Type in which the denoiser computes.</summary>
    ScalarType Type { get; }

    /// <summary>Shape of the noise of one picture.</summary>
    /// <param name="size">Side of the picture.</param>
    long[] StartShape(int size);

    /// <summary>Draws pictures.</summary>
    /// <returns>[batch, 3, h, w] in [0, 1]</returns>
    Tensor Draw(DecoderConditions conditions, DecoderRun run, Tensors.Noise noise);

    /// <summary>The noise that leads to a picture under given conditions: DDIM backwards (Ramesh et al., 2022, §3.1).</summary>
    /// <param name="conditions">With the picture.</param>
    /// <param name="run">Steps and size.</param>
    /// <returns>What <see cref="DecoderRun.Start"/> takes.</returns>
    Tensor Invert(DecoderConditions conditions, DecoderRun run);
}
