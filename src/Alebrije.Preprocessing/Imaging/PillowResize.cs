namespace Alebrije.Preprocessing.Imaging;

/// <summary>Pillow's resampling filters.</summary>
public enum ResizeFilter
{
    /// <summary>Nearest pixel, without interpolation.</summary>
    Nearest = 0,

    /// <summary>Lanczos, three lobes.</summary>
    Lanczos = 1,

    /// <summary>Triangle.</summary>
    Bilinear = 2,

    /// <summary>Cubic convolution, a = -0.5: the filter of CLIP.</summary>
    Bicubic = 3,

    /// <summary>Mean of the covered pixels.</summary>
    Box = 4,

    /// <summary>Hamming window.</summary>
    Hamming = 5,
}

/// <summary>The part of the source to resize, in pixels, fractions allowed; float32 as in Pillow.</summary>
/// <param name="Left">First column.</param>
/// <param name="Top">First row.</param>
/// <param name="Right">End of the columns, exclusive.</param>
/// <param name="Bottom">End of the rows, exclusive.</param>
public readonly record struct ResizeBox(float Left, float Top, float Right, float Bottom);

/// <summary>
/// Pillow's <c>Image.resize</c>, byte for byte (Image.py, libImaging/Resample.c, Geometry.c): filters widen when shrinking, coefficients
/// have 22 fractional bits, each pass is rounded to bytes, the horizontal one comes first unless the height shrinks far more than the width
/// (as of Pillow 13). Filters are numbered as in Pillow.
/// </summary>
public static class PillowResize
{
    /// <summary>
    /// Resizes an image in its own mode: black and white and palettes always by the nearest pixel, colours premultiplied by opacity and
    /// divided again.
    /// </summary>
    /// <param name="image">Any mode.</param>
    /// <param name="width">Columns of the result, at least 1.</param>
    /// <param name="height">Rows of the result, at least 1.</param>
    /// <param name="filter">Resampling filter.</param>
    /// <param name="box">Part of the source; null is all of it.</param>
    /// <exception cref="ArgumentException">A size below 1 or too large, or a box that is empty or outside the image.</exception>
    public static PillowImage Resize(PillowImage image, int width,
        int height, ResizeFilter filter = ResizeFilter.Bicubic, ResizeBox? box = null)
    {
        ArgumentNullException.ThrowIfNull(image);
        ImageLimits.RequireSize(width, height);
        if (!Enum.IsDefined(filter))
            throw new ArgumentException(
                $"There is no resize filter {(int)filter}: 0 to 5 are nearest, lanczos, bilinear, bicubic, box, hamming.", nameof(filter));
        var whole = new ResizeBox(0, 0, image.Width, image.Height);
        var part = box ?? whole;
        RequireInside(part, image);
        if (width == image.Width && height == image.Height && part == whole)
            return image.With(width, height, (byte[])image.Pixels.Clone());
        if (image.Mode is PixelMode.Bilevel or PixelMode.Palette)
            filter = ResizeFilter.Nearest;
        if (image.Mode is not (PixelMode.GreyAlpha or PixelMode.Rgba) || filter == ResizeFilter.Nearest)
            return Sample(image, width, height, filter, part);
        var multiplied = image.With(image.Width, image.Height, PillowConvert.Premultiply(image));
        var resized = Sample(multiplied, width, height, filter, part);
        PillowConvert.Unpremultiply(resized);
        return resized;
    }

    /// <summary>Resizes an RGB image.</summary>
    /// <exception cref="ArgumentException">A size below 1 or too large, or a box that is empty or outside the image.</exception>
    public static RgbImage Resize(RgbImage image, int width, int height, ResizeFilter filter = ResizeFilter.Bicubic, ResizeBox? box = null)
    {
        ArgumentNullException.ThrowIfNull(image);
        return new RgbImage(width, height, Resize(image.ToPillow(), width, height, filter, box).Pixels);
    }

    private static PillowImage Sample(PillowImage image, int width, int height, ResizeFilter filter, ResizeBox box)
    {
        // A box of whole pixels of the result's size is a crop, whatever the filter.
        if (box.Left == (int)box.Left && box.Top == (int)box.Top && box.Right - box.Left == width && box.Bottom - box.Top == height)
            return image.Crop((int)box.Left, (int)box.Top, width, height);
        return filter == ResizeFilter.Nearest ? Nearest(image, width, height, box) : Resample(image, width, height, filter, box);
    }

    private static PillowImage Resample(PillowImage image, int width, int height, ResizeFilter filter, ResizeBox box)
    {
        var mixColumns = width != image.Width || box.Left != 0 || box.Right != width;
        var mixRows = height != image.Height || box.Top != 0 || box.Bottom != height;
        var rows = ResizeCoefficients.Compute(image.Height, box.Top, box.Bottom, height, filter);
        if (!mixColumns)
            return mixRows ? MixRows(image, rows, height) : image;
        var columns = ResizeCoefficients.Compute(image.Width, box.Left, box.Right, width, filter);
        // Pillow 13 swaps the passes if the height shrinks by more than twice as much as the width (pull request 9549).
        if (mixRows && image.Height > height && (long)image.Height - height > 2 * ((long)image.Width - width))
            return MixColumns(MixRows(image, rows, height), columns, width, (0, height));
        var used = rows.Span;
        image = MixColumns(image, columns, width, used);
        rows.Shift(-used.First);
        return mixRows ? MixRows(image, rows, height) : image;
    }

    private static PillowImage MixColumns(PillowImage image, ResizeCoefficients columns, int width, (int First, int Last) rows)
    {
        var pixels = new byte[checked(width * (rows.Last - rows.First) * image.PixelBytes)];
        ResizePasses.Horizontal(image, rows.First, columns, pixels, width);
        return image.With(width, rows.Last - rows.First, pixels);
    }

    private static PillowImage MixRows(PillowImage image, ResizeCoefficients rows, int height)
    {
        var pixels = new byte[checked(image.Width * height * image.PixelBytes)];
        ResizePasses.Vertical(image, rows, pixels, height);
        return image.With(image.Width, height, pixels);
    }

    private static PillowImage Nearest(PillowImage image, int width, int height, ResizeBox box)
    {
        double stepX = (double)(box.Right - box.Left) / width, stepY = (double)(box.Bottom - box.Top) / height;
        var columns = Places(box.Left, stepX, width, image.Width, image.Mode);
        var rows = Places(box.Top, stepY, height, image.Height, image.Mode);
        var bytes = image.PixelBytes;
        var pixels = new byte[width * height * bytes];
        for (var y = 0; y < height; y++)
        {
            for (var x = 0; x < width; x++)
            {
                if (rows[y] >= 0 && columns[x] >= 0)
                    image.Pixels.AsSpan((rows[y] * image.Width + columns[x]) * bytes, bytes).CopyTo(pixels.AsSpan((y * width + x) * bytes));
            }
        }
        return image.With(width, height, pixels);
    }

    /// <summary>Source positions of the results along one axis; -1 if there is none.</summary>
    private static int[] Places(double start, double step, int count, int size, PixelMode mode)
    {
        var places = new int[count];
        var at = start + step * 0.5;
        for (var i = 0; i < count; i++, at += step)
        {
            // Pillow accumulates the step with its rounding errors, except for 16-bit grey, which takes its general transform.
            var place = mode == PixelMode.Grey16 ? step * (i + 0.5) + start : at;
            places[i] = place < 0 || (int)place >= size ? -1 : (int)place;
        }
        return places;
    }

    private static void RequireInside(ResizeBox box, PillowImage image)
    {
        var inside = box.Left >= 0 && box.Top >= 0 && box.Right <= image.Width && box.Bottom <= image.Height;
        if (!inside || !(box.Right > box.Left) || !(box.Bottom > box.Top))
            throw new ArgumentException($"The box ({box.Left}, {box.Top}, "
                + $"{box.Right}, {box.Bottom}) is empty or outside the image of {image.Width} x {image.Height}.", nameof(box));
    }
}
