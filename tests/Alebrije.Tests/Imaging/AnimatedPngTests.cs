using System.Buffers.Binary;
using System.Text;
using Alebrije.Preprocessing.Imaging;

namespace Alebrije.Tests.Imaging;

public sealed class AnimatedPngTests
{
    [Fact]
    public void Encode_ThreePictures_HasTheChunksOfTheSpecificationInOrder()
    {
        var pictures = Enumerable.Range(0, 3).Select(i => Picture(7, 5, i)).ToArray();
        var chunks = Chunks(AnimatedPng.Encode(pictures, 150, new Dictionary<string, string> { ["alebrije"] = "a recipe" }));
        Assert.Equal(["IHDR", "tEXt", "acTL", "fcTL", "IDAT", "fcTL", "fdAT", "fcTL", "fdAT", "IEND"], chunks.Select(chunk => chunk.Kind));

        // Frames, and endless plays.
        var control = chunks[2].Body;
        Assert.Equal((3, 0), (Int32(control, 0), Int32(control, 4)));
        // One sequence runs through frame controls and frame data.
        Assert.Equal([0, 1, 2, 3, 4], chunks.Where(chunk => chunk.Kind is "fcTL" or "fdAT").Select(chunk => Int32(chunk.Body, 0)));
        foreach (var (_, body) in chunks.Where(chunk => chunk.Kind == "fcTL"))
        {
            Assert.Equal(26, body.Length);
            Assert.Equal((7, 5, 0, 0), (Int32(body, 4), Int32(body, 8), Int32(body, 12), Int32(body, 16)));
            Assert.Equal((150, 1000),
                (BinaryPrimitives.ReadUInt16BigEndian(body.AsSpan(20)), BinaryPrimitives.ReadUInt16BigEndian(body.AsSpan(22))));
            Assert.Equal([0, 0], body[24..]);
        }
    }

    [Fact]
    public void Encode_EveryFrame_DecodesAsAPngOfItsOwn()
    {
        var pictures = Enumerable.Range(0, 3).Select(i => Picture(9, 6, i)).ToArray();
        var file = AnimatedPng.Encode(pictures, 1);
        Assert.Equal(pictures[0].Pixels, RgbImage.FromBytes(file).Pixels);
        var chunks = Chunks(file);
        var later = chunks.Where(chunk => chunk.Kind == "fdAT").Select(chunk => chunk.Body[4..]).ToArray();
        for (var i = 0; i < later.Length; i++)
        {
            var alone = TestPng.File(("IHDR", chunks[0].Body), ("IDAT", later[i]), ("IEND", []));
            Assert.Equal(pictures[i + 1].Pixels, RgbImage.FromBytes(alone).Pixels);
        }
    }

    [Fact]
    public void Encode_TheFirstPicture_IsThatOfAPlainPng()
    {
        var picture = Picture(8, 8, 0);
        var plain = Chunks(picture.ToPng());
        var animated = Chunks(AnimatedPng.Encode([picture, picture], 40));
        Assert.Equal(plain.Single(chunk => chunk.Kind == "IDAT").Body, animated.Single(chunk => chunk.Kind == "IDAT").Body);
        Assert.Equal(plain[0].Body, animated[0].Body);
    }

    [Fact]
    public void Encode_WhatIsNoAnimation_IsRefusedInOneSentence()
    {
        var picture = new RgbImage(4, 4);
        Assert.Contains("at least one image", Assert.Throws<ArgumentException>(() => AnimatedPng.Encode([], 10)).Message,
            StringComparison.Ordinal);
        Assert.Contains("4 x 4 and 4 x 5", Assert.Throws<ArgumentException>(() => AnimatedPng.Encode([picture, new RgbImage(4, 5)], 10))
            .Message, StringComparison.Ordinal);
        foreach (var milliseconds in new[] { 0, 65536 })
            Assert.Contains($"{milliseconds} ms",
                Assert.Throws<ArgumentException>(() => AnimatedPng.Encode([picture], milliseconds)).Message, StringComparison.Ordinal);
    }

    private static RgbImage Picture(int width, int height, int seed) =>
        new(width, height, TestPictures.Noise(width * height * 3, (uint)seed));

    /// <summary>The chunks of a file, with valid checksums.</summary>
    private static List<(string Kind, byte[] Body)> Chunks(byte[] file)
    {
        var chunks = new List<(string, byte[])>();
        for (var at = 8; at < file.Length;)
        {
            var length = Int32(file, at);
            Assert.Equal(TestPng.Crc(file.AsSpan(at + 4, length + 4)), BinaryPrimitives.ReadUInt32BigEndian(file.AsSpan(at + 8 + length)));
            chunks.Add((Encoding.ASCII.GetString(file, at + 4, 4), file[(at + 8)..(at + 8 + length)]));
            at += length + 12;
        }

        return chunks;
    }

    private static int Int32(byte[] bytes, int at) => BinaryPrimitives.ReadInt32BigEndian(bytes.AsSpan(at));
}
