using System.Buffers.Binary;
using Alebrije.Preprocessing.Imaging;
using SkiaSharp;

namespace Alebrije.Tests.Imaging;

/// <summary>Memory of decoded images: refused before it is taken, not taken twice, and shared by threads.</summary>
public sealed class ImageBudgetTests : IDisposable
{
    private readonly Func<long> free = ImageBudget.Free;

    public void Dispose() => ImageBudget.Free = free;

    [Theory]
    [InlineData(12_000, 12_000, 6, "961 MB")]
    [InlineData(13_377, 13_377, 2, "1023 MB")]
    public void HeadersOfSmallFiles_ThatTakeMoreThanFilesOfTheirSize_AreRefused(int width, int height, byte colourType, string expected)
    {
        ImageBudget.Free = () => 1L << 40;
        var error = Assert.Throws<ImageFormatException>(() => PillowImage.FromBytes(Header(width, height, colourType), "a.png"));
        Assert.Contains($"a.png is too large: its header states {width} x {height}, which takes {expected}", error.Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Images_OfMoreThanHalfTheFreeMemory_AreRefusedWithBothNumbers()
    {
        ImageBudget.Free = () => 150L << 20;
        var error = Assert.Throws<ImageFormatException>(() => PillowImage.FromBytes(Header(4_000, 4_000, 2), "a.png"));
        Assert.Contains("4000 x 4000 pixels take 91 MB of memory, and 150 MB are free", error.Message, StringComparison.Ordinal);
        ImageBudget.Free = () => 190L << 20;
        Assert.Contains("cut short",
            Assert.Throws<ImageFormatException>(() => PillowImage.FromBytes(Header(4_000, 4_000, 2), "a.png")).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void LargePng_IsDecodedWithinItsPixels()
    {
        var pixels = new byte[3_000 * 2_000 * 3];
        for (var i = 0; i < pixels.Length; i++) pixels[i] = (byte)(i % 3_000 % 251);
        var file = new RgbImage(3_000, 2_000, pixels).ToPng();
        var before = GC.GetAllocatedBytesForCurrentThread();
        var image = PillowImage.FromBytes(file);
        var taken = GC.GetAllocatedBytesForCurrentThread() - before;
        Assert.Equal(pixels, image.Pixels);
        Assert.True(taken < pixels.Length + (3L * file.Length) + (1 << 20), $"{taken}");
    }

    [Fact]
    public void LargeJpeg_IsDecodedWithinItsPixels()
    {
        using var bitmap = new SKBitmap(3_000, 2_000, SKColorType.Rgba8888, SKAlphaType.Opaque);
        using (var canvas = new SKCanvas(bitmap))
        using (var paint = new SKPaint())
        {
            for (var y = 0; y < 2_000; y += 10)
            {
                paint.Color = new SKColor((byte)(y % 251), (byte)(y / 8), 90);
                canvas.DrawRect(0, y, 3_000, 10, paint);
            }
        }

        using var data = bitmap.Encode(SKEncodedImageFormat.Jpeg, 90);
        var file = data.ToArray();
        var before = GC.GetAllocatedBytesForCurrentThread();
        var image = PillowImage.FromBytes(file);
        var taken = GC.GetAllocatedBytesForCurrentThread() - before;
        Assert.Equal(JpegDecoder.DecodeRgb(file, "a.jpg").Pixels, image.Pixels);
        Assert.True(taken < image.Pixels.Length + (2 << 20), $"{taken}");
        Assert.Contains("cut short",
            Assert.Throws<ImageFormatException>(() => PillowImage.FromBytes(file.AsSpan(0, file.Length / 2))).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task Images_OfSeveralThreads_HaveOneBudget()
    {
        ImageBudget.Free = () => 1_300L << 20;
        using var second = new ManualResetEventSlim();
        var first = ImageBudget.Share();
        ImageBudget.Require((10_000, 10_000), 6, 0, "a.png");
        var other = Task.Run(() =>
        {
            using var share = ImageBudget.Share();
            ImageBudget.Require((10_000, 10_000), 6, 0, "b.png");
            second.Set();
        }, TestContext.Current.CancellationToken);
        Assert.False(second.Wait(200, TestContext.Current.CancellationToken));
        first.Dispose();
        await other.WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken);
        Assert.True(second.IsSet);
    }

    /// <summary>A PNG file without pixels after its header.</summary>
    private static byte[] Header(int width, int height, byte colourType)
    {
        var header = new byte[13];
        BinaryPrimitives.WriteInt32BigEndian(header, width);
        BinaryPrimitives.WriteInt32BigEndian(header.AsSpan(4), height);
        (header[8], header[9]) = (8, colourType);
        return TestPng.File(("IHDR", header), ("IDAT", []), ("IEND", []));
    }
}
