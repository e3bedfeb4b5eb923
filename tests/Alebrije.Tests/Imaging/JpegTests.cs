using System.Runtime.InteropServices;
using Alebrije.Preprocessing.Imaging;
using SkiaSharp;

namespace Alebrije.Tests.Imaging;

public sealed class JpegTests
{
    private static readonly PixelGolden Golden = new("pixels-clip");

    [Fact]
    public void Load_OfFourColours_IsPillowsToTheByte()
    {
        var image = PillowImage.Load(Path.Combine(Golden.Folder, "pictures", "jpeg-3-CMYK-40x56.jpg"));
        Assert.Equal(PixelMode.Cmyk, image.Mode);
        Assert.Equal(Golden.Bytes("decode-jpeg-3-CMYK-40x56.jpg/rgb"), image.ToRgb().Pixels);
    }

    [Theory]
    [InlineData("jpeg-0-RGB-64x48.jpg")]
    [InlineData("jpeg-1-RGB-61x75.jpg")]
    [InlineData("jpeg-4-RGB-50x50.jpg")]
    public void DecodeRgb_OfThreeColours_IsPillowsToTheByte(string file)
    {
        var bytes = File.ReadAllBytes(Path.Combine(Golden.Folder, "pictures", file));
        Assert.Equal(Golden.Bytes($"decode-{file}/rgb"), JpegDecoder.DecodeRgb(bytes, file).Pixels);
        Assert.Equal(Golden.Bytes($"decode-{file}/rgb"), RgbImage.FromBytes(bytes).Pixels);
    }

    [Fact]
    public void DecodeRgb_OfEverySampling_AgreesWithSkia()
    {
        foreach (var (width, height) in new[] { (64, 48), (17, 33), (3, 5), (1, 1), (100, 7) })
        {
            foreach (var sampling in Enum.GetValues<SKJpegEncoderDownsample>())
            {
                foreach (var quality in new[] { 20, 95 })
                {
                    using var bitmap = new SKBitmap(new SKImageInfo(width, height, SKColorType.Rgba8888, SKAlphaType.Opaque));
                    Marshal.Copy([.. TestPictures.Noise(width * height, 7).SelectMany((b, i) =>
                        new byte[] { b, (byte)(i * 3), (byte)(255 - b / 2), 255 })], 0, bitmap.GetPixels(), width * height * 4);
                    using var pixmap = bitmap.PeekPixels()!;
                    using var data = pixmap.Encode(new SKJpegEncoderOptions(quality, sampling, SKJpegEncoderAlphaOption.Ignore));
                    var bytes = data!.ToArray();
                    Assert.Equal(RgbImage.FromBytes(bytes).Pixels, JpegDecoder.DecodeRgb(bytes, "x").Pixels);
                }
            }
        }
    }

    [Theory]
    [InlineData("jpeg-0-RGB-64x48.jpg")]
    [InlineData("jpeg-3-CMYK-40x56.jpg")]
    public void Load_OfAHeaderThatPromisesTooMuch_RefusesWithoutTakingMemory(string file)
    {
        var bytes = File.ReadAllBytes(Path.Combine(Golden.Folder, "pictures", file));
        var frame = bytes.AsSpan().IndexOf([(byte)0xff, (byte)0xc0]);
        (bytes[frame + 5], bytes[frame + 7]) = (0x2f, 0x2f);
        var before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Contains("cut short", Assert.Throws<ImageFormatException>(() => PillowImage.FromBytes(bytes)).Message,
            StringComparison.Ordinal);
        Assert.True(GC.GetAllocatedBytesForCurrentThread() - before < 1_000_000);
    }
}
