namespace Alebrije.Preprocessing.Imaging;

/// <summary>Pillow's <c>ImageOps.exif_transpose</c>: the eight orientations.</summary>
internal static class PictureTurn
{
    public static PillowImage Upright(PillowImage image)
    {
        var orientation = image.Orientation;
        if (orientation == ExifOrientation.None) return image;
        var (w, h, bytes) = (image.Width, image.Height, image.PixelBytes);
        var (width, height) = orientation >= 5 ? (h, w) : (w, h);

        // Source of the upper left pixel, and the steps to the source of its right and lower neighbour, in pixels.
        var (start, right, down) = orientation switch
        {
            2 => (w - 1, -1, w),
            3 => ((w * h) - 1, -1, -w),
            4 => (w * (h - 1), 1, -w),
            5 => (0, w, 1),
            6 => (w * (h - 1), -w, 1),
            7 => ((w * h) - 1, -w, -1),
            _ => (w - 1, w, -1),
        };
        var (source, turned) = (image.Pixels, new byte[image.Pixels.Length]);
        for (int y = 0, to = 0; y < height; y++)
        {
            var from = start + (y * down);
            for (var x = 0; x < width; x++, from += right, to += bytes) source.AsSpan(from * bytes, bytes).CopyTo(turned.AsSpan(to, bytes));
        }

        return image.With(width, height, turned, ExifOrientation.None);
    }
}
