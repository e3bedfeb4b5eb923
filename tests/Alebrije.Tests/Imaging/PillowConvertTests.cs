using Alebrije.Preprocessing.Imaging;

namespace Alebrije.Tests.Imaging;

public sealed class PillowConvertTests
{
    [Fact]
    public void ToGrey_OfColours_IsPillowsLuma()
    {
        // (19595 R + 38470 G + 7471 B + 32768) / 65536, as Image.convert("L") gives for pure colours and two mixtures.
        byte[] colours = [255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255, 0, 0, 0, 10, 20, 30, 200, 100, 50];
        Assert.Equal([76, 150, 29, 255, 0, 18, 124], PillowConvert.ToGrey(new PillowImage(PixelMode.Rgb, 7, 1, colours)));
    }

    [Fact]
    public void ToGrey_OfGrey_IsACopy()
    {
        byte[] grey = [0, 7, 128, 255];
        var converted = PillowConvert.ToGrey(new PillowImage(PixelMode.Grey, 2, 2, grey));
        Assert.Equal(grey, converted);
        converted[0] = 9;
        Assert.Equal(0, grey[0]);
    }

    [Fact]
    public void ToGrey_OfOtherModes_DropsOpacityAndReadsBits()
    {
        Assert.Equal([40, 250], PillowConvert.ToGrey(new PillowImage(PixelMode.GreyAlpha, 2, 1, [40, 0, 250, 255])));
        Assert.Equal([76, 255], PillowConvert.ToGrey(new PillowImage(PixelMode.Rgba, 2, 1, [255, 0, 0, 0, 255, 255, 255, 9])));
        Assert.Equal([0, 255], PillowConvert.ToGrey(new PillowImage(PixelMode.Bilevel, 2, 1, [0, 255])));
    }
}
