using Alebrije.Preprocessing;
using Alebrije.Preprocessing.Imaging;
using System.Buffers.Binary;
using SkiaSharp;

namespace Alebrije.Datasets;

/// <summary>
/// Reads the colour bitmaps of Noto Color Emoji: cmap format 12 finds the glyph, CBLC its place, CBDT holds it as a PNG
/// (OpenType 1.9, tables cmap, CBLC, CBDT).
/// </summary>
internal sealed class EmojiFont
{
    private const int IndexOffsets32 = 1;
    private const int IndexOffsets16 = 3;
    private const int ImageSmallMetricsPng = 17;
    private const int ImageBigMetricsPng = 18;

    private readonly string path;
    private readonly byte[] font;
    private readonly Dictionary<string, (int Offset, int Length)> tables = [];
    private readonly Dictionary<int, int> glyphs;

    /// <exception cref="InvalidDataException">The file is not a font with colour bitmaps.</exception>
    public EmojiFont(string path)
    {
        SkiaNative.Require();
        this.path = path;
        font = RegularFile.ReadAllBytes(path);
        try
        {
            for (var i = 0; i < U16(4); i++)
            {
                var record = 12 + 16 * i;
                tables[System.Text.Encoding.ASCII.GetString(font, record, 4)] = (I32(record + 8), I32(record + 12));
            }
            glyphs = ReadCharacterMap();
        }
        catch (ArgumentOutOfRangeException e)
        {
            throw Broken("it ends too early", e);
        }
    }

    /// <summary>The image of a code point, straight alpha.</summary>
    /// <returns>Width, height and pixels [height, width, 4] as RGBA.</returns>
    /// <exception cref="InvalidDataException">The font has no bitmap for it.</exception>
    public (int Width, int Height, byte[] Rgba) Decode(int codePoint)
    {
        if (!glyphs.TryGetValue(codePoint, out var glyph))
            throw new InvalidDataException($"{path} has no glyph for U+{codePoint:X4}; install fonts-noto-color-emoji 2.042 or newer.");
        try
        {
            var info = new SKImageInfo(0, 0, SKColorType.Rgba8888, SKAlphaType.Unpremul);
            var png = FindPng(glyph) ?? throw Broken($"glyph {glyph} has no bitmap");
            using var encoded = SKData.CreateCopy(font.AsSpan(png.Offset, png.Length));
            using var codec = SKCodec.Create(encoded) ?? throw Broken($"the bitmap of glyph {glyph} is not a PNG");
            info = info.WithSize(codec.Info.Width, codec.Info.Height);
            using var bitmap = SKBitmap.Decode(codec, info) ?? throw Broken($"the bitmap of glyph {glyph} cannot be decoded");
            return (info.Width, info.Height, bitmap.GetPixelSpan().ToArray());
        }
        catch (ArgumentOutOfRangeException e)
        {
            throw Broken("it ends too early", e);
        }
    }

    private (int Offset, int Length)? FindPng(int glyph)
    {
        var cblc = Table("CBLC");
        var strikes = I32(cblc + 4);
        for (var strike = 0; strike < strikes; strike++)
        {
            var record = cblc + 8 + 48 * strike;
            var array = cblc + I32(record);
            for (var i = 0; i < I32(record + 8); i++)
            {
                var (first, last, subtable) = (U16(array + 8 * i), U16(array + 8 * i + 2), array + I32(array + 8 * i + 4));
                if (glyph >= first && glyph <= last)
                    return InSubtable(subtable, glyph - first);
            }
        }
        return null;
    }

    private (int Offset, int Length)? InSubtable(int subtable, int index)
    {
        var (indexFormat, imageFormat, images) = (U16(subtable), U16(subtable + 2), Table("CBDT") + I32(subtable + 4));
        var (start, end) = indexFormat switch
        {
            IndexOffsets32 => (I32(subtable + 8 + 4 * index), I32(subtable + 12 + 4 * index)),
            IndexOffsets16 => (U16(subtable + 8 + 2 * index), U16(subtable + 10 + 2 * index)),
            _ => throw Broken($"its bitmaps are indexed in format {indexFormat}, and only 1 and 3 can be read"),
        };
        var metrics = imageFormat switch
        {
            ImageSmallMetricsPng => 5,
            ImageBigMetricsPng => 8,
            _ => throw Broken($"its bitmaps are stored in format {imageFormat}, and only 17 and 18 (PNG) can be read"),
        };
        return end > start ? (images + start + metrics + 4, I32(images + start + metrics)) : null;
    }

    private Dictionary<int, int> ReadCharacterMap()
    {
        const int segmentedCoverage = 12;
        var cmap = Table("cmap");
        for (var i = 0; i < U16(cmap + 2); i++)
        {
            var subtable = cmap + I32(cmap + 4 + 8 * i + 4);
            if (U16(subtable) != segmentedCoverage)
                continue;
            var map = new Dictionary<int, int>();
            for (var g = 0; g < I32(subtable + 12); g++)
            {
                var (first, last, glyph) = (I32(subtable + 16 + 12 * g), I32(subtable + 20 + 12 * g), I32(subtable + 24 + 12 * g));
                for (var codePoint = first; codePoint <= last; codePoint++)
                    map[codePoint] = glyph + codePoint - first;
            }
            return map;
        }
        throw Broken("it maps no characters beyond the first plane (cmap format 12)");
    }

    private int Table(string tag) => tables.TryGetValue(tag, out var table)
        ? table.Offset
        : throw Broken($"it has no {tag} table");

    private InvalidDataException Broken(string why, Exception? inner = null) =>
        new($"{path} is not Noto Color Emoji with bitmaps: {why}; install the package fonts-noto-color-emoji.", inner);

    private int U16(int at) => BinaryPrimitives.ReadUInt16BigEndian(font.AsSpan(at));

    private int I32(int at) => BinaryPrimitives.ReadInt32BigEndian(font.AsSpan(at));
}
