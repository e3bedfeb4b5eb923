using Alebrije.Pipelines;
using Alebrije.Preprocessing.Imaging;

namespace Alebrije.Extensions.AI.Images;

/// <summary>A requested size, and the one at which the model draws for it.</summary>
/// <param name="Asked">Size of the answer; null: as the model draws.</param>
/// <param name="Native">Size of the drawing; null: the model's own.</param>
internal sealed record NativeSize((int Width, int Height)? Asked, (int Width, int Height)? Native)
{
    /// <summary>Largest side of an answer.</summary>
    public const int MostSide = 2048;

    /// <summary>
    /// The smallest of the model's own sides that covers the size, or the largest one. Models of one side draw sizes near to theirs
    /// themselves.
    /// </summary>
    public static NativeSize Choose(ImagePipeline pipeline, (int Width, int Height)? asked)
    {
        if (asked is not var (width, height)) return new NativeSize(null, OwnSize(pipeline));
        int[] sides = pipeline.UpsampledSize is { } large ? [pipeline.Size, large] : [pipeline.Size];
        if (width == height && sides.Contains(width)) return new NativeSize(asked, asked);
        var isNear = sides.Length == 1 && Math.Min(width, height) * 4 >= 3 * sides[0] && Math.Max(width, height) * 2 <= 3 * sides[0];
        if (isNear && Draws(pipeline, width, height)) return new NativeSize(asked, asked);
        var side = sides.FirstOrDefault(each => each >= Math.Max(width, height), sides[^1]);
        return new NativeSize(asked, (side, side));
    }

    /// <summary>The image at the size of the answer: enlarged or reduced to cover it, and cut at its middle.</summary>
    public RgbImage Fit(RgbImage image)
    {
        if (Asked is not var (width, height) || (image.Width == width && image.Height == height)) return image;
        var scale = Math.Max((double)width / image.Width, (double)height / image.Height);
        var (w, h) = (Math.Max(width, (int)Math.Round(image.Width * scale)), Math.Max(height, (int)Math.Round(image.Height * scale)));
        var resized = image.Resize(w, h, ResizeFilter.Lanczos);
        return w == width && h == height ? resized : resized.ToPillow().Crop((w - width) / 2, (h - height) / 2, width, height).ToRgb();
    }

    /// <summary>The size of requests that name none; null of models that take that of a given image.</summary>
    private static (int Width, int Height)? OwnSize(ImagePipeline pipeline)
    {
        try
        {
            var request = pipeline.Complete(new GenerationRequest { Prompt = "size" });
            return (request.Width ?? request.Size!.Value, request.Height ?? request.Size!.Value);
        }
        catch (ArgumentException)
        {
            return null;
        }
    }

    private static bool Draws(ImagePipeline pipeline, int width, int height)
    {
        try
        {
            var request = new GenerationRequest { Prompt = "size" };
            _ = pipeline.Complete(width == height ? request with { Size = width } : request with { Width = width, Height = height });
            return true;
        }
        catch (ArgumentException)
        {
            return false;
        }
    }
}
