namespace Alebrije.Preprocessing.Imaging;

/// <summary>
/// Pillow's <c>resize(size, BICUBIC, reducing_gap=1)</c> for RGB, as in Kandinsky's pipelines: an image that is at least twice too
/// large is first averaged over whole boxes of pixels (PIL/Image.py, resize; libImaging/Reduce.c).
/// </summary>
internal static class PillowReduce
{
    /// <param name="image">The image.</param>
    /// <param name="width">Columns of the result, at least 1.</param>
    /// <param name="height">Rows of the result, at least 1.</param>
    /// <exception cref="ArgumentException">A size below 1 or too large.</exception>
    public static RgbImage Resize(RgbImage image, int width, int height)
    {
        ImageLimits.RequireSize(width, height);
        var (acrossBy, downBy) = (Math.Max(1, image.Width / width), Math.Max(1, image.Height / height));
        if (acrossBy == 1 && downBy == 1) return image.Resize(width, height);
        var box = new ResizeBox(0, 0, (float)image.Width / acrossBy, (float)image.Height / downBy);
        return Reduce(image, acrossBy, downBy).Resize(width, height, ResizeFilter.Bicubic, box);
    }

    /// <summary>Averages boxes; those at the right and lower edge may be smaller.</summary>
    internal static RgbImage Reduce(RgbImage image, int acrossBy, int downBy)
    {
        var reduced = new RgbImage((image.Width + acrossBy - 1) / acrossBy, (image.Height + downBy - 1) / downBy);
        for (var y = 0; y < reduced.Height; y++)
        {
            var (top, bottom) = (y * downBy, Math.Min((y + 1) * downBy, image.Height));
            for (var x = 0; x < reduced.Width; x++)
            {
                var (left, right) = (x * acrossBy, Math.Min((x + 1) * acrossBy, image.Width));
                var count = (uint)((bottom - top) * (right - left));
                // 2^24 / count, rounded down, as in the reference's fixed point.
                var (multiplier, half) = ((1u << 24) / count, count / 2);
                for (var c = 0; c < 3; c++)
                {
                    var sum = half;
                    for (var row = top; row < bottom; row++)
                        for (var column = left; column < right; column++) sum += image.Pixels[(((row * image.Width) + column) * 3) + c];
                    reduced.Pixels[(((y * reduced.Width) + x) * 3) + c] = (byte)(unchecked(sum * (ulong)multiplier) >> 24);
                }
            }
        }

        return reduced;
    }
}
