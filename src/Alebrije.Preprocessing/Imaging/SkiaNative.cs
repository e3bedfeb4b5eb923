using SkiaSharp;

namespace Alebrije.Preprocessing.Imaging;

/// <summary>The native library of SkiaSharp, asked for before the first use.</summary>
internal static class SkiaNative
{
    private static readonly Lazy<DllNotFoundException?> Failure = new(Load);

    private static string Package => OperatingSystem.IsWindows() ? "SkiaSharp.NativeAssets.Win32"
        : OperatingSystem.IsMacOS() ? "SkiaSharp.NativeAssets.macOS" : "SkiaSharp.NativeAssets.Linux.NoDependencies";

    /// <summary>Returns where the library can be loaded.</summary>
    /// <exception cref="DllNotFoundException">It cannot; the message names the package that has it.</exception>
    public static void Require()
    {
        if (Failure.Value is { } failure) throw new DllNotFoundException(failure.Message, failure.InnerException);
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
                $"SkiaSharp's native library, which reads JPEG and WebP and writes letters, cannot be loaded: add the package {Package} to the program's project, in the version of SkiaSharp.", e);
        }
    }
}
