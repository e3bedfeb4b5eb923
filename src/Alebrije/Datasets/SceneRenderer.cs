using Alebrije.Preprocessing;

namespace Alebrije.Datasets;

/// <summary>Turns a described scene into pixels with whole-number arithmetic, so that every machine draws the same bytes.</summary>
internal static class SceneRenderer
{
    private const int FractionBits = 16;
    private const uint DecorationPurpose = 7;

    /// <param name="scene">Scene to draw.</param>
    /// <param name="sprites">The image of a concept by its index.</param>
    /// <param name="pixels">[size, size, 3], RGB; every byte is written.</param>
    /// <param name="size">Side in pixels.</param>
    public static void Render(Scene scene, Func<int, Sprite> sprites, Span<byte> pixels, int size)
    {
        Fill(pixels, scene.Shade);
        var random = new SeededRandom(scene.Seed, scene.Index, DecorationPurpose);
        if (scene.Style == SceneStyle.BusyBackground)
            DrawShapes(pixels, size, size, ref random);
        // The first object is drawn last, before the others, except where it sits behind what it rides.
        var firstIsBehind = scene.Relation is SceneRelation.OnTopOf or SceneRelation.Riding;
        for (var i = 0; i < scene.Objects.Count; i++)
        {
            var o = scene.Objects[firstIsBehind ? i : scene.Objects.Count - 1 - i];
            Draw(pixels, size, sprites(o.Concept.Index), o);
        }
        StyleFilters.Apply(scene.Style, pixels, size, size, ref random);
    }

    private static void Fill(Span<byte> pixels, Rgb colour)
    {
        for (var i = 0; i < pixels.Length; i += 3)
            (pixels[i], pixels[i + 1], pixels[i + 2]) = (colour.R, colour.G, colour.B);
    }

    private static void Draw(Span<byte> pixels, int size, Sprite sprite, SceneObject o)
    {
        var unit = (double)size / Scene.Side;
        var scale = o.Size * unit / Sprite.CellHeight;
        var k = 0;
        while (scale <= 0.5 && k + 1 < sprite.Levels.Length)
            (scale, k) = (scale * 2, k + 1);
        var level = sprite.Levels[k];
        var (sin, cos) = SinCos(o.Angle);
        var (centreX, centreY) = (o.X * unit, o.Y * unit);

        // The turned cell's bounding box.
        var reachX = (Math.Abs(cos) * level.Width + Math.Abs(sin) * level.Height) * scale / 2;
        var reachY = (Math.Abs(sin) * level.Width + Math.Abs(cos) * level.Height) * scale / 2;
        var (left, right) = ((int)Math.Max(0, centreX - reachX - 1), (int)Math.Min(size - 1, centreX + reachX + 1));
        var (top, bottom) = ((int)Math.Max(0, centreY - reachY - 1), (int)Math.Min(size - 1, centreY + reachY + 1));

        // From the image back to the sprite; the border shifts by one pixel, its pixels' centres by half of one.
        int stepX = Fixed(cos / scale), stepY = Fixed(-sin / scale);
        var source = level.Pixels;
        var stride = level.Stride;
        var (lastX, lastY) = ((level.Width + 1) << FractionBits, (level.Height + 1) << FractionBits);
        for (var y = top; y <= bottom; y++)
        {
            var (dx, dy) = (left + 0.5 - centreX, y + 0.5 - centreY);
            var u = Fixed((cos * dx + sin * dy) / scale + level.Width / 2.0 + 0.5);
            var v = Fixed((cos * dy - sin * dx) / scale + level.Height / 2.0 + 0.5);
            var at = 3 * (y * size + left);
            for (var x = left; x <= right; x++, at += 3, u += stepX, v += stepY)
            {
                if ((uint)u >= (uint)lastX || (uint)v >= (uint)lastY)
                    continue;
                var pixel = Sample(source, stride, u, v);
                var alpha = pixel >> 24;
                if (alpha == 0)
                    continue;
                var rest = 255 - alpha;
                pixels[at] = Over(pixel & 0xFF, pixels[at], rest);
                pixels[at + 1] = Over(pixel >> 8 & 0xFF, pixels[at + 1], rest);
                pixels[at + 2] = Over(pixel >> 16 & 0xFF, pixels[at + 2], rest);
            }
        }
    }

    private static byte Over(uint colour, uint below, uint rest) => (byte)Math.Min(255, colour + (below * rest + 127) / 255);

    private static uint Sample(uint[] source, int stride, int u, int v)
    {
        var at = (v >> FractionBits) * stride + (u >> FractionBits);
        var (fx, fy) = ((uint)(u >> FractionBits - 8) & 0xFF, (uint)(v >> FractionBits - 8) & 0xFF);
        return Lerp(Lerp(source[at], source[at + 1], fx), Lerp(source[at + stride], source[at + stride + 1], fx), fy);
    }

    // Two channels at a time in one word.
    private static uint Lerp(uint a, uint b, uint f)
    {
        const uint even = 0x00FF00FF;
        var low = ((a & even) * (256 - f) + (b & even) * f) >> 8 & even;
        var high = ((a >> 8 & even) * (256 - f) + (b >> 8 & even) * f) & ~even;
        return low | high;
    }

    private static int Fixed(double value) => (int)Math.Floor(value * (1 << FractionBits));

    // Taylor series: the C library's sine differs from machine to machine in its last bit, this does not. Angles are small.
    private static (double Sin, double Cos) SinCos(double degrees)
    {
        var a = degrees * (Math.PI / 180);
        var square = a * a;
        return (a * (1 - square / 6 * (1 - square / 20 * (1 - square / 42 * (1 - square / 72)))),
            1 - square / 2 * (1 - square / 12 * (1 - square / 30 * (1 - square / 56))));
    }

    /// <summary>The busy background: ellipses and rectangles of many colours.</summary>
    public static void DrawShapes(Span<byte> pixels, int width, int height, ref SeededRandom random)
    {
        const int shapes = 26;
        for (var i = 0; i < shapes; i++)
        {
            var colour = new Rgb((byte)random.Between(30, 240), (byte)random.Between(30, 240), (byte)random.Between(30, 240));
            var (x, y) = (random.Unit() * width, random.Unit() * height);
            var (halfW, halfH) = (random.Between(0.06, 0.2) * width, random.Between(0.06, 0.2) * height);
            var round = random.Chance(0.5);
            for (var py = (int)Math.Max(0, y - halfH); py < Math.Min(height, y + halfH); py++)
                for (var px = (int)Math.Max(0, x - halfW); px < Math.Min(width, x + halfW); px++)
                {
                    var (dx, dy) = ((px + 0.5 - x) / halfW, (py + 0.5 - y) / halfH);
                    if (round && dx * dx + dy * dy > 1)
                        continue;
                    var at = 3 * (py * width + px);
                    (pixels[at], pixels[at + 1], pixels[at + 2]) = (colour.R, colour.G, colour.B);
                }
        }
    }
}
