using Alebrije.Diffusion;
using Alebrije.Models.UNets;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Tensors;
using Alebrije.Weights;
using static TorchSharp.torch;

namespace Alebrije.Pipelines.Denoising;

/// <summary>Inputs of a denoiser besides sample and timestep.</summary>
/// <param name="Conditions">Conditions, one row per image, or two where <paramref name="Guided"/>: the unguided half first.</param>
/// <param name="Guided">True combines both halves by classifier-free guidance.</param>
internal sealed record DenoiserInputs(UNetConditions Conditions, bool Guided)
{
    /// <summary>[batch or 2 batch, channels, h, w]: channels in addition to those of the sample, or null.</summary>
    public Tensor? Beside { get; init; }

    /// <summary>[batch, channels, h, w]: the first guess of the sample, or null.</summary>
    public Tensor? Guess { get; init; }

    /// <summary>The same with text encodings between these and others.</summary>
    /// <param name="other">Inputs of other texts.</param>
    /// <param name="path">From two encodings, [rows, width] each, to one between them.</param>
    public DenoiserInputs Towards(DenoiserInputs other, Func<Tensor, Tensor, Tensor> path)
    {
        return this with
        {
            Conditions = Conditions with { Text = Between(Conditions.Text, other.Conditions.Text),
                TextEmbeds = Between(Conditions.TextEmbeds, other.Conditions.TextEmbeds) },
        };

        Tensor? Between(Tensor? from, Tensor? to) =>
            from is null || to is null ? from : path(from.reshape(-1, from.shape[^1]), to.reshape(-1, to.shape[^1])).reshape(from.shape);
    }
}

/// <summary>
/// A family of decoders: its parts, and the conditions that its denoiser takes. <see cref="ImageDecoder"/> has the rest, which all families
/// share. Random numbers are drawn in the order of the reference's pipelines: <see cref="Bind"/>, <see cref="Known"/>, the start,
/// <see cref="Beside"/>, the steps.
/// </summary>
internal interface IFamily : IDisposable
{
    /// <summary>Abilities and sizes.</summary>
    DrawingTraits Traits { get; }

    /// <summary>The denoiser.</summary>
    Component<UNet2DConditionModel> Denoiser { get; }

    /// <summary>The denoiser's name in the folder.</summary>
    string Component => "unet";

    /// <summary>Floating-point format of the denoiser.</summary>
    ScalarType Type { get; }

    /// <summary>Configuration of the sampler.</summary>
    SchedulerConfig Scheduler { get; }

    /// <summary>Images to samples and back.</summary>
    IImageCodec Codec { get; }

    /// <summary>Shape of the sample of one image, [channels, rows, columns].</summary>
    /// <param name="height">Rows of the image.</param>
    /// <param name="width">Columns of the image.</param>
    long[] SampleShape(int height, int width);

    /// <summary>Default size for an initial image, (rows, columns).</summary>
    (int Height, int Width) SizeOf(RgbImage initial) => (Traits.Size, Traits.Size);

    /// <summary>An initial image at the size that is drawn; families resize as their reference pipelines do.</summary>
    RgbImage Resize(RgbImage initial, int width, int height) => PillowReduce.Resize(initial, width, height);

    /// <summary>Opens the adapters of a request, and matches all with the model, where <see cref="DrawingTraits.TakesAdapters"/>.</summary>
    /// <exception cref="WeightsException">One does not fit.</exception>
    void Check(AdapterInputs adapters) { }

    /// <summary>Conditions of the denoiser.</summary>
    /// <exception cref="ArgumentException">A condition that the family needs is missing.</exception>
    DenoiserInputs Bind(DrawConditions conditions, DrawOptions options, Noise noise);

    /// <summary>[batch or 1, channels, h, w]: the sample of the initial image, or null.</summary>
    Tensor? Known(DrawConditions conditions, DrawOptions options, Noise noise) =>
        conditions.Picture is { } picture ? Codec.Encode(picture, noise) : null;

    /// <summary>The start of a run, changed where a family noises initial images in its own way.</summary>
    InitialSample Start(InitialSample start, Tensor? known, DrawOptions options) => start;

    /// <summary>Adds the inputs that are concatenated with the sample and drawn after the start.</summary>
    DenoiserInputs Beside(DenoiserInputs inputs, DrawConditions conditions, DrawOptions options, Tensor? known, Noise noise) => inputs;

    /// <summary>
    /// [1, 1, h, w]: 1 where the sample is drawn, 0 where the initial image is restored after each step; null restores nothing.
    /// </summary>
    /// <param name="repaint">The mask that was given.</param>
    /// <param name="shape">[batch, channels, rows, columns] of the sample.</param>
    Tensor? Mask(Tensor repaint, long[] shape) => repaint;
}
