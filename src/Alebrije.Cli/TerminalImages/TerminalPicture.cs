using System.Globalization;
using System.Text;
using Alebrije.Preprocessing.Imaging;

namespace Alebrije.Cli.TerminalImages;

/// <summary>Images as text for a terminal: escape sequences in a string, ready to be written.</summary>
internal static class TerminalPicture
{
    /// <summary>Longest chunk of base64 in kitty's protocol, in characters.</summary>
    private const int KittyPiece = 4096;

    /// <summary>Renders an image; ends with a line break, empty for <see cref="TerminalProtocol.None"/>.</summary>
    /// <param name="image">The image.</param>
    /// <param name="protocol">Protocol, from <see cref="TerminalDetection"/>.</param>
    /// <param name="columns">Width in characters, at least 1; proportions are kept, a character being twice as high as wide.</param>
    /// <exception cref="ArgumentException">Columns below 1.</exception>
    public static string Render(RgbImage image, TerminalProtocol protocol, int columns = 40)
    {
        ArgumentNullException.ThrowIfNull(image);
        ArgumentOutOfRangeException.ThrowIfLessThan(columns, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(columns, 1000);
        return protocol switch
        {
            TerminalProtocol.Kitty => Kitty(image, columns),
            TerminalProtocol.ITerm => ITerm(image, columns),
            TerminalProtocol.Sixel => SixelEncoder.Encode(Fit(image, columns * 10)) + "\n",
            TerminalProtocol.HalfBlocks => HalfBlocks(image, columns),
            _ => "",
        };
    }

    /// <summary>PNG in base64, in chunks; f=100 is PNG, a=T shows it at once, q=2 suppresses the terminal's replies.</summary>
    private static string Kitty(RgbImage image, int columns)
    {
        var data = Convert.ToBase64String(image.ToPng());
        var text = new StringBuilder(data.Length + 256);
        for (var at = 0; at < data.Length; at += KittyPiece)
        {
            var (piece, more) = (Math.Min(KittyPiece, data.Length - at), at + KittyPiece < data.Length ? 1 : 0);
            text.Append("\e_G");
            if (at == 0)
                text.Append(CultureInfo.InvariantCulture, $"a=T,f=100,q=2,c={columns},");
            text.Append(CultureInfo.InvariantCulture, $"m={more};").Append(data, at, piece).Append("\e\\");
        }
        return text.Append('\n').ToString();
    }

    private static string ITerm(RgbImage image, int columns)
    {
        var png = image.ToPng();
        return string.Create(CultureInfo.InvariantCulture,
            $"\e]1337;File=inline=1;size={png.Length};width={columns};preserveAspectRatio=1:{Convert.ToBase64String(png)}\a\n");
    }

    /// <summary>Upper half blocks: the character's colour is the upper pixel, its background the lower one.</summary>
    private static string HalfBlocks(RgbImage image, int columns)
    {
        var small = Fit(image, columns);
        var text = new StringBuilder();
        for (var y = 0; y < small.Height; y += 2)
        {
            (int, int)? last = null;
            for (var x = 0; x < small.Width; x++)
            {
                var (upper, lower) = (Colour(small, x, y), y + 1 < small.Height ? Colour(small, x, y + 1) : -1);
                if (last != (upper, lower))
                {
                    text.Append(CultureInfo.InvariantCulture, $"\e[38;2;{upper >> 16};{upper >> 8 & 255};{upper & 255}");
                    text.Append(lower < 0 ? ";49m" : string.Create(CultureInfo.InvariantCulture,
                        $";48;2;{lower >> 16};{lower >> 8 & 255};{lower & 255}m"));
                    last = (upper, lower);
                }
                text.Append('▀');
            }
            text.Append("\e[0m\n");
        }
        return text.ToString();
    }

    private static int Colour(RgbImage image, int x, int y)
    {
        var at = (y * image.Width + x) * 3;
        return image.Pixels[at] << 16 | image.Pixels[at + 1] << 8 | image.Pixels[at + 2];
    }

    /// <summary>The image at a width; small images are enlarged by an integer, so that they stay sharp.</summary>
    private static RgbImage Fit(RgbImage image, int width)
    {
        var height = Math.Clamp((int)Math.Round((double)image.Height * width / image.Width), 1, 10_000);
        return image.Resize(width, height, width > image.Width ? ResizeFilter.Nearest : ResizeFilter.Lanczos);
    }
}
