using System.Buffers;
using Alebrije.Preprocessing;

namespace Alebrije.Datasets;

/// <summary>Styles as integer filters over a finished image, [height, width, 3] RGB; lengths scale with the shorter side.</summary>
internal static class StyleFilters
{
    public static void Apply(SceneStyle style, Span<byte> pixels, int width, int height, ref SeededRandom random)
    {
        var size = Math.Min(width, height);
        switch (style)
        {
            case SceneStyle.PencilSketch:
                Sketch(pixels, width, height, ref random);
                break;
            case SceneStyle.BlackAndWhite:
                for (var i = 0; i < pixels.Length; i += 3)
                    pixels.Slice(i, 3).Fill(Luma(pixels, i));
                break;
            case SceneStyle.PixelArt:
                Pixelate(pixels, width, height);
                break;
            case SceneStyle.Blurred:
                var radius = Math.Max(1, size * 2 / Scene.Side);
                for (var pass = 0; pass < 3; pass++)
                    BoxBlur(pixels, width, height, radius);
                break;
            case SceneStyle.Night:
                Darken(pixels, width, height, ref random);
                break;
        }
    }

    private static byte Luma(ReadOnlySpan<byte> pixels, int at) =>
        (byte)((77 * pixels[at] + 150 * pixels[at + 1] + 29 * pixels[at + 2]) >> 8);

    // Strokes where any channel changes, and slanted hatching where the image is darker than the paper around it.
    private static void Sketch(Span<byte> pixels, int width, int height, ref SeededRandom random)
    {
        var copy = ArrayPool<byte>.Shared.Rent(pixels.Length);
        pixels.CopyTo(copy);
        var background = Luma(copy, 0);
        var grain = random.Next();
        var spacing = Math.Max(2, Math.Min(width, height) * 4 / Scene.Side);
        for (var y = 0; y < height; y++)
            for (var x = 0; x < width; x++)
            {
                var at = 3 * (y * width + x);
                var (left, right) = (x > 0 ? at - 3 : at, x < width - 1 ? at + 3 : at);
                var (up, down) = (y > 0 ? at - 3 * width : at, y < height - 1 ? at + 3 * width : at);
                var edge = 0;
                var inside = 0;
                for (var c = 0; c < 3; c++)
                {
                    edge = Math.Max(edge, Math.Abs(copy[right + c] - copy[left + c]) + Math.Abs(copy[down + c] - copy[up + c]));
                    inside = Math.Max(inside, Math.Abs(copy[at + c] - copy[c]));
                }
                var ink = Math.Min(215, edge * 3 / 2);
                var luma = Luma(copy, at);
                if (inside > 24 && (x + y) % spacing == 0)
                    ink = Math.Max(ink, (255 - luma) * 5 / 8);
                var paper = 246 - (int)(SeededRandom.Mix(grain ^ (ulong)at) & 7);
                pixels.Slice(at, 3).Fill((byte)Math.Max(12, paper - ink));
            }
        ArrayPool<byte>.Shared.Return(copy);
    }

    private static void Pixelate(Span<byte> pixels, int width, int height)
    {
        var block = Math.Max(2, Math.Min(width, height) * 4 / Scene.Side);
        for (var top = 0; top < height; top += block)
            for (var left = 0; left < width; left += block)
            {
                var (bottom, right) = (Math.Min(height, top + block), Math.Min(width, left + block));
                var count = (bottom - top) * (right - left);
                for (var c = 0; c < 3; c++)
                {
                    var sum = 0;
                    for (var y = top; y < bottom; y++)
                        for (var x = left; x < right; x++)
                            sum += pixels[3 * (y * width + x) + c];
                    var mean = sum / count;
                    var level = (byte)Math.Min(255, (mean + 12) / 25 * 25);
                    for (var y = top; y < bottom; y++)
                        for (var x = left; x < right; x++)
                            pixels[3 * (y * width + x) + c] = level;
                }
            }
    }

    private static void BoxBlur(Span<byte> pixels, int width, int height, int radius)
    {
        var line = ArrayPool<byte>.Shared.Rent(Math.Max(width, height));
        for (var i = 0; i < Math.Max(width, height); i++)
            for (var c = 0; c < 3; c++)
            {
                if (i < height) BlurLine(pixels, 3 * i * width + c, 3, width, radius, line);
                if (i < width) BlurLine(pixels, 3 * i + c, 3 * width, height, radius, line);
            }
        ArrayPool<byte>.Shared.Return(line);
    }

    private static void BlurLine(Span<byte> pixels, int start, int step, int size, int radius, byte[] line)
    {
        for (var i = 0; i < size; i++)
            line[i] = pixels[start + i * step];
        var width = 2 * radius + 1;
        var sum = (radius + 1) * line[0];
        for (var i = 1; i <= radius; i++)
            sum += line[Math.Min(i, size - 1)];
        for (var i = 0; i < size; i++)
        {
            pixels[start + i * step] = (byte)((sum + radius) / width);
            sum += line[Math.Min(size - 1, i + radius + 1)] - line[Math.Max(0, i - radius)];
        }
    }

    private static void Darken(Span<byte> pixels, int width, int height, ref SeededRandom random)
    {
        var size = Math.Min(width, height);
        for (var i = 0; i < pixels.Length; i += 3)
        {
            pixels[i] = (byte)(pixels[i] * 60 >> 8);
            pixels[i + 1] = (byte)(4 + (pixels[i + 1] * 72 >> 8));
            pixels[i + 2] = (byte)(34 + (pixels[i + 2] * 108 >> 8));
        }
        const int stars = 14;
        for (var i = 0; i < stars; i++)
        {
            // Stars stay near the border, where objects rarely are.
            var (along, depth) = (random.Below(size), random.Below(Math.Max(1, size / 8)));
            var (x, y) = random.Below(4) switch
            {
                0 => (along, depth),
                1 => (along, depth + size / 10),
                2 => (depth, along / 2),
                _ => (size - 1 - depth, along / 2),
            };
            pixels.Slice(3 * (y * height / size * width + x * width / size), 3).Fill(225);
        }
    }
}
