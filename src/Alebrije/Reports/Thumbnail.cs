using Alebrije.Preprocessing.Imaging;

namespace Alebrije.Reports;

/// <summary>Small versions of images, whole and undistorted, for tables and plots.</summary>
internal static class Thumbnail
{
    /// <summary>The image, made smaller so that it fits a square; never larger.</summary>
    public static RgbImage Fit(RgbImage image, int side)
    {
        var scale = Math.Min(1.0, (double)side / Math.Max(image.Width, image.Height));
        var (width, height) = (Math.Max(1, (int)Math.Round(image.Width * scale)), Math.Max(1, (int)Math.Round(image.Height * scale)));
        return (width, height) == (image.Width, image.Height) ? image : image.Resize(width, height, ResizeFilter.Lanczos);
    }

    /// <summary>Width and height of the image when it fills a square of the given side.</summary>
    public static (float Width, float Height) Size(RgbImage image, float side)
    {
        var longest = (float)Math.Max(image.Width, image.Height);
        return (image.Width * side / longest, image.Height * side / longest);
    }

    public static string DataUri(RgbImage image, int side) => "data:image/png;base64," + Convert.ToBase64String(Fit(image, side).ToPng());
}
