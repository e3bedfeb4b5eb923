using System.Buffers.Binary;
using Alebrije.Preprocessing.Imaging;

namespace Alebrije.Tests.Imaging;

public sealed class BmpTests
{
    [Fact]
    public void Load_OfEightBits_TellsGreyFromColours()
    {
        var ramp = Enumerable.Range(0, 256).SelectMany(i => new byte[] { (byte)i, (byte)i, (byte)i, 0 }).ToArray();
        var rows = new byte[] { 1, 2, 3, 0, 4, 5, 6, 0 };
        var grey = PillowImage.FromBytes(File(3, 2, 8, 0, ramp, rows));
        Assert.Equal(PixelMode.Grey, grey.Mode);
        Assert.Equal([4, 5, 6, 1, 2, 3], grey.Pixels);

        ramp[4] = 9;
        var coloured = PillowImage.FromBytes(File(3, 2, 8, 0, ramp, rows));
        Assert.Equal(PixelMode.Palette, coloured.Mode);
        Assert.Equal([1, 1, 9, 255], coloured.Palette!.AsSpan(4, 4).ToArray());
    }

    [Fact]
    public void Load_OfOneAndFourBits_UnpacksIndices()
    {
        var bits = PillowImage.FromBytes(File(3, 1, 1, 0, [0, 0, 0, 0, 255, 255, 255, 0], [0b10100000, 0, 0, 0]));
        Assert.Equal(PixelMode.Bilevel, bits.Mode);
        Assert.Equal([255, 0, 255], bits.Pixels);
        var nibbles = PillowImage.FromBytes(File(3, 1, 4, 0, TestPictures.Noise(64, 1), [0x1f, 0x70, 0, 0]));
        Assert.Equal((PixelMode.Palette, "1 15 7"), (nibbles.Mode, string.Join(' ', nibbles.Pixels)));
    }

    [Fact]
    public void Load_OfSixteenBits_SpreadsEachColourOverTheByte()
    {
        var image = PillowImage.FromBytes(File(2, 1, 16, 0, [], [0xff, 0x7f, 0x01, 0x04]));
        Assert.Equal([255, 255, 255, 8, 0, 8], [.. image.Pixels]);
        var masked = PillowImage.FromBytes(File(1, 1, 16, 3, [0, 0xf8, 0, 0, 0xe0, 7, 0, 0, 0x1f, 0, 0, 0], [0xe0, 0x07, 0, 0]));
        Assert.Equal([0, 255, 0], masked.Pixels);
    }

    [Fact]
    public void Load_OfThirtyTwoBits_HasOpacityOnlyByMask()
    {
        Assert.Equal([3, 2, 1], PillowImage.FromBytes(File(1, 1, 32, 0, [], [1, 2, 3, 4])).Pixels);
        var masks = new uint[] { 0xff0000, 0xff00, 0xff, 0xff000000 }.SelectMany(BitConverter.GetBytes).ToArray();
        var image = PillowImage.FromBytes(File(1, 1, 32, 3, masks, [1, 2, 3, 4], headerSize: 56));
        Assert.Equal((PixelMode.Rgba, "3 2 1 4"), (image.Mode, string.Join(' ', image.Pixels)));
    }

    [Fact]
    public void Load_OfRuns_UnpacksRunsJumpsAndLiterals()
    {
        var palette = TestPictures.Noise(1024, 5);
        // Row 0 of the file: 2 x 7, literal 1 2 3 (padded); end of row; jump 1 right; 1 x 9; end.
        var image = PillowImage.FromBytes(File(5, 2, 8, 1, palette, [2, 7, 0, 3, 1, 2, 3, 0, 0, 0, 0, 2, 1, 0, 1, 9, 0, 1]));
        Assert.Equal([0, 9, 0, 0, 0, 7, 7, 1, 2, 3], image.Pixels);
        var four = PillowImage.FromBytes(File(5, 1, 4, 2, palette[..64], [2, 0x12, 0, 3, 0x34, 0x50, 0, 1]));
        Assert.Equal([1, 2, 3, 4, 5], four.Pixels);
        Assert.Throws<ImageFormatException>(() => PillowImage.FromBytes(File(5, 2, 8, 1, palette, [2, 7, 0])));
    }

    [Fact]
    public void Load_OfATopDownFile_KeepsTheOrderOfRows()
        => Assert.Equal([3, 2, 1, 6, 5, 4], PillowImage.FromBytes(File(1, -2, 24, 0, [], [1, 2, 3, 0, 4, 5, 6, 0])).Pixels);

    private static byte[] File(int width, int height, int bits, int compression, byte[] extra, byte[] rows, int headerSize = 40)
    {
        var head = new byte[14 + 40];
        (head[0], head[1]) = ((byte)'B', (byte)'M');
        BinaryPrimitives.WriteInt32LittleEndian(head.AsSpan(10), head.Length + extra.Length);
        BinaryPrimitives.WriteInt32LittleEndian(head.AsSpan(14), headerSize);
        BinaryPrimitives.WriteInt32LittleEndian(head.AsSpan(18), width);
        BinaryPrimitives.WriteInt32LittleEndian(head.AsSpan(22), height);
        (head[26], head[28], head[30]) = (1, (byte)bits, (byte)compression);
        return [.. head, .. extra, .. rows];
    }
}
