using System.Runtime.InteropServices;
using Alebrije.Preprocessing.Imaging;

namespace Alebrije.Tests.Imaging;

public sealed class PillowResizeTests
{
    private static readonly PixelGolden Golden = new("pixels-resize");

    public static TheoryData<string> CaseIds => new(Golden.Cases.Select(c => c.GetProperty("id").GetString()!));

    [Theory]
    [MemberData(nameof(CaseIds))]
    public void Resize_OfGolden_IsEqualToTheByte(string id)
    {
        var arguments = Golden.Cases.Single(c => c.GetProperty("id").GetString() == id).GetProperty("arguments");
        var mode = arguments.GetProperty("mode").GetString() switch
        {
            "L" => PixelMode.Grey, "RGB" => PixelMode.Rgb, "RGBA" => PixelMode.Rgba,
            "F" => PixelMode.Float, var m => throw new ArgumentException(m),
        };
        var shape = Golden.Shape($"{id}/image");
        var image = new PillowImage(mode, shape[1], shape[0], Golden.Bytes($"{id}/image"));
        ResizeBox? box = null;
        if (arguments.TryGetProperty("box", out var edges)
            && edges.EnumerateArray().Select(e => e.GetSingle()).ToArray() is [var l, var t, var r, var b])
            box = new ResizeBox(l, t, r, b);

        var resized = image.Resize(arguments.GetProperty("width").GetInt32(), arguments.GetProperty("height").GetInt32(),
            Enum.Parse<ResizeFilter>(arguments.GetProperty("filter").GetString()!, ignoreCase: true), box);

        if (mode == PixelMode.Float)
            Assert.All(MemoryMarshal.Cast<byte, float>(resized.Pixels).ToArray().Zip(Golden.Floats($"{id}/resized")),
                p => Assert.Equal(p.Second, p.First, 1e-4f + 1e-5f * Math.Abs(p.Second)));
        else
            Assert.Equal(Golden.Bytes($"{id}/resized"), resized.Pixels);
    }

    [Fact]
    public void Resize_OfGolden_CoversEveryFilter()
        => Assert.Equal(Enum.GetNames<ResizeFilter>().Select(n => n.ToLowerInvariant()).Order(),
            Golden.Cases.Select(c => c.GetProperty("arguments").GetProperty("filter").GetString()!).Distinct().Order());

    [Theory]
    [InlineData(ResizeFilter.Nearest)]
    [InlineData(ResizeFilter.Box)]
    [InlineData(ResizeFilter.Bilinear)]
    [InlineData(ResizeFilter.Hamming)]
    [InlineData(ResizeFilter.Bicubic)]
    [InlineData(ResizeFilter.Lanczos)]
    public void Resize_OfOneColour_KeepsTheColourAtEverySize(ResizeFilter filter)
    {
        foreach (var mode in Enum.GetValues<PixelMode>().Where(m => m is not (PixelMode.Float or PixelMode.Grey16)))
        {
            foreach (var (width, height) in new[] { (1, 1), (1, 17), (300, 1), (3, 200), (40, 40) })
            {
                var bytes = PillowImage.BytesPerPixel(mode);
                var colour = Enumerable.Range(0, bytes).Select(c => (byte)(255 - c * 20 * (bytes == 2 || bytes == 4 ? 0 : 1))).ToArray();
                var image = new PillowImage(mode, 13, 7,
                    [.. Enumerable.Repeat(colour, 91).SelectMany(c => c)]) { Palette = new byte[1024] };
                var resized = image.Resize(width, height, filter);
                Assert.Equal(Enumerable.Repeat(colour, width * height).SelectMany(c => c), resized.Pixels);
            }
        }
    }

    [Fact]
    public void Resize_OfGrey_IsOneChannelOfRgb()
    {
        // Two code paths (vectors of four channels, single bytes) that must agree.
        var grey = new PillowImage(PixelMode.Grey, 57, 31, TestPictures.Noise(57 * 31, 5));
        var rgb = new PillowImage(PixelMode.Rgb, 57, 31, [.. grey.Pixels.SelectMany(p => new[] { p, p, p })]);
        foreach (var (width, height) in new[] { (20, 11), (1, 1), (57, 90), (130, 31), (224, 224), (3, 100) })
        {
            foreach (var filter in Enum.GetValues<ResizeFilter>())
                Assert.Equal(grey.Resize(width, height, filter).Pixels,
                    rgb.Resize(width, height, filter).Pixels.Where((_, i) => i % 3 == 1));
        }
    }

    [Fact]
    public void Resize_OfWords_OvershootKeepsItsLowByte()
    {
        // A step from 0 to 65535: bicubic overshoots both ways. Below 0 both bytes are clipped; above 65535 the low byte stays as it is.
        var pixels = new byte[] { 0, 0, 0, 0, 255, 255, 255, 255 };
        var words = MemoryMarshal.Cast<byte, ushort>(new PillowImage(PixelMode.Grey16, 4, 1, pixels).Resize(8, 1).Pixels).ToArray();
        Assert.Equal(0, words[2]);
        Assert.True(words[5] is >= 0xff00 and < 0xffff, $"{words[5]}");
        Assert.Equal(0xffff, words[7]);
    }

    [Fact]
    public void Resize_ToItsOwnSize_CopiesAndChangesNothing()
    {
        var image = new PillowImage(PixelMode.Rgba, 5, 4, TestPictures.Noise(80, 1));
        var same = image.Resize(5, 4, ResizeFilter.Lanczos);
        Assert.Equal(image.Pixels, same.Pixels);
        Assert.NotSame(image.Pixels, same.Pixels);
    }

    [Theory]
    [InlineData(0, 4)]
    [InlineData(4, -1)]
    [InlineData(100_000, 100_000)]
    public void Resize_ToAnImpossibleSize_Refuses(int width, int height)
        => Assert.Throws<ArgumentException>(() => new RgbImage(8, 8).Resize(width, height));

    [Theory]
    [InlineData(-1, 0, 4, 4)]
    [InlineData(0, 0, 9, 4)]
    [InlineData(3, 0, 3, 4)]
    [InlineData(0, float.NaN, 4, 4)]
    public void Resize_OfABoxOutside_Refuses(float left, float top, float right, float bottom)
        => Assert.Throws<ArgumentException>(() => new RgbImage(8, 8).Resize(4, 4, box: new ResizeBox(left, top, right, bottom)));
}
