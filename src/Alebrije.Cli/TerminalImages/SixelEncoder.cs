using System.Globalization;
using System.Text;
using Alebrije.Preprocessing.Imaging;

namespace Alebrije.Cli.TerminalImages;

/// <summary>Sixel graphics (DEC VT340): bands of six rows, one colour after another, runs packed.</summary>
internal static class SixelEncoder
{
    private const int Colours = 256;

    public static string Encode(RgbImage image)
    {
        var palette = ColourQuantizer.Palette(image, Colours);
        var indices = ColourQuantizer.Dither(image, palette);
        // P2 = 1: pixels that no colour sets stay as they are; the raster line contains 1:1 and the size.
        var text = new StringBuilder().Append(CultureInfo.InvariantCulture, $"\eP0;1;0q\"1;1;{image.Width};{image.Height}");
        for (var i = 0; i < palette.Length; i++)
            text.Append(CultureInfo.InvariantCulture,
                $"#{i};2;{Percent(palette[i].Red)};{Percent(palette[i].Green)};{Percent(palette[i].Blue)}");
        var (masks, last) = (new byte[palette.Length * image.Width], new int[palette.Length]);
        for (var top = 0; top < image.Height; top += 6)
        {
            Array.Clear(masks);
            Array.Fill(last, -1);
            for (var y = top; y < Math.Min(top + 6, image.Height); y++)
            {
                for (var x = 0; x < image.Width; x++)
                {
                    var colour = indices[y * image.Width + x];
                    masks[colour * image.Width + x] |= (byte)(1 << (y - top));
                    last[colour] = Math.Max(last[colour], x);
                }
            }
            for (var colour = 0; colour < palette.Length; colour++)
            {
                if (last[colour] < 0)
                    continue;
                text.Append(CultureInfo.InvariantCulture, $"#{colour}");
                Runs(text, masks.AsSpan(colour * image.Width, last[colour] + 1));
                text.Append('$');
            }
            text.Append('-');
        }
        return text.Append("\e\\").ToString();
    }

    private static void Runs(StringBuilder text, ReadOnlySpan<byte> masks)
    {
        for (var x = 0; x < masks.Length;)
        {
            var end = x + 1;
            while (end < masks.Length && masks[end] == masks[x])
                end++;
            var sixel = (char)('?' + masks[x]);
            if (end - x > 3)
                text.Append(CultureInfo.InvariantCulture, $"!{end - x}{sixel}");
            else
                text.Append(sixel, end - x);
            x = end;
        }
    }

    private static int Percent(byte value) => (value * 100 + 127) / 255;
}
