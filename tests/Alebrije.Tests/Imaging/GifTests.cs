using Alebrije.Preprocessing.Imaging;
using SkiaSharp;

namespace Alebrije.Tests.Imaging;

public sealed class GifTests
{
    private static readonly byte[] Colours = [0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255];

    [Fact]
    public void Load_OfAFrameInsideTheScreen_FillsTheRestWithTheTransparentIndex()
    {
        var file = File(4, 3, 1, 1, 2, 1, [1, 2], Colours, transparent: 3);
        var image = PillowImage.FromBytes(file);
        Assert.Equal((4, 3, PixelMode.Palette), (image.Width, image.Height, image.Mode));
        Assert.Equal([3, 3, 3, 3, 3, 1, 2, 3, 3, 3, 3, 3], image.Pixels);
        Assert.Equal([0, 0, 255], image.ToRgb().Pixels[..3]);
        Assert.Equal([255, 255, 255], image.ToRgbOnWhite().Pixels[..3]);
        Assert.Equal(0, PillowImage.FromBytes(File(4, 3, 1, 1, 2, 1, [1, 2], Colours)).Pixels[0]);
    }

    [Fact]
    public void Load_OfAFrameBeyondTheScreen_GrowsTheScreen()
        => Assert.Equal((5, 2), PillowImage.FromBytes(File(2, 2, 3, 0, 2, 1, [1, 2], Colours)) is var image
            ? (image.Width, image.Height) : default);

    [Fact]
    public void Load_OfInterlacedRows_PutsThemInOrder()
    {
        foreach (var rows in new[] { 1, 2, 3, 5, 8, 9, 20 })
        {
            var order = new[] { (0, 8), (4, 8), (2, 4), (1, 2) }.SelectMany(p =>
                Enumerable.Range(0, rows).Where(y => y >= p.Item1 && (y - p.Item1) % p.Item2 == 0)).ToArray();
            var image = PillowImage.FromBytes(File(1, rows, 0, 0, 1, rows,
                [.. order.Select(y => (byte)(y % 4))], Colours, interlaced: true));
            Assert.Equal(Enumerable.Range(0, rows).Select(y => (byte)(y % 4)), image.Pixels);
        }
    }

    [Fact]
    public void Load_OfAGreyRamp_IsGrey()
    {
        var image = PillowImage.FromBytes(File(2, 1, 0, 0, 2, 1, [1, 3], [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3], transparent: 3));
        Assert.Equal((PixelMode.Grey, (3, 3, 3)), (image.Mode, image.TransparentColour!.Value));
        Assert.Equal([1, 1, 1, 255, 255, 255], image.ToRgbOnWhite().Pixels);
    }

    [Fact]
    public void Load_OfTheFixture_AgreesWithSkia()
    {
        var bytes = System.IO.File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory,
            "Fixtures", "pixels-clip", "pictures", "13-P-52x47.gif"));
        using var bitmap = SKBitmap.Decode(bytes).Copy(SKColorType.Rgba8888);
        Assert.Equal(bitmap.GetPixelSpan().ToArray().Where((_, i) => i % 4 < 3), RgbImage.FromBytes(bytes).Pixels);
    }

    [Fact]
    public void Load_OfAFileWithoutAFrame_SaysSo()
        => Assert.Throws<ImageFormatException>(() => PillowImage.FromBytes([.. "GIF89a"u8, 1, 0, 1, 0, 0, 0, 0, 0x3b]));

    [Fact]
    public void WebP_WithoutLoss_IsReadBack()
    {
        var pixels = TestPictures.Noise(20 * 9 * 4, 4).Select((b, i) => i % 4 == 3 ? (byte)255 : b).ToArray();
        using var bitmap = new SKBitmap(new SKImageInfo(20, 9, SKColorType.Rgba8888, SKAlphaType.Opaque));
        System.Runtime.InteropServices.Marshal.Copy(pixels, 0, bitmap.GetPixels(), pixels.Length);
        using var pixmap = bitmap.PeekPixels()!;
        using var data = pixmap.Encode(new SKWebpEncoderOptions(SKWebpEncoderCompression.Lossless, 50));
        var image = PillowImage.FromBytes(data!.ToArray());
        Assert.Equal((PixelMode.Rgb, 20, 9), (image.Mode, image.Width, image.Height));
        Assert.Equal(pixels.Where((_, i) => i % 4 < 3), image.Pixels);
    }

    /// <summary>A GIF of four colours whose codes never grow: the table is cleared every other pixel.</summary>
    private static byte[] File(int width, int height, int left, int top,
        int columns, int rows, byte[] indices, byte[] colours, int? transparent = null, bool interlaced = false)
    {
        var codes = indices.Chunk(2).SelectMany(two => new[] { 4 }.Concat(two.Select(i => (int)i))).Append(5).ToArray();
        var packed = codes.SelectMany(c => Enumerable.Range(0, 3).Select(b => c >> b & 1))
            .Chunk(8).Select(e => (byte)e.Select((bit, i) => bit << i).Sum()).ToArray();
        byte[] control = transparent is { } index ? [0x21, 0xf9, 4, 1, 0, 0, (byte)index, 0] : [];
        return [.. "GIF89a"u8, (byte)width, 0, (byte)height, 0, 0x81,
            0, 0, .. colours, .. control, 0x2c, (byte)left, 0, (byte)top, 0, (byte)columns, 0, (byte)rows, 0,
            interlaced ? (byte)0x40 : (byte)0, 2, (byte)packed.Length, .. packed, 0, 0x3b];
    }
}
