using Alebrije.Preprocessing.Imaging;

namespace Alebrije.Tests.Imaging;

public sealed class PillowReduceTests
{
    [Fact]
    public void Reduce_OfWholeBoxes_IsTheirRoundedMean()
    {
        // Boxes of 2 x 2: (0, 1, 2, 4) has 7/4, rounded to 2; (250, 251, 252, 255) has 252; channels apart.
        var picture = new RgbImage(4, 2, Grey(0, 1, 250, 251, 2, 4, 252, 255));
        picture.Pixels[1] = 200;
        var reduced = PillowReduce.Reduce(picture, 2, 2);
        Assert.Equal((2, 1), (reduced.Width, reduced.Height));
        Assert.Equal([2, 52, 2, 252, 252, 252], reduced.Pixels);
    }

    [Fact]
    public void Reduce_AtTheEdges_TakesWhatIsThere()
    {
        // 5 x 3 by boxes of 3 x 2: the right boxes have two columns, the lower ones one row.
        var picture = new RgbImage(5, 3, Grey(10, 20, 30, 100, 102, 40, 50, 60, 104, 106, 1, 2, 3, 7, 8));
        var reduced = PillowReduce.Reduce(picture, 3, 2);
        Assert.Equal((2, 2), (reduced.Width, reduced.Height));
        // (10+20+30+40+50+60)/6 = 35, (100+102+104+106)/4 = 103, (1+2+3)/3 = 2, (7+8)/2 = 7.5 -> 8.
        Assert.Equal(Grey(35, 103, 2, 8), reduced.Pixels);
    }

    [Theory]
    [InlineData(3, 3)]
    [InlineData(7, 11)]
    [InlineData(64, 1)]
    public void Reduce_OfOneColour_KeepsIt_WhateverTheBox(int acrossBy, int downBy)
    {
        var picture = new RgbImage(130, 23, [.. Enumerable.Repeat(new byte[] { 255, 128, 1 }, 130 * 23).SelectMany(pixel => pixel)]);
        var reduced = PillowReduce.Reduce(picture, acrossBy, downBy);
        Assert.All(reduced.Pixels.Chunk(3), pixel => Assert.Equal([255, 128, 1], pixel));
    }

    [Fact]
    public void Resize_LessThanTwiceTooLarge_IsBicubicAlone()
    {
        var picture = Picture(37, 29);
        Assert.Equal(picture.Resize(19, 15).Pixels, PillowReduce.Resize(picture, 19, 15).Pixels);
        Assert.Equal(picture.Resize(60, 50).Pixels, PillowReduce.Resize(picture, 60, 50).Pixels);
    }

    [Fact]
    public void Resize_AWholeNumberOfTimesTooLarge_IsTheBoxesThemselves()
    {
        var picture = Picture(36, 24);
        var reduced = PillowReduce.Resize(picture, 12, 8);
        Assert.Equal(PillowReduce.Reduce(picture, 3, 3).Pixels, reduced.Pixels);
        Assert.NotEqual(picture.Resize(12, 8).Pixels, reduced.Pixels);
        // Each axis by its own factor.
        var across = PillowReduce.Resize(picture, 9, 24);
        Assert.Equal(PillowReduce.Reduce(picture, 4, 1).Pixels, across.Pixels);
    }

    [Theory]
    [InlineData(0, 4)]
    [InlineData(4, -1)]
    public void Resize_ToNothing_IsRefused(int width, int height) =>
        Assert.Throws<ArgumentException>(() => PillowReduce.Resize(new RgbImage(8, 8), width, height));

    private static RgbImage Picture(int width, int height) => new(width, height, TestPictures.Noise(width * height * 3, 5));

    private static byte[] Grey(params int[] values) => [.. values.SelectMany(value => Enumerable.Repeat((byte)value, 3))];
}
