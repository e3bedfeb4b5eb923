using System.Buffers.Binary;
using System.IO.Hashing;
using Alebrije.Search.Vectors;

namespace Alebrije.Search.VectorData.Tests;

public sealed class VectorFileTests : TemporaryFolder
{
    private string File => Path.Combine(Root, "vectors.bin");

    [Theory]
    [InlineData(VectorType.Single, 1, 64)]
    [InlineData(VectorType.Half, 33, 128)]
    [InlineData(VectorType.Half, 512, 1024)]
    public void Rows_ComeBack_Aligned(VectorType type, int width, int stride)
    {
        using (var file = VectorFile.Create(File, width, type))
        {
            Assert.Equal(stride, file.Stride);
            for (var i = 0; i < 5; i++) Assert.Equal(i, file.Append(Vector(width, i)));
            file.Flush();
        }

        Assert.Equal(64 + (5 * stride), new FileInfo(File).Length);
        using var read = VectorFile.Open(File);
        Assert.Equal((width, type, 5L), (read.Width, read.Type, read.Count));
        var row = new float[width];
        for (var i = 0; i < 5; i++)
        {
            read.Row(i, row);
            Assert.Equal(Vector(width, i).Select(x => type == VectorType.Half ? (float)(Half)x : x), row);
        }

        Assert.Contains("5 rows", Assert.Throws<ArgumentOutOfRangeException>(() => read.Row(5, row)).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => read.Row(-1, row));
    }

    [Fact]
    public void Tail_ThatWasNotPublished_IsIgnoredAndOverwritten()
    {
        using (var file = VectorFile.Create(File, 8, VectorType.Single))
        {
            file.Append(Vector(8, 0));
            file.Flush();
            file.Append(Vector(8, 1));
        }

        // Half a row, as a process that is killed within a write leaves it.
        using (var stream = new FileStream(File, FileMode.Append)) stream.Write(new byte[17]);
        using (var read = VectorFile.Open(File)) Assert.Equal(1, read.Count);
        using (var file = VectorFile.Open(File, writable: true))
        {
            Assert.Equal(1, file.Append(Vector(8, 2)));
            file.Flush(durable: false);
        }

        using var after = VectorFile.Open(File);
        var row = new float[8];
        after.Row(1, row);
        Assert.Equal(Vector(8, 2), row);
        Assert.Equal(2, after.Count);
    }

    [Fact]
    public void Readers_SeeWhatTheWriterPublishes()
    {
        using var writer = VectorFile.Create(File, 16);
        using var reader = VectorFile.Open(File);
        Assert.Equal(0, reader.Count);
        Assert.Empty(ExactSearch.Top(reader, Vector(16, 0), 3));
        for (var i = 0; i < 3000; i++)
        {
            writer.Append(Vector(16, i));
            if (i % 1000 != 999) continue;
            Assert.Equal(i - 999, reader.Count);
            writer.Flush();
            Assert.Equal(i + 1, reader.Count);
            Assert.Equal(i, ExactSearch.Top(reader, Vector(16, i), 1)[0].Row);
        }
    }

    [Fact]
    public void File_CutBehindItsHeader_HasTheRowsThatAreThere()
    {
        using (var file = VectorFile.Create(File, 16, VectorType.Single))
        {
            for (var i = 0; i < 4; i++) file.Append(Vector(16, i));
            file.Flush();
        }

        using (var stream = new FileStream(File, FileMode.Open)) stream.SetLength(64 + (2 * 64) + 5);
        using var read = VectorFile.Open(File);
        Assert.Equal(2, read.Count);
    }

    [Theory]
    [InlineData(0, 1, "not a file of vectors")]
    [InlineData(8, 2, "damaged")]
    [InlineData(12, 0, "damaged")]
    [InlineData(24, 9, "damaged")]
    public void Header_WithWrongBytes_IsRefused(int offset, int value, string message)
    {
        Make();
        var bytes = System.IO.File.ReadAllBytes(File);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(offset), value);
        System.IO.File.WriteAllBytes(File, bytes);
        Assert.Contains(message, Assert.Throws<InvalidDataException>(() => VectorFile.Open(File)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(8, 2, "version 2")]
    [InlineData(12, 0, "width 0")]
    [InlineData(12, -5, "width -5")]
    [InlineData(12, int.MaxValue, "width 2147483647")]
    [InlineData(16, 7, "type 7")]
    [InlineData(20, 1, "rows of 1 bytes")]
    [InlineData(20, -64, "rows of -64 bytes")]
    public void Header_OfAnotherMaker_IsRefused(int offset, int value, string message)
    {
        Make();
        var bytes = System.IO.File.ReadAllBytes(File);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(offset), value);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(24), Crc32.HashToUInt32(bytes.AsSpan(0, 24)));
        System.IO.File.WriteAllBytes(File, bytes);
        Assert.Contains(message, Assert.Throws<InvalidDataException>(() => VectorFile.Open(File)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(long.MaxValue, 1)]
    [InlineData(-3, 0)]
    public void Count_ThatTheFileCannotHold_IsCut(long stated, long count)
    {
        Make();
        var bytes = System.IO.File.ReadAllBytes(File);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(32), stated);
        System.IO.File.WriteAllBytes(File, bytes);
        using var file = VectorFile.Open(File);
        Assert.Equal(count, file.Count);
    }

    [Fact]
    public void Files_ThatAreNone_AreRefused()
    {
        Assert.Throws<FileNotFoundException>(() => VectorFile.Open(File));
        System.IO.File.WriteAllBytes(File, []);
        Assert.Throws<InvalidDataException>(() => VectorFile.Open(File));
        System.IO.File.WriteAllBytes(File, new byte[100]);
        Assert.Throws<InvalidDataException>(() => VectorFile.Open(File));
    }

    [Fact]
    public void Vectors_ThatCannotBeStored_AreRefused()
    {
        using var file = VectorFile.Create(File, 2);
        Assert.Throws<ArgumentException>(() => file.Append([1, float.NaN]));
        Assert.Throws<ArgumentException>(() => file.Append([1, 70000]));
        Assert.Throws<ArgumentException>(() => file.Append([1]));
        Assert.Equal(0, file.Count);
        Assert.Throws<ArgumentOutOfRangeException>(() => VectorFile.Create(File, 0));
    }

    internal static float[] Vector(int width, int seed)
    {
        var random = new Random(seed);
        float[] vector = [.. Enumerable.Range(0, width).Select(_ => (float)(random.NextDouble() - 0.5))];
        var norm = MathF.Sqrt(vector.Sum(x => x * x));
        return [.. vector.Select(x => x / norm)];
    }

    private void Make()
    {
        using var file = VectorFile.Create(File, 4);
        file.Append([0.5f, 0.5f, 0.5f, 0.5f]);
        file.Flush();
    }
}
