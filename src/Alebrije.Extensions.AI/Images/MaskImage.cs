using Alebrije.Preprocessing.Imaging;

namespace Alebrije.Extensions.AI.Images;

/// <summary>Masks in the forms that clients send.</summary>
internal static class MaskImage
{
    /// <summary>A mask whose transparent part is bright; null where nothing is transparent.</summary>
    public static RgbImage? OfTransparency(PillowImage image)
    {
        var bytes = new byte[image.Width * image.Height * 3];
        var any = false;
        for (var i = 0; i < image.Width * image.Height; i++)
        {
            var alpha = image.Mode switch
            {
                PixelMode.Rgba => image.Pixels[(4 * i) + 3],
                PixelMode.GreyAlpha => image.Pixels[(2 * i) + 1],
                PixelMode.Palette => image.Palette![(4 * image.Pixels[i]) + 3],
                _ => byte.MaxValue,
            };
            any |= alpha < 128;
            bytes.AsSpan(3 * i, 3).Fill((byte)(255 - alpha));
        }

        return any ? new RgbImage(image.Width, image.Height, bytes) : null;
    }
}
