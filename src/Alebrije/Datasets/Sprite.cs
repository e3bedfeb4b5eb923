namespace Alebrije.Datasets;

/// <summary>
/// A glyph that can be drawn at any size up to its own: premultiplied, in halving levels, each with a transparent border.
/// </summary>
internal sealed class Sprite
{
    /// <summary>Noto's bitmaps; others are centred in this cell.</summary>
    public const int CellWidth = 136, CellHeight = 128;

    private const int LevelCount = 4;

    /// <summary>Level k has 1 / 2^k of the size.</summary>
    public Level[] Levels { get; } = new Level[LevelCount];

    /// <param name="width">Width in pixels, at most <see cref="CellWidth"/>.</param>
    /// <param name="height">Height in pixels, at most <see cref="CellHeight"/>.</param>
    /// <param name="rgba">[height, width, 4], straight alpha.</param>
    public Sprite(int width, int height, byte[] rgba)
    {
        var full = new Level(CellWidth, CellHeight);
        var (left, top) = ((CellWidth - width) / 2, (CellHeight - height) / 2);
        for (var y = Math.Max(0, -top); y < Math.Min(height, CellHeight - top); y++)
            for (var x = Math.Max(0, -left); x < Math.Min(width, CellWidth - left); x++)
            {
                var at = 4 * (y * width + x);
                var alpha = rgba[at + 3];
                full[left + x, top + y] = Pack(Times(rgba[at], alpha), Times(rgba[at + 1], alpha), Times(rgba[at + 2], alpha), alpha);
            }
        Levels[0] = full;
        (Top, Bottom) = Extent(full);
        for (var k = 1; k < LevelCount; k++)
            Levels[k] = Levels[k - 1].Halve();

        static int Times(int value, int alpha) => (value * alpha + 127) / 255;
    }

    /// <summary>First and last row that show anything, as fractions of the cell's height.</summary>
    public double Top { get; }

    /// <inheritdoc cref="Top"/>
    public double Bottom { get; }

    private static (double Top, double Bottom) Extent(Level level)
    {
        const uint visible = 64u << 24;
        var (first, last) = (level.Height, -1);
        for (var y = 0; y < level.Height; y++)
            for (var x = 0; x < level.Width; x++)
                if (level[x, y] >= visible)
                    (first, last) = (Math.Min(first, y), y);
        return last < 0 ? (0, 1) : ((double)first / level.Height, (last + 1.0) / level.Height);
    }

    private static uint Pack(int r, int g, int b, int a) => (uint)(r | g << 8 | b << 16 | a << 24);

    /// <summary>One size of the glyph: packed premultiplied RGBA with one transparent pixel all around.</summary>
    internal sealed class Level(int width, int height)
    {
        public int Width => width;

        public int Height => height;

        public int Stride => width + 2;

        public uint[] Pixels { get; } = new uint[(width + 2) * (height + 2)];

        public uint this[int x, int y]
        {
            get => Pixels[(y + 1) * Stride + x + 1];
            set => Pixels[(y + 1) * Stride + x + 1] = value;
        }

        public Level Halve()
        {
            var half = new Level(width / 2, height / 2);
            for (var y = 0; y < half.Height; y++)
                for (var x = 0; x < half.Width; x++)
                {
                    var (a, b, c, d) = (this[2 * x, 2 * y], this[2 * x + 1, 2 * y], this[2 * x, 2 * y + 1], this[2 * x + 1, 2 * y + 1]);
                    uint mean = 0;
                    for (var shift = 0; shift < 32; shift += 8)
                        mean |= (Channel(a, shift) + Channel(b, shift) + Channel(c, shift) + Channel(d, shift) + 2) / 4 << shift;
                    half[x, y] = mean;
                }
            return half;

            static uint Channel(uint pixel, int shift) => pixel >> shift & 0xFF;
        }
    }
}
