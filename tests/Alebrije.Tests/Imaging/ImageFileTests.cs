using Alebrije.Preprocessing.Imaging;

namespace Alebrije.Tests.Imaging;

public sealed class ImageFileTests
{
    private static readonly string Pictures = Path.Combine(AppContext.BaseDirectory, "Fixtures", "pixels-clip", "pictures");

    public static TheoryData<string> Files => new(Directory.GetFiles(Pictures).Select(f => Path.GetFileName(f)!).Order());

    [Theory]
    [MemberData(nameof(Files))]
    public void Load_OfDamagedFiles_EndsInAPictureOrOneSentence(string file)
    {
        var whole = File.ReadAllBytes(Path.Combine(Pictures, file));
        var random = new Random(file.Length);
        for (var round = 0; round < 150; round++)
        {
            var damaged = round % 3 == 0 ? whole[..random.Next(whole.Length)] : (byte[])whole.Clone();
            for (var flips = random.Next(4); flips > 0 && round % 3 != 0; flips--)
                damaged[random.Next(round % 3 == 1 ? Math.Min(200, damaged.Length) : damaged.Length)] = (byte)random.Next(256);
            try
            {
                var image = PillowImage.FromBytes(damaged, file);
                Assert.Equal(image.Width * image.Height * image.PixelBytes, image.Pixels.Length);
                _ = image.ToRgb();
            }
            catch (ImageFormatException e)
            {
                Assert.Contains(file, e.Message, StringComparison.Ordinal);
                Assert.EndsWith(".", e.Message, StringComparison.Ordinal);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Files))]
    public void Load_OfHalfAFile_Refuses(string file)
    {
        var whole = File.ReadAllBytes(Path.Combine(Pictures, file));
        Assert.Throws<ImageFormatException>(() => PillowImage.FromBytes(whole.AsSpan(0, whole.Length / 2)));
    }

    [Fact]
    public void Load_OfAPngWithAWrongByte_SaysDamaged()
    {
        var png = new RgbImage(20, 20, TestPictures.Noise(1200, 2)).ToPng();
        for (var at = 8; at < png.Length - 12; at += 7)
        {
            png[at] ^= 0x10;
            Assert.Throws<ImageFormatException>(() => PillowImage.FromBytes(png));
            png[at] ^= 0x10;
        }
    }

    [Fact]
    public void Load_OfAPngWithWrongBytesAndRightChecksums_EndsInAPictureOrOneSentence()
    {
        var random = new Random(5);
        foreach (var (type, depth) in new[] { (0, 1), (0, 16), (2, 8), (3, 4), (4, 8), (6, 16) })
        {
            var png = TestPng.Encode(9, 7, depth, type, type == 2, (x, y, c) => (x * 31 + y * 17 + c * 5) & ((1 << depth) - 1),
                TestPictures.Noise(48, 1), TestPictures.Noise(12, 2));
            for (var round = 0; round < 200; round++)
            {
                var chunks = new List<(string Kind, byte[] Body)>();
                for (var at = 8; at < png.Length; at += 12 + chunks[^1].Body.Length)
                    chunks.Add((System.Text.Encoding.ASCII.GetString(png, at + 4, 4),
                        png[(at + 8)..(at + 8 + (png[at + 2] << 8 | png[at + 3]))]));
                var hit = random.Next(chunks.Count - 1);
                if (round % 4 == 0)
                    chunks.RemoveAt(hit);
                else if (round % 4 == 1)
                    chunks[hit] = (chunks[hit].Kind, chunks[hit].Body[..random.Next(chunks[hit].Body.Length)]);
                else
                    chunks[hit].Body[random.Next(chunks[hit].Body.Length)] = (byte)random.Next(256);
                try
                {
                    _ = PillowImage.FromBytes(TestPng.File([.. chunks])).ToRgbOnWhite();
                }
                catch (ImageFormatException e)
                {
                    Assert.EndsWith(".", e.Message, StringComparison.Ordinal);
                }
            }
        }
    }

    [Fact]
    public void Load_OfWhatIsNoPicture_SaysSo()
    {
        var folder = Directory.CreateTempSubdirectory("alebrije-images-").FullName;
        try
        {
            var empty = Path.Combine(folder, "empty.png");
            File.WriteAllBytes(empty, []);
            var text = Path.Combine(folder, "text.jpg");
            File.WriteAllText(text, "not an image");
            Assert.Contains("empty", Assert.Throws<ImageFormatException>(() => RgbImage.Load(empty)).Message, StringComparison.Ordinal);
            Assert.Contains("text.jpg", Assert.Throws<ImageFormatException>(() => RgbImage.Load(text)).Message, StringComparison.Ordinal);
            Assert.Contains("folder", Assert.Throws<ImageFormatException>(() => RgbImage.Load(folder)).Message, StringComparison.Ordinal);
            Assert.Contains("missing.png", Assert.Throws<FileNotFoundException>(() => RgbImage.Load(Path.Combine(folder, "missing.png")))
                .Message, StringComparison.Ordinal);

            var saved = Path.Combine(folder, "ñ.png");
            var image = new RgbImage(5, 3, TestPictures.Noise(45, 6));
            image.SavePng(saved, new Dictionary<string, string> { ["prompt"] = "a koala" });
            Assert.Equal(image.Pixels, RgbImage.Load(saved).Pixels);
            Assert.Equal("a koala", PngText.Read(saved)["prompt"]);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Theory]
    [InlineData("00-RGB-50x40.png", PixelMode.Rgb)]
    [InlineData("02-RGBA-33x33.png", PixelMode.Rgba)]
    [InlineData("03-LA-40x30.png", PixelMode.GreyAlpha)]
    [InlineData("04-P-45x61.png", PixelMode.Palette)]
    [InlineData("06-L-36x52.png", PixelMode.Grey)]
    [InlineData("07-1-64x49.png", PixelMode.Bilevel)]
    [InlineData("08-I16-30x44.png", PixelMode.Grey16)]
    [InlineData("12-RGB-57x43.bmp", PixelMode.Rgb)]
    [InlineData("13-P-52x47.gif", PixelMode.Palette)]
    [InlineData("jpeg-0-RGB-64x48.jpg", PixelMode.Rgb)]
    [InlineData("jpeg-2-L-48x48.jpg", PixelMode.Grey)]
    [InlineData("jpeg-3-CMYK-40x56.jpg", PixelMode.Cmyk)]
    public void Load_OfAFile_GivesPillowsMode(string file, PixelMode mode)
        => Assert.Equal(mode, PillowImage.Load(Path.Combine(Pictures, file)).Mode);

    [Fact]
    public void FromPlanes_OfValuesOutside_ClampsAndRoundsHalfToEven()
    {
        var image = RgbImage.FromPlanes([0.5f / 255, 1.5f / 255, -1f, 2f, 1f, float.NaN], 2, 1);
        Assert.Equal([0, 0, 255, 2, 255, 0], image.Pixels);
        Assert.Throws<ArgumentException>(() => RgbImage.FromPlanes([1f, 2f], 1, 1));
    }

    [Fact]
    public void Crop_BeyondThePicture_AddsBlack()
    {
        var image = new PillowImage(PixelMode.Grey, 2, 2, [1, 2, 3, 4]);
        Assert.Equal([0, 0, 0, 0, 0, 1, 2, 0, 0, 3, 4, 0, 0, 0, 0, 0], image.Crop(-1, -1, 4, 4).Pixels);
        Assert.Equal([4], image.Crop(1, 1, 1, 1).Pixels);
        Assert.Equal([0, 0], image.Crop(5, 0, 2, 1).Pixels);
        Assert.Equal([0, 0], image.Crop(0, -7, 2, 1).Pixels);
    }
}
