using Alebrije.Models.Clip;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Weights;
using static TorchSharp.torch;

namespace Alebrije.Pipelines;

/// <summary>CLIP's preparation of images and its image tower.</summary>
/// <param name="processor">Image to pixels.</param>
/// <param name="encoder">Pixels to embedding; it has a projection.</param>
/// <param name="side">Side of the pixels.</param>
internal sealed class ImageStage(ClipImageProcessor processor, Component<ClipVisionModel> encoder, int side) : IDisposable
{
    /// <summary>Prepares the tower of a pipeline's folder.</summary>
    public static ImageStage Of(PipelineFolder folder, string processorName, string encoderName, bool keep)
    {
        var config = ConfigFile.Read<ClipVisionConfig>(folder.Of(encoderName));
        return new ImageStage(ClipImageProcessor.Load(folder.Of(processorName)),
            new Component<ClipVisionModel>(() => folder.Load<ClipVisionModel>(encoderName), keep), config.ImageSize);
    }

    /// <summary>Image embeddings.</summary>
    /// <returns>[images, features], not normalised</returns>
    public Tensor Encode(IReadOnlyList<RgbImage> pictures)
    {
        using var scope = NewDisposeScope();
        return EncodePixels(tensor(pictures.SelectMany(processor.Prepare).ToArray(), [pictures.Count, 3, side, side]))
            .MoveToOuterDisposeScope();
    }

    /// <summary>
    /// Embedding of pixels that are all zero after normalisation, an image of the mean colour: what Kandinsky guides away from.
    /// </summary>
    /// <returns>[1, features]</returns>
    public Tensor EncodeMeanColour()
    {
        using var scope = NewDisposeScope();
        return EncodePixels(zeros(1, 3, side, side)).MoveToOuterDisposeScope();
    }

    /// <summary>Embeddings of pixels, differentiable.</summary>
    /// <param name="pixels">[batch, 3, h, w] in [-1, 1], of any size.</param>
    /// <returns>[batch, features]</returns>
    public Tensor EncodeRange(Tensor pixels) => EncodePixels(Prepare(pixels, processor.Options, side));

    /// <summary>Pixels as the tower takes them, differentiable: resized bicubically without rounding to bytes, and normalised.</summary>
    /// <param name="pixels">[batch, 3, h, w] in [-1, 1], of any size.</param>
    /// <param name="options">Mean and standard deviation.</param>
    /// <param name="side">Side of the tower's pixels.</param>
    /// <returns>[batch, 3, side, side]</returns>
    public static Tensor Prepare(Tensor pixels, ClipImageOptions options, int side)
    {
        var (mean, deviation) = (tensor(options.Mean.ToArray()).reshape(1, 3, 1, 1),
            tensor(options.Deviation.ToArray()).reshape(1, 3, 1, 1));
        return (Bicubic.Resize(pixels.div(2).add(0.5), side, side) - mean) / deviation;
    }

    /// <summary>Keeps the tower in memory until disposed.</summary>
    public IDisposable Hold() => encoder.Borrow();

    /// <inheritdoc/>
    public void Dispose() => encoder.Dispose();

    private Tensor EncodePixels(Tensor pixels) => encoder.Use(tower => tower.Embed(pixels));
}
