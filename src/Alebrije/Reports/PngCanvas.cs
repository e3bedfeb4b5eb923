using Alebrije.Preprocessing.Imaging;
using SkiaSharp;

namespace Alebrije.Reports;

/// <summary>A white page that becomes a PNG.</summary>
internal static class PngCanvas
{
    /// <summary>Draws on a page and encodes it.</summary>
    /// <param name="width">Logical pixels.</param>
    /// <param name="height">Logical pixels.</param>
    /// <param name="scale">Pixels for each logical one.</param>
    /// <param name="draw">Draws in logical pixels.</param>
    /// <exception cref="InvalidOperationException">There is too little memory for the page.</exception>
    public static byte[] Draw(float width, float height, float scale, Action<SKCanvas> draw)
    {
        SkiaNative.Require();
        var info = new SKImageInfo((int)MathF.Ceiling(width * scale),
            (int)MathF.Ceiling(height * scale), SKColorType.Rgba8888, SKAlphaType.Premul);
        using var surface = SKSurface.Create(info)
            ?? throw new InvalidOperationException(
                $"SkiaSharp could not make an image of {info.Width} x {info.Height}; there is too little memory.");
        surface.Canvas.Clear(SKColors.White);
        surface.Canvas.Scale(scale);
        draw(surface.Canvas);
        using var image = surface.Snapshot();
        using var encoded = image.Encode(SKEncodedImageFormat.Png, 100);
        return encoded.ToArray();
    }
}
