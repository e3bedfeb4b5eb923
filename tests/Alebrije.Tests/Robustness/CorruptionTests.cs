using Alebrije.Datasets;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Robustness;

namespace Alebrije.Tests.Robustness;

/// <summary>Corruptions and styles of any image.</summary>
public sealed class CorruptionTests
{
    public static TheoryData<Corruption> All => [.. Corruptions.All];

    public static TheoryData<SceneStyle> Styles => [.. Enum.GetValues<SceneStyle>()];

    [Theory]
    [MemberData(nameof(All))]
    public void SeedAndSeverity_DetermineThePicture_AndTheOriginalIsKept(Corruption corruption)
    {
        var picture = Picture(60, 44);
        var before = picture.Pixels.ToArray();
        var first = Corruptions.Apply(picture, corruption, 3, seed: 7);
        Assert.Equal(before, picture.Pixels);
        Assert.Equal((60, 44), (first.Width, first.Height));
        Assert.Equal(first.Pixels, Corruptions.Apply(picture, corruption, 3, seed: 7).Pixels);
        Assert.NotEqual(before, first.Pixels);
        if (corruption is Corruption.GaussianNoise or Corruption.ShotNoise or Corruption.ImpulseNoise or Corruption.GlassBlur
             or Corruption.Snow or Corruption.Fog or Corruption.ElasticTransform)
            Assert.NotEqual(first.Pixels, Corruptions.Apply(picture, corruption, 3, seed: 8).Pixels);
    }

    [Theory]
    [MemberData(nameof(All))]
    public void Severity_SpoilsMoreAndMore(Corruption corruption)
    {
        var picture = Picture(112, 112);
        var ratios = Enumerable.Range(1, Corruptions.Severities)
            .Select(severity => Enumerable.Range(0, 4)
                .Average(seed => Psnr(picture, Corruptions.Apply(picture, corruption, severity, (ulong)seed)))).ToArray();
        for (var i = 1; i < ratios.Length; i++)
            Assert.True(ratios[i] < ratios[i - 1] + 0.05,
                $"{corruption}: {string.Join(", ", ratios.Select(r => r.ToString("F2", null)))} dB");
        Assert.True(ratios[^1] < ratios[0] - 1, $"{corruption}: {ratios[0]:F2} to {ratios[^1]:F2} dB");
    }

    [Theory]
    [MemberData(nameof(All))]
    public void TinyPictures_AreSafe(Corruption corruption)
    {
        foreach (var (width, height) in new[] { (1, 1), (1, 9), (7, 1), (2, 3) })
            for (var severity = 1; severity <= Corruptions.Severities; severity++)
                Assert.Equal((width, height), Corruptions.Apply(Picture(width, height), corruption, severity) is var spoilt
                    ? (spoilt.Width, spoilt.Height) : default);
    }

    [Theory]
    [InlineData(Corruption.DefocusBlur)]
    [InlineData(Corruption.GlassBlur)]
    [InlineData(Corruption.MotionBlur)]
    [InlineData(Corruption.ZoomBlur)]
    public void Blurs_LeaveAnEvenPictureEven(Corruption corruption)
    {
        foreach (var side in new[] { 1, 2, 5, 6, 7, 40 })
            Assert.All(Corruptions.Apply(Even(side, side, 200), corruption, 1).Pixels, value => Assert.InRange(value, 199, 201));
    }

    [Theory]
    [InlineData(1, 1.6, 2.0)]
    [InlineData(5, 1.5, 1.8)]
    public void Fog_IsAsSmoothAsImageNetCs(int severity, double least, double most)
    {
        // Displacements fall by the square of the decay (2 at severity 1, 1.4 at 5) from one scale to the next, and the difference of two
        // positions grows with their distance.
        double Step(int reach) => Enumerable.Range(0, 8).Average(seed =>
        {
            var fog = Corruptions.Apply(Even(128, 128, 100), Corruption.Fog, severity, (ulong)seed).Pixels;
            return Enumerable.Range(0, 64 * 64).Select(i => (i / 64 * 128) + (i % 64))
                .Average(at => Math.Abs(fog[3 * (at + reach)] - fog[3 * at]));
        });
        Assert.InRange(Step(4) / Step(2), least, most);
    }

    [Theory]
    [MemberData(nameof(Styles))]
    public void Styles_ApplyToAnyPicture(SceneStyle style)
    {
        foreach (var (width, height) in new[] { (1, 1), (1, 9), (7, 1), (50, 30) })
            if (PictureStyles.Apply(Picture(width, height), style, 3) is { } styled)
                Assert.Equal((width, height), (styled.Width, styled.Height));
        var plain = OnPlain();
        var first = PictureStyles.Apply(plain, style, 3)!;
        Assert.Equal(first.Pixels, PictureStyles.Apply(plain, style, 3)!.Pixels);
        Assert.Equal(style == SceneStyle.Plain, first.Pixels.AsSpan().SequenceEqual(plain.Pixels));
    }

    [Fact]
    public void BusyBackground_KeepsTheThing_AndNeedsABackground()
    {
        var plain = OnPlain();
        var busy = PictureStyles.Apply(plain, SceneStyle.BusyBackground)!;
        var (thing, changed) = (3 * ((32 * 64) + 32), 0);
        Assert.Equal(plain.Pixels[thing..(thing + 3)], busy.Pixels[thing..(thing + 3)]);
        for (var i = 0; i < 64 * 3; i++) if (busy.Pixels[i] != plain.Pixels[i]) changed++;
        Assert.True(changed > 40, $"{changed} values of the first row changed");
        Assert.Null(PictureStyles.Apply(Picture(64, 64), SceneStyle.BusyBackground));
    }

    [Fact]
    public void Constants_AreImageNetCs()
    {
        var grey = new RgbImage(64, 64, [.. Enumerable.Repeat((byte)128, 64 * 64 * 3)]);
        var noisy = Corruptions.Apply(grey, Corruption.GaussianNoise, 1);
        var deviation = Math.Sqrt(noisy.Pixels.Average(value => Math.Pow((value - 128) / 255.0, 2)));
        Assert.InRange(deviation, 0.077, 0.083);
        var shot = Corruptions.Apply(grey, Corruption.ShotNoise, 1);
        Assert.InRange(shot.Pixels.Average(value => Math.Pow((value - 128) / 255.0, 2)), 0.9 * 128 / 255 / 60, 1.1 * 128 / 255 / 60);
        var lost = Corruptions.Apply(grey, Corruption.ImpulseNoise, 3);
        Assert.InRange(lost.Pixels.Count(value => value is 0 or 255) / (64 * 64 * 3.0), 0.08, 0.10);
        Assert.Equal(179, Corruptions.Apply(grey, Corruption.Brightness, 2).Pixels[0]);
        var halves = new RgbImage(2, 1, [100, 0, 0, 200, 0, 0]);
        Assert.Equal([130, 0, 0, 170, 0, 0], Corruptions.Apply(halves, Corruption.Contrast, 1).Pixels);
    }

    [Fact]
    public void Jpeg_KeepsAnEvenPicture_AndRefusesNoSuchSeverity()
    {
        var grey = new RgbImage(24, 20, [.. Enumerable.Repeat((byte)128, 24 * 20 * 3)]);
        Assert.Equal(grey.Pixels, Corruptions.Apply(grey, Corruption.JpegCompression, 5).Pixels);
        // Black and white fields of 8 x 8: halved colour has no edge to lose, and the first step (16 at quality 50, 53 at 15) rounds the
        // mean.
        var step = new RgbImage(16, 8, [.. Enumerable.Range(0, 16 * 8 * 3).Select(i => (byte)(i / 3 % 16 < 8 ? 100 : 140))]);
        Assert.All(Corruptions.Apply(step, Corruption.JpegCompression, 3).Pixels.Index(), pixel =>
            Assert.Equal(128 + (pixel.Index / 3 % 16 < 8 ? -4 : 2) * 53 / 8.0, pixel.Item, 1.0));
        Assert.Contains("1 to 5", Assert.Throws<ArgumentOutOfRangeException>(() => Corruptions.Apply(grey, Corruption.Fog, 6)).Message,
            StringComparison.Ordinal);
        Assert.Equal("jpeg_compression", Corruption.JpegCompression.Name());
    }

    private static RgbImage Even(int width, int height, byte value) =>
        new(width, height, [.. Enumerable.Repeat(value, width * height * 3)]);

    /// <summary>Waves with edges, so that every corruption has an effect.</summary>
    private static RgbImage Picture(int width, int height)
    {
        var image = new RgbImage(width, height);
        for (var y = 0; y < height; y++)
            for (var x = 0; x < width; x++)
                for (var c = 0; c < 3; c++)
                {
                    var wave = 90 + (50 * Math.Sin((x + (7 * c)) / 6.0)) + (40 * Math.Cos(y / (5.0 + c)));
                    image.Pixels[(3 * ((y * width) + x)) + c] = (byte)Math.Clamp(
                        ((x / 13) + (y / 17)) % 2 == 0 ? wave : 235 - wave, 0, 255);
                }
        return image;
    }

    private static RgbImage OnPlain()
    {
        var image = new RgbImage(64, 64);
        for (var i = 0; i < 64 * 64; i++)
        {
            var (x, y) = ((i % 64) - 32, (i / 64) - 32);
            var colour = (x * x) + (y * y) < 300 ? new byte[] { 250, 220, (byte)(40 + (3 * Math.Abs(x))) } : [30, 70, 200];
            colour.CopyTo(image.Pixels, 3 * i);
        }

        return image;
    }

    private static double Psnr(RgbImage a, RgbImage b)
    {
        var error = a.Pixels.Zip(b.Pixels, (x, y) => (double)(x - y) * (x - y)).Average();
        return 10 * Math.Log10(255 * 255 / Math.Max(error, 1e-9));
    }
}
