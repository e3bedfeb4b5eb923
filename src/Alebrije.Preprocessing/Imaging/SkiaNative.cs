using SkiaSharp;

namespace Alebrije.Preprocessing.Imaging;

/// <summary>The native library of SkiaSharp, loaded before its first use.</summary>
internal static class SkiaNative
{
    private static readonly Lazy<DllNotFoundException?> Failure = new(Load);

    private static string Package => OperatingSystem.IsWindows() ? "SkiaSharp.NativeAssets.Win32"
        : OperatingSystem.IsMacOS() ? "SkiaSharp.NativeAssets.macOS" : "SkiaSharp.NativeAssets.Linux.NoDependencies";

    /// <summary>Returns if the library can be loaded.</summary>
    /// <exception cref="DllNotFoundException">It cannot be loaded; the message names the package that contains it.</exception>
    public static void Require()
    {
        if (Failure.Value is { } failure) throw new DllNotFoundException(failure.Message, failure.InnerException);
    }

    /// <summary>A copy of an image for Skia: four bytes a pixel, opaque.</summary>
    public static SKImage ToSkia(RgbImage image)
    {
        Require();
        var info = new SKImageInfo(image.Width, image.Height, SKColorType.Rgba8888, SKAlphaType.Opaque);
        var pixels = new byte[info.BytesSize];
        for (int i = 0, o = 0; i < image.Pixels.Length; i += 3, o += 4)
            (pixels[o], pixels[o + 1], pixels[o + 2], pixels[o + 3]) =
                (image.Pixels[i], image.Pixels[i + 1], image.Pixels[i + 2], byte.MaxValue);
        return SKImage.FromPixelCopy(info, pixels);
    }

    private static DllNotFoundException? Load()
    {
        try
        {
            _ = SkiaSharpVersion.Native;
            return null;
        }
        catch (Exception e) when (e is DllNotFoundException or TypeInitializationException or BadImageFormatException)
        {
            return new DllNotFoundException(
                $"SkiaSharp's native library, which reads JPEG and WebP and writes "
                    + $"letters, cannot be loaded: add the package {Package} to the program's project, in the version of SkiaSharp.", e);
        }
    }
}
