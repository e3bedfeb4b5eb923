using Alebrije.Preprocessing.Imaging;
using static TorchSharp.torch;

namespace Alebrije.Pipelines;

/// <summary>Images as tensors and back.</summary>
internal static class ImageTensors
{
    /// <param name="pixels">[batch, 3, h, w], clamped to [0, 1].</param>
    public static RgbImage[] ToImages(Tensor pixels)
    {
        using var scope = NewDisposeScope();
        var (h, w) = ((int)pixels.shape[2], (int)pixels.shape[3]);
        return [.. Enumerable.Range(0, (int)pixels.shape[0])
            .Select(i => RgbImage.FromPlanes(pixels[i].to(ScalarType.Float32).contiguous().data<float>().ToArray(), w, h))];
    }

    /// <summary>Pixels of an image as autoencoders take them (diffusers, pipelines/kandinsky2_2, prepare_image).</summary>
    /// <returns>[1, 3, h, w] in [-1, 1]</returns>
    public static Tensor FromImage(RgbImage picture)
    {
        using var scope = NewDisposeScope();
        return tensor(picture.Pixels, [picture.Height, picture.Width, 3])
            .permute(2, 0, 1).to(ScalarType.Float32).div(127.5f).sub(1).unsqueeze(0).contiguous()
            .MoveToOuterDisposeScope();
    }

    /// <summary>A drawn image with the unmasked region of the given one, byte for byte.</summary>
    /// <param name="drawn">The image that was drawn.</param>
    /// <param name="given">The initial image, of any size.</param>
    /// <param name="mask">Bright where the drawn image is kept.</param>
    public static RgbImage Composed(RgbImage drawn, RgbImage given, PillowImage mask)
    {
        var (width, height) = (drawn.Width, drawn.Height);
        var (kept, bright) = (PillowReduce.Resize(given, width, height), mask.Resize(width, height, ResizeFilter.Lanczos).ToGrey());
        var composed = new RgbImage(width, height, (byte[])drawn.Pixels.Clone());
        for (var i = 0; i < bright.Length; i++)
            if (bright[i] < 128) kept.Pixels.AsSpan(3 * i, 3).CopyTo(composed.Pixels.AsSpan(3 * i));
        return composed;
    }

    /// <summary>The pixels of an image in the form of masks and resizing.</summary>
    public static PillowImage ToPillow(this RgbImage image) => new(PixelMode.Rgb, image.Width, image.Height, image.Pixels);

    /// <summary>A mask of an image's size: bright is 1.</summary>
    /// <param name="mask">Any image; half of white and more counts as bright.</param>
    /// <param name="height">Rows wanted.</param>
    /// <param name="width">Columns wanted.</param>
    /// <returns>[1, 1, height, width] of 0 and 1</returns>
    public static Tensor FromMask(PillowImage mask, int height, int width)
    {
        using var scope = NewDisposeScope();
        var grey = PillowConvert.ToGrey(mask.Resize(width, height, ResizeFilter.Lanczos));
        return tensor(grey, [1, 1, height, width]).to(ScalarType.Float32)
            .div(255f).ge(0.5f).to(ScalarType.Float32).MoveToOuterDisposeScope();
    }
}
