using Alebrije.Preprocessing.Imaging;
using Alebrije.Tests.Catalog;
using Alebrije.Tests.Cli;

namespace Alebrije.Search.Tests;

/// <summary>
/// HEIC, AVIF and TIFF. The package with libvips's native library is one of this test project alone; it reads no HEIC, which Debian's
/// libvips42 does. <c>Fixtures/corners.*</c> are 60 x 44 pixels of four colours, written by <c>vips heifsave</c> 8.14.1.
/// </summary>
public sealed class VipsTests : Folders
{
    private const int Width = 60, Height = 44;
    private const string NoLibvips = "libvips is not there";

    [Theory]
    [InlineData("corners.avif")]
    [InlineData("corners.heic")]
    public void Heif_IsReadWhereItsDecoderIsThere_AndNamedInOneSentenceElse(string name)
    {
        Assert.SkipUnless(VipsLibrary.IsThere, NoLibvips);
        var bytes = File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, "Fixtures", name));
        PillowImage image;
        try
        {
            image = VipsDecoder.Decode(bytes, name);
        }
        catch (MissingDecoderException e) when (name.EndsWith("heic", StringComparison.Ordinal))
        {
            Assert.Equal($"{name} is compressed in a way that the installed libvips has no decoder for; "
                + "for HEIC (HEVC), that of Debian, libvips42, has one.", e.Message);
            return;
        }

        AssertCorners(image, (250, 240, 60), (20, 240, 60), (250, 30, 60), (20, 30, 60));
    }

    [Theory]
    [InlineData(1, 0, 1, 2, 3)]
    [InlineData(3, 3, 2, 1, 0)]
    [InlineData(6, 2, 0, 3, 1)]
    [InlineData(8, 1, 3, 0, 2)]
    public void Tiff_IsReadUpright(int orientation, params int[] corners)
    {
        Assert.SkipUnless(VipsLibrary.IsThere, NoLibvips);
        (int, int, int)[] colours = [(250, 240, 60), (20, 240, 60), (250, 30, 60), (20, 30, 60)];
        var image = VipsDecoder.Decode(TestTiff.Of(Width, Height, 3, 8, Strip(colours), orientation), "a.tif");
        var isTurned = orientation > 4;
        Assert.Equal(isTurned ? (Height, Width) : (Width, Height), (image.Width, image.Height));
        AssertCorners(image, colours[corners[0]], colours[corners[1]], colours[corners[2]], colours[corners[3]]);
    }

    [Fact]
    public void Tiff_OfSixteenBitsInGrey_IsRead()
    {
        Assert.SkipUnless(VipsLibrary.IsThere, NoLibvips);
        byte[] strip = [.. Enumerable.Range(0, Width * Height).SelectMany(i => (byte[])[0, i % Width < Width / 2 ? (byte)200 : (byte)50])];
        var image = VipsDecoder.Decode(TestTiff.Of(Width, Height, 1, 16, strip), "grey.tif");
        AssertCorners(image, (200, 200, 200), (50, 50, 50), (200, 200, 200), (50, 50, 50));
    }

    [Fact]
    public async Task Files_AreIndexedWithTheirDate_AndDamagedOnesNamedInOneSentence()
    {
        Assert.SkipUnless(VipsLibrary.IsThere, NoLibvips);
        (int, int, int)[] colours = [(250, 240, 60), (20, 240, 60), (250, 30, 60), (20, 30, 60)];
        var whole = TestTiff.Of(Width, Height, 3, 8, Strip(colours), taken: "2023:05:17 10:20:30");
        File.WriteAllBytes(Path.Combine(Photos, "whole.tif"), whole);
        File.Copy(Path.Combine(AppContext.BaseDirectory, "Fixtures", "corners.avif"), Path.Combine(Photos, "named.jpg"));
        File.WriteAllBytes(Path.Combine(Photos, "cut.tif"), whole[..^4000]);
        File.WriteAllBytes(Path.Combine(Photos, "head.tiff"), whole[..40]);
        File.WriteAllBytes(Path.Combine(Photos, "bomb.tif"), TestTiff.Of(60_000, 60_000, 3, 8, Strip(colours)));
        File.WriteAllBytes(Path.Combine(Photos, "small-bomb.tif"), TestTiff.Of(13_000, 13_000, 3, 8, Strip(colours)));
        File.WriteAllBytes(Path.Combine(Photos, "video.heic"), [0, 0, 0, 24, .. "ftypmp42"u8, .. new byte[2000]]);
        var outcome = await CommandLine.Run("index", "add", Photos, "--index", IndexFolder, "--model", TestModels.StableUnClip, "--json");
        Assert.Equal(0, outcome.Status);
        var skipped = outcome.Json.GetProperty("skipped").EnumerateArray().ToDictionary(
            one => Path.GetFileName(one.GetProperty("file").GetString()!), one => one.GetProperty("reason").GetString()!);
        Assert.Equal(["bomb.tif", "cut.tif", "head.tiff", "small-bomb.tif", "video.heic"], skipped.Keys.Order(StringComparer.Ordinal));
        Assert.All(skipped.Values, reason => Assert.Matches("^[^\n\u001b]+\\.$", reason));
        Assert.StartsWith("too large: its header states 60000 x 60000", skipped["bomb.tif"], StringComparison.Ordinal);
        Assert.StartsWith("too large: its header states 13000 x 13000", skipped["small-bomb.tif"], StringComparison.Ordinal);
        Assert.DoesNotContain("VIPS-WARNING", outcome.Error, StringComparison.Ordinal);
        using var index = PictureIndex.Open(IndexFolder);
        var pictures = index.Pictures(index.Spaces.Single()).OrderBy(picture => picture.File, StringComparer.Ordinal).ToArray();
        Assert.Equal(["named.jpg", "whole.tif"], pictures.Select(picture => Path.GetFileName(picture.File)));
        Assert.All(pictures, picture => Assert.Equal((Width, Height), (picture.Width, picture.Height)));
        Assert.Equal(new DateTime(2023, 5, 17, 10, 20, 30), PictureMetadata.Read(whole).Taken);
    }

    /// <summary>Four colours: upper left, upper right, lower left, lower right.</summary>
    private static byte[] Strip((int R, int G, int B)[] colours) => [.. Enumerable.Range(0, Width * Height).SelectMany(i =>
    {
        var (r, g, b) = colours[(i % Width < Width / 2 ? 0 : 1) + (i / Width < Height / 2 ? 0 : 2)];
        return (byte[])[(byte)r, (byte)g, (byte)b];
    })];

    private static void AssertCorners(PillowImage image, params (int R, int G, int B)[] colours)
    {
        Assert.Equal(PixelMode.Rgb, image.Mode);
        var corners = new[] { (4, 4), (image.Width - 5, 4), (4, image.Height - 5), (image.Width - 5, image.Height - 5) };
        foreach (var ((x, y), (r, g, b)) in corners.Zip(colours))
        {
            var at = ((y * image.Width) + x) * 3;
            Assert.InRange(image.Pixels[at], r - 6, r + 6);
            Assert.InRange(image.Pixels[at + 1], g - 6, g + 6);
            Assert.InRange(image.Pixels[at + 2], b - 6, b + 6);
        }
    }
}
