using System.Runtime.InteropServices;
using SkiaSharp;

namespace Alebrije.Preprocessing.Imaging;

/// <summary>JPEG and WebP through Skia (libjpeg-turbo and libwebp, as in Pillow), without colour management and without turning.</summary>
internal static class SkiaDecoder
{
    public static PillowImage Decode(ReadOnlySpan<byte> bytes, string name, string format)
    {
        SkiaNative.Require();
        using var data = SKData.CreateCopy(bytes);
        using var codec = SKCodec.Create(data)
            ?? throw new ImageFormatException($"{name} is damaged: it starts like a {format} file, and the rest cannot be read.");
        var (width, height) = (codec.Info.Width, codec.Info.Height);
        ImageLimits.RequireDecodable(width, height, name);
        // A block of 8 x 8 takes at least one bit; a header with a larger size must not cost memory.
        if (format == "JPEG" && (long)width * height / 64 > bytes.Length * 8L)
            throw new ImageFormatException($"{name} is cut short: {bytes.Length} bytes cannot hold an image of {width} x {height}.");
        // libjpeg keeps the coefficients of a progressive file, libwebp a whole image of its own.
        var progressive = format == "JPEG" && JpegDecoder.IsProgressive(bytes);
        ImageBudget.Require((width, height), format == "JPEG" ? progressive ? 12 : 6 : 11, bytes.Length, name);
        var mode = codec.Info.ColorType == SKColorType.Gray8 ? PixelMode.Grey
            : codec.Info.AlphaType == SKAlphaType.Opaque ? PixelMode.Rgb : PixelMode.Rgba;
        var (colours, alpha) = mode == PixelMode.Grey ? (SKColorType.Gray8, SKAlphaType.Opaque)
            : (SKColorType.Rgba8888, SKAlphaType.Unpremul);
        var info = new SKImageInfo(width, height, colours, alpha);
        if (info.BytesSize64 > Array.MaxLength)
            throw new ImageFormatException($"{name} is too large: {width} x {height}.");
        if (mode == PixelMode.Rgb && format == "JPEG") return Rows(codec, info, name);
        var pixels = new byte[info.BytesSize64];
        var pin = GCHandle.Alloc(pixels, GCHandleType.Pinned);
        SKCodecResult result;
        try
        {
            result = codec.GetPixels(info, pin.AddrOfPinnedObject());
        }
        finally
        {
            pin.Free();
        }
        Check(result, name, format);
        return new PillowImage(mode, width, height, mode == PixelMode.Rgb ? DropAlpha(pixels) : pixels);
    }

    /// <summary>An RGB image in pieces of some rows: Skia writes four bytes a pixel.</summary>
    private static PillowImage Rows(SKCodec codec, SKImageInfo info, string name)
    {
        Check(codec.StartScanlineDecode(info), name, "JPEG");
        var pixels = new byte[info.Width * info.Height * 3];
        var rows = Math.Clamp((1 << 18) / info.RowBytes, 1, info.Height);
        var some = new byte[rows * info.RowBytes];
        var pin = GCHandle.Alloc(some, GCHandleType.Pinned);
        try
        {
            for (var row = 0; row < info.Height; row += rows)
            {
                var count = Math.Min(rows, info.Height - row);
                if (codec.GetScanlines(pin.AddrOfPinnedObject(), count, info.RowBytes) < count)
                    Check(SKCodecResult.IncompleteInput, name, "JPEG");
                DropAlpha(some.AsSpan(0, count * info.RowBytes), pixels.AsSpan(row * info.Width * 3));
            }
        }
        finally
        {
            pin.Free();
        }
        return new PillowImage(PixelMode.Rgb, info.Width, info.Height, pixels);
    }

    private static void Check(SKCodecResult result, string name, string format)
    {
        if (result == SKCodecResult.IncompleteInput)
            throw new ImageFormatException($"{name} is cut short: the {format} file ends before its last row.");
        if (result != SKCodecResult.Success)
            throw new ImageFormatException($"{name} is damaged: the {format} file cannot be decoded.");
    }

    private static byte[] DropAlpha(byte[] rgba)
    {
        var rgb = new byte[rgba.Length / 4 * 3];
        DropAlpha(rgba, rgb);
        return rgb;
    }

    private static void DropAlpha(ReadOnlySpan<byte> rgba, Span<byte> rgb)
    {
        for (int i = 0, o = 0; i < rgba.Length; i += 4, o += 3)
            (rgb[o], rgb[o + 1], rgb[o + 2]) = (rgba[i], rgba[i + 1], rgba[i + 2]);
    }
}
