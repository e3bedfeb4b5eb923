using System.Runtime.InteropServices;
using System.Text;
using Alebrije.Preprocessing.Imaging;
using SkiaSharp;

namespace Alebrije.Tests.Imaging;

public sealed class PngTests
{
    public static TheoryData<int, int, bool> Kinds
    {
        get
        {
            var kinds = new TheoryData<int, int, bool>();
            foreach (var (type, depths) in new[] { (0, new[] { 1, 2, 4, 8, 16 }),
                (2, [8, 16]), (3, [1, 2, 4, 8]), (4, [8, 16]), (6, [8, 16]) })
            {
                foreach (var depth in depths)
                {
                    kinds.Add(type, depth, false);
                    kinds.Add(type, depth, true);
                }
            }
            return kinds;
        }
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Load_OfEveryKind_GivesPillowsModeAndValues(int type, int depth, bool interlaced)
    {
        foreach (var (width, height) in new[] { (1, 1), (3, 2), (13, 9), (8, 17), (1, 12), (33, 1) })
        {
            var noise = TestPictures.Noise(width * height * 4 * 2, (uint)(type * 100 + depth));
            int Sample(int x, int y, int c) =>
                (noise[((y * width + x) * 4 + c) * 2] << 8 | noise[((y * width + x) * 4 + c) * 2 + 1]) >> (16 - depth);
            var palette = type == 3 ? TestPictures.Noise(3 << depth, 9) : null;

            var image = PillowImage.FromBytes(TestPng.Encode(width, height, depth, type, interlaced, Sample, palette));

            Assert.Equal((width, height), (image.Width, image.Height));
            var expected = new List<byte>();
            for (var y = 0; y < height; y++)
            {
                for (var x = 0; x < width; x++)
                    expected.AddRange(Pixel(type, depth, c => Sample(x, y, c)));
            }
            Assert.Equal(Mode(type, depth), image.Mode);
            Assert.Equal(expected, image.Pixels);
            if (palette is not null)
                Assert.Equal(palette, image.Palette!.Where((_, i) => i % 4 < 3).Take(palette.Length));
        }
    }

    private static PixelMode Mode(int type, int depth) => (type, depth) switch
    {
        (0, 1) => PixelMode.Bilevel,
        (0, 16) => PixelMode.Grey16,
        (0, _) => PixelMode.Grey,
        (2, _) => PixelMode.Rgb,
        (3, _) => PixelMode.Palette,
        (4, 8) => PixelMode.GreyAlpha,
        _ => PixelMode.Rgba,
    };

    private static byte[] Pixel(int type, int depth, Func<int, int> sample) => (type, depth) switch
    {
        (0, 16) => [(byte)sample(0), (byte)(sample(0) >> 8)],
        (0, _) => [(byte)(sample(0) * 255 / ((1 << depth) - 1))],
        (3, _) => [(byte)sample(0)],
        (4, 16) => [(byte)(sample(0) >> 8), (byte)(sample(0) >> 8), (byte)(sample(0) >> 8), (byte)(sample(1) >> 8)],
        (2, _) => [.. Enumerable.Range(0, 3).Select(c => (byte)(sample(c) >> (depth - 8)))],
        (4, _) => [(byte)sample(0), (byte)sample(1)],
        _ => [.. Enumerable.Range(0, 4).Select(c => (byte)(sample(c) >> (depth - 8)))],
    };

    [Fact]
    public void Save_OfEveryMode_IsReadBackTheSameByUsAndBySkia()
    {
        foreach (var mode in Enum.GetValues<PixelMode>().Where(m => m is not (PixelMode.Cmyk or PixelMode.Float)))
        {
            foreach (var (width, height) in new[] { (1, 1), (7, 5), (40, 30), (9, 1) })
            {
                var pixels = TestPictures.Noise(width * height * PillowImage.BytesPerPixel(mode), 3);
                if (mode == PixelMode.Bilevel)
                    pixels = [.. pixels.Select(p => p > 127 ? (byte)255 : (byte)0)];
                var palette = mode == PixelMode.Palette ? TestPictures.Noise(1024, 4) : null;
                var image = new PillowImage(mode, width, height, pixels) { Palette = palette };

                var png = PngEncoder.Encode(image);

                var read = PillowImage.FromBytes(png);
                Assert.Equal((mode, width, height), (read.Mode, read.Width, read.Height));
                Assert.Equal(pixels, read.Pixels);
                Assert.Equal(palette, read.Palette);
                if (mode is not (PixelMode.Rgb or PixelMode.Grey))
                    continue;
                using var bitmap = SKBitmap.Decode(png).Copy(SKColorType.Rgba8888);
                Assert.Equal(MemoryMarshal.AsBytes(bitmap.GetPixelSpan()).ToArray().Where((_, i) => i % 4 < 3), read.ToRgb().Pixels);
            }
        }
    }

    [Fact]
    public void TransparentColour_OfGrey_ShowsWhiteForTransformersAndItselfElse()
    {
        var png = TestPng.Encode(2, 1, 8, 0, false, (x, _, _) => x == 0 ? 7 : 200, transparency: [0, 7]);
        var image = PillowImage.FromBytes(png);
        Assert.Equal((7, 7, 7), image.TransparentColour);
        Assert.Equal([7, 7, 7, 200, 200, 200], image.ToRgb().Pixels);
        Assert.Equal([255, 255, 255, 200, 200, 200], image.ToRgbOnWhite().Pixels);
    }

    [Fact]
    public void Text_OfAnyLanguage_IsReadBackAndTheFileStaysAPicture()
    {
        var text = new Dictionary<string, string>
        {
            ["parameters"] = "a koala riding a motorcycle\nseed 7",
            ["Comentario"] = "año, ¿qué?",
            ["note"] = "日本の🐨 — “quoted”",
            ["empty"] = "",
        };
        var png = new RgbImage(3, 2).ToPng(text);
        Assert.Equal(text, PngText.Read(png));
        Assert.Equal((3, 2), (RgbImage.FromBytes(png).Width, RgbImage.FromBytes(png).Height));
        Assert.Contains("tEXtComentario\0a\xf1o", Encoding.Latin1.GetString(png), StringComparison.Ordinal);
        Assert.Contains("iTXtnote\0\0\0\0\0", Encoding.Latin1.GetString(png), StringComparison.Ordinal);
        for (var at = 8; at < png.Length;)
        {
            var length = png[at + 2] << 8 | png[at + 3];
            var crc = TestPng.Crc(png.AsSpan(at + 4, length + 4));
            Assert.Equal(crc, (uint)(
                png[at + 8 + length] << 24 | png[at + 9 + length] << 16 | png[at + 10 + length] << 8 | png[at + 11 + length]));
            at += length + 12;
        }
    }

    [Fact]
    public void Text_PackedByOtherTools_IsRead()
    {
        using var packed = new MemoryStream();
        using (var zlib = new System.IO.Compression.ZLibStream(packed, System.IO.Compression.CompressionLevel.Optimal, leaveOpen: true))
            zlib.Write("ñandú"u8);
        var file = TestPng.File(("zTXt", [.. "a\0\0"u8, .. packed.ToArray()]),
            ("iTXt", [.. "b\0\x1\0es\0clave\0"u8, .. packed.ToArray()]), ("IEND", []));
        var text = PngText.Read(file);
        Assert.Equal("ñandú", text["b"]);
        Assert.Equal(Encoding.Latin1.GetString("ñandú"u8), text["a"]);
    }

    [Theory]
    [InlineData("")]
    [InlineData(" leading")]
    [InlineData("two  spaces")]
    [InlineData("日本")]
    public void Text_UnderAKeywordThatPngForbids_Refuses(string keyword)
        => Assert.Throws<ArgumentException>(() => new RgbImage(1, 1).ToPng(new Dictionary<string, string> { [keyword] = "x" }));

    [Fact]
    public void Load_OfAHeaderThatPromisesTooMuch_RefusesWithoutTakingMemory()
    {
        // 8 GB of pixels, then 60 MB of pixels in ten packed bytes.
        foreach (var (width, height) in new[] { (0x7fffffff, 1), (60_000, 60_000), (5_000, 4_000) })
        {
            var header = new byte[] { (byte)(width >> 24), (byte)(width >> 16), (byte)(width >> 8),
                (byte)width, (byte)(height >> 24), (byte)(height >> 16), (byte)(height >> 8), (byte)height, 8, 2, 0, 0, 0 };
            var bomb = TestPng.File(("IHDR", header), ("IDAT", new byte[10]), ("IEND", []));
            var before = GC.GetAllocatedBytesForCurrentThread();
            Assert.Throws<ImageFormatException>(() => PillowImage.FromBytes(bomb));
            Assert.True(GC.GetAllocatedBytesForCurrentThread() - before < 1_000_000);
        }
    }

    [Fact]
    public void PresetDictionary_IsDamage_InPixelsAndTexts()
    {
        // A zlib stream that needs a dictionary: PNG has none.
        byte[] packed = [0x78, 0xbb, 0, 0, 0, 1, 0x63, 0, 0];
        byte[] header = [0, 0, 0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 0];
        var path = Path.Combine(Directory.CreateTempSubdirectory("alebrije-png-").FullName, "a.png");
        File.WriteAllBytes(path, TestPng.File(
            ("IHDR", header), ("zTXt", [.. "prompt"u8, 0, 0, .. packed]), ("IDAT", packed), ("IEND", [])));

        Assert.Contains("packed pixels cannot be unpacked",
            Assert.Throws<ImageFormatException>(() => PillowImage.Load(path)).Message, StringComparison.Ordinal);
        Assert.Contains("a packed text in it cannot be unpacked",
            Assert.Throws<ImageFormatException>(() => PngText.Read(path)).Message, StringComparison.Ordinal);
        Directory.Delete(Path.GetDirectoryName(path)!, recursive: true);
    }

    [Fact]
    public void Save_Twice_GivesTheSameBytes()
    {
        var image = new RgbImage(31, 17, TestPictures.Noise(31 * 17 * 3, 8));
        Assert.Equal(image.ToPng(new Dictionary<string, string> { ["a"] = "b" }),
            image.ToPng(new Dictionary<string, string> { ["a"] = "b" }));
    }
}
