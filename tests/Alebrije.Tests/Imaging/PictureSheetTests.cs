using Alebrije.Preprocessing.Imaging;
using SkiaSharp;

namespace Alebrije.Tests.Imaging;

public sealed class PictureSheetTests
{
    [Fact]
    public void Fonts_OfTheAssembly_HaveLettersOfBothLanguages()
    {
        foreach (var typeface in new[] { Fonts.Regular, Fonts.Bold })
        {
            Assert.Equal("DejaVu Sans", typeface.FamilyName);
            Assert.DoesNotContain((ushort)0, typeface.GetGlyphs("koala motorcycle ¿qué? año «él» – … × → ≤ Ж Ω é 0123456789%"));
        }
        Assert.True(Fonts.Bold.FontStyle.Weight > Fonts.Regular.FontStyle.Weight);
        Assert.True(Fonts.ToTrueType(bold: false).Length is > 30_000 and < 400_000);
    }

    [Fact]
    public void Draw_OfFivePictures_PutsEachInItsPlaceAndLabelsBelow()
    {
        var pictures = Enumerable.Range(0, 5).Select(i => Filled(32, 32, (byte)(40 * i))).ToArray();
        var bare = PictureSheet.Draw(pictures, options: new PictureSheetOptions { Columns = 3, Gap = 4 });
        Assert.Equal((3 * 36 + 4, 2 * 36 + 4), (bare.Width, bare.Height));
        for (var i = 0; i < 5; i++)
            Assert.Equal((byte)(40 * i), bare.Pixels[((4 + i / 3 * 36 + 16) * bare.Width + 4 + i % 3 * 36 + 16) * 3]);
        Assert.Equal(255, bare.Pixels[((4 + 36 + 16) * bare.Width + 4 + 2 * 36 + 16) * 3]);

        var labelled = PictureSheet.Draw(pictures, ["a", "un año", "", "a very long label that cannot fit at all", "x"],
            new PictureSheetOptions { Columns = 3, Gap = 4, Title = "Five" });
        Assert.True(labelled.Height > bare.Height + 20);
        Assert.Contains(Enumerable.Range(0, labelled.Width * 4), i => labelled.Pixels[i + labelled.Width * 3 * 10] < 100);
    }

    [Fact]
    public void Draw_OfAPictureLargerThanTheCell_KeepsItsProportions()
    {
        var sheet = PictureSheet.Draw([Filled(200, 100, 0)], options: new PictureSheetOptions { CellSize = 50, Gap = 0 });
        Assert.Equal((50, 50), (sheet.Width, sheet.Height));
        Assert.Equal(50 * 25 * 3, sheet.Pixels.Count(p => p == 0));
    }

    [Fact]
    public void Draw_WithoutPicturesOrWithTooFewLabels_Refuses()
    {
        Assert.Throws<ArgumentException>(() => PictureSheet.Draw([]));
        Assert.Throws<ArgumentException>(() => PictureSheet.Draw([new RgbImage(2, 2)], ["a", "b"]));
        Assert.Throws<ArgumentException>(() =>
            PictureSheet.Draw([new RgbImage(2, 2)], options: new PictureSheetOptions { CellSize = 60_000 }));
    }

    private static RgbImage Filled(int width, int height, byte value)
    {
        var image = new RgbImage(width, height);
        image.Pixels.AsSpan().Fill(value);
        return image;
    }
}
