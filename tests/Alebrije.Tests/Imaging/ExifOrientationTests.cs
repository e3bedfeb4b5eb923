using System.Text;
using Alebrije.Preprocessing.Imaging;

namespace Alebrije.Tests.Imaging;

/// <summary>Expected images: EXIF's own table of the eight orientations, as in Pillow's <c>ImageOps.exif_transpose</c>.</summary>
public sealed class ExifOrientationTests
{
    private static readonly string[] Upright = ["", "123/456", "321/654",
        "654/321", "456/123", "14/25/36", "41/52/63", "63/52/41", "36/25/14"];

    public static TheoryData<int> Orientations => new(Enumerable.Range(1, 8));

    [Theory]
    [MemberData(nameof(Orientations))]
    public void Upright_OfEachOrientation_IsWhatViewersShow(int orientation)
    {
        var exif = (byte[])[.. "Exif\0\0"u8, .. TestExif.Tiff(orientation, bigEndian: orientation % 2 == 0)];
        foreach (var file in new[] { TestExif.Png(("eXIf", exif[6..])), TestExif.WebP(("EXIF", exif)), TestExif.WebP(("EXIF", exif[6..])) })
        {
            var stored = PillowImage.FromBytes(file);
            Assert.Equal((3, 2, orientation), (stored.Width, stored.Height, stored.Orientation));
            Assert.Equal("123/456", TestExif.Numbers(stored.ToRgb().Pixels, stored.Width));
            var upright = stored.Upright();
            Assert.Equal((Upright[orientation], 1), (TestExif.Numbers(upright.ToRgb().Pixels, upright.Width), upright.Orientation));
        }

        var jpeg = PillowImage.FromBytes(TestExif.Jpeg(exif)).Upright();
        var small = jpeg.Resize(jpeg.Width / 16, jpeg.Height / 16, ResizeFilter.Box);
        Assert.Equal(Upright[orientation], TestExif.Numbers(small.ToRgb().Pixels, small.Width));
    }

    [Theory]
    [MemberData(nameof(Orientations))]
    public void Upright_TurnsEveryMode(int orientation)
    {
        foreach (var mode in Enum.GetValues<PixelMode>())
        {
            var bytes = PillowImage.BytesPerPixel(mode);
            var pixels = Enumerable.Range(1, 6).SelectMany(i => Enumerable.Range(0, bytes).Select(b => (byte)((16 * i) + b))).ToArray();
            var image = new PillowImage(mode, 3, 2, pixels) { Orientation = orientation, TransparentColour = (1, 2, 3) }.Upright();
            var numbers = image.Pixels.Chunk(bytes).Select(pixel =>
            {
                Assert.Equal(Enumerable.Range(0, bytes), pixel.Select(b => b % 16));
                return pixel[0] / 16;
            });
            Assert.Equal(Upright[orientation], string.Join('/', numbers.Chunk(image.Width).Select(row => string.Concat(row))));
            Assert.Equal((1, 2, 3), image.TransparentColour);
        }
    }

    [Fact]
    public void Orientation_OfXmpAndOfOlderText_IsTakenWhereExifHasNone()
    {
        byte[] profile = [.. "Exif\0\0"u8, .. TestExif.Tiff(8)];
        var hexadecimal = $"\nexif\n{profile.Length,8}\n{Convert.ToHexStringLower(profile)}\n";
        byte[] raw = [.. "Raw profile type exif\0"u8, .. Encoding.Latin1.GetBytes(hexadecimal)];
        byte[] international = [.. "XML:com.adobe.xmp\0\0\0\0\0"u8, .. TestExif.Xmp(5)];
        byte[] adobe = [.. "http://ns.adobe.com/xap/1.0/\0"u8, .. TestExif.Xmp(7)];
        Assert.Equal(8, PillowImage.FromBytes(TestExif.Png(("tEXt", raw))).Orientation);
        Assert.Equal(5, PillowImage.FromBytes(TestExif.Png(("iTXt", international))).Orientation);
        Assert.Equal(7, PillowImage.FromBytes(TestExif.Jpeg(adobe)).Orientation);
        Assert.Equal(6, PillowImage.FromBytes(TestExif.Jpeg(adobe, [.. "Exif\0\0"u8, .. TestExif.Tiff(6)])).Orientation);
        Assert.Equal(3, PillowImage.FromBytes(TestExif.WebP(("XMP ", TestExif.Xmp(3)))).Orientation);
    }

    [Fact]
    public void Orientation_OutsideItsRange_OrDamaged_IsNone()
    {
        Assert.Equal(1, PillowImage.FromBytes(TestExif.Png()).Orientation);
        Assert.Equal(8, PillowImage.FromBytes(TestExif.Png(("eXIf", TestExif.Tiff(8, type: 4)))).Orientation);
        foreach (var wrong in new[] { 0, 9, 99 })
            Assert.Equal(1, PillowImage.FromBytes(TestExif.Png(("eXIf", TestExif.Tiff(wrong)))).Orientation);
        var block = TestExif.Tiff(6);
        for (var length = 0; length < block.Length - 6; length++)
            Assert.Equal(1, PillowImage.FromBytes(TestExif.Png(("eXIf", block[..length]))).Orientation);
        var random = new Random(3);
        for (var round = 0; round < 500; round++)
        {
            var damaged = (byte[])block.Clone();
            damaged[random.Next(damaged.Length)] = (byte)random.Next(256);
            foreach (var file in new[] { TestExif.Png(("eXIf", damaged)), TestExif.WebP(("EXIF", damaged)) })
                Assert.InRange(PillowImage.FromBytes(file).Orientation, 1, 8);
        }
    }

    [Fact]
    public void Load_LeavesThePictureAsItIs_AndLoadUprightTurnsIt()
    {
        var path = Path.GetTempFileName();
        try
        {
            File.WriteAllBytes(path, TestExif.Png(("eXIf", TestExif.Tiff(6))));
            Assert.Equal("123/456", TestExif.Numbers(RgbImage.Load(path).Pixels, 3));
            Assert.Equal("41/52/63", TestExif.Numbers(RgbImage.LoadUpright(path).Pixels, 2));
        }
        finally
        {
            File.Delete(path);
        }
    }
}
