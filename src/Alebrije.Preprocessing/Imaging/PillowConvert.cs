using System.Buffers.Binary;

namespace Alebrije.Preprocessing.Imaging;

/// <summary>Conversions between modes with Pillow's integer arithmetic (libImaging/Convert.c, AlphaComposite.c).</summary>
internal static class PillowConvert
{
    /// <summary><c>convert("RGB")</c>.</summary>
    public static RgbImage ToRgb(PillowImage image)
    {
        var (source, count) = (image.Pixels, image.Width * image.Height);
        if (image.Mode == PixelMode.Rgb)
            return new RgbImage(image.Width, image.Height, (byte[])source.Clone());
        var rgb = new byte[count * 3];
        for (int i = 0, o = 0; i < count; i++, o += 3)
        {
            switch (image.Mode)
            {
                case PixelMode.Palette:
                    image.Palette.AsSpan(source[i] * 4, 3).CopyTo(rgb.AsSpan(o));
                    break;
                case PixelMode.Rgba:
                    source.AsSpan(i * 4, 3).CopyTo(rgb.AsSpan(o));
                    break;
                case PixelMode.Cmyk:
                    var paper = 255 - source[i * 4 + 3];
                    for (var c = 0; c < 3; c++)
                        rgb[o + c] = (byte)Math.Clamp(paper - MultiplyDivide255(source[i * 4 + c], paper), 0, 255);
                    break;
                default:
                    rgb[o] = rgb[o + 1] = rgb[o + 2] = Grey(image, i);
                    break;
            }
        }
        return new RgbImage(image.Width, image.Height, rgb);
    }

    /// <summary>As <see cref="ToRgb"/>, for an image that is not used any more: its pixels are kept where they are RGB.</summary>
    public static RgbImage Take(PillowImage image) =>
        image.Mode == PixelMode.Rgb ? new RgbImage(image.Width, image.Height, image.Pixels) : ToRgb(image);

    /// <summary><c>convert("L")</c>: the luma of ITU-R 601-2 in 16-bit fixed point; opacity is dropped.</summary>
    /// <returns>[height, width]</returns>
    public static byte[] ToGrey(PillowImage image)
    {
        if (image.Mode == PixelMode.Grey) return (byte[])image.Pixels.Clone();
        var rgb = ToRgb(image).Pixels;
        var grey = new byte[image.Width * image.Height];
        for (int i = 0, o = 0; i < grey.Length; i++, o += 3)
            grey[i] = (byte)((19595 * rgb[o] + 38470 * rgb[o + 1] + 7471 * rgb[o + 2] + 0x8000) >> 16);
        return grey;
    }

    /// <summary>
    /// <c>convert("RGBA")</c>, <c>alpha_composite</c> over opaque white, <c>convert("RGB")</c>. An RGB image is not changed, even with a
    /// transparent colour: the reference tests only the mode.
    /// </summary>
    public static RgbImage ToRgbOnWhite(PillowImage image)
    {
        var rgb = ToRgb(image);
        if (image.Mode == PixelMode.Rgb)
            return rgb;
        for (var i = 0; i < image.Width * image.Height; i++)
        {
            var alpha = Alpha(image, rgb, i);
            for (var o = i * 3; o < i * 3 + 3; o++)
                rgb.Pixels[o] = OverWhite(rgb.Pixels[o], alpha);
        }
        return rgb;
    }

    /// <summary>LA -> La and RGBA -> RGBa: colours multiplied by opacity. Returns new pixels.</summary>
    public static byte[] Premultiply(PillowImage image)
    {
        var (bytes, pixels) = (image.PixelBytes, new byte[image.Pixels.Length]);
        for (var i = 0; i < pixels.Length; i += bytes)
        {
            var alpha = image.Pixels[i + bytes - 1];
            for (var c = 0; c < bytes - 1; c++)
                pixels[i + c] = (byte)MultiplyDivide255(image.Pixels[i + c], alpha);
            pixels[i + bytes - 1] = alpha;
        }
        return pixels;
    }

    /// <summary>La -> LA and RGBa -> RGBA, in place: colours divided by opacity, truncated.</summary>
    public static void Unpremultiply(PillowImage image)
    {
        var (bytes, pixels) = (image.PixelBytes, image.Pixels);
        for (var i = 0; i < pixels.Length; i += bytes)
        {
            int alpha = pixels[i + bytes - 1];
            if (alpha is 0 or 255)
                continue;
            for (var c = 0; c < bytes - 1; c++)
                pixels[i + c] = (byte)Math.Min(255 * pixels[i + c] / alpha, 255);
        }
    }

    private static byte Grey(PillowImage image, int i) => image.Mode switch
    {
        PixelMode.Bilevel => image.Pixels[i] != 0 ? (byte)255 : (byte)0,
        PixelMode.Grey => image.Pixels[i],
        PixelMode.GreyAlpha => image.Pixels[i * 2],
        PixelMode.Grey16 => image.Pixels[i * 2 + 1] != 0 ? (byte)255 : image.Pixels[i * 2],
        PixelMode.Float => Truncate(BinaryPrimitives.ReadSingleLittleEndian(image.Pixels.AsSpan(i * 4))),
        _ => throw new ArgumentException($"A {image.Mode} image has no grey."),
    };

    private static byte Truncate(float value) => value <= 0 ? (byte)0 : value >= 255 ? (byte)255 : (byte)value;

    private static byte Alpha(PillowImage image, RgbImage rgb, int i)
    {
        switch (image.Mode)
        {
            case PixelMode.GreyAlpha: return image.Pixels[i * 2 + 1];
            case PixelMode.Rgba: return image.Pixels[i * 4 + 3];
            case PixelMode.Palette: return image.Palette![image.Pixels[i] * 4 + 3];
        }
        // Pillow compares with the low bytes of the declared colour, for grey at the depth of its own mode (16-bit grey has none).
        var keyed = image.TransparentColour is { } key && image.Mode is PixelMode.Bilevel or PixelMode.Grey
            && rgb.Pixels[i * 3] == (image.TransparentColour!.Value.Red & 255);
        return keyed ? (byte)0 : (byte)255;
    }

    private static byte OverWhite(byte colour, byte alpha)
    {
        // AlphaComposite.c with an opaque white destination: seven bits beyond the byte, then a rounded division by 255.
        if (alpha == 0)
            return 255;
        var sum = (uint)(colour * alpha * 128 + 255 * (255 - alpha) * 128) + (0x80 << 7);
        return (byte)(((sum >> 8) + sum) >> 8 >> 7);
    }

    private static int MultiplyDivide255(int a, int b)
    {
        var t = a * b + 128;
        return ((t >> 8) + t) >> 8;
    }
}
