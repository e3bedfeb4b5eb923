using System.Text;
using Alebrije.Preprocessing.Imaging;

namespace Alebrije.Tests.Imaging;

public sealed class NpyTests : IDisposable
{
    private readonly string path = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName() + ".npy");

    public void Dispose() => File.Delete(path);

    [Fact]
    public void Write_OfEachType_IsReadBack()
    {
        Npy.Write(path, [1.5f, -2f, float.NaN, 4f, 5f, 6f], 2, 3);
        var floats = Npy.Read(path);
        Assert.Equal([2, 3], floats.Shape);
        Assert.Equal(new[] { 1.5f, -2f, float.NaN, 4f, 5f, 6f }, floats.Values);
        Npy.Write(path, [long.MinValue, 7L], 2);
        Assert.Equal(new[] { long.MinValue, 7L }, Npy.Read(path).Values);
        Npy.Write(path, new byte[] { 9 }, 1, 1, 1);
        Assert.Equal([9f], Npy.Read(path).ToSingle());
        Npy.Write(path, [3f]);
        Assert.Empty(Npy.Read(path).Shape);
    }

    [Fact]
    public void Write_OfFloats_HasNumpysHeader()
    {
        Npy.Write(path, new float[6], 2, 3);
        var file = File.ReadAllBytes(path);
        Assert.Equal(0, (file.Length - 24) % 64);
        Assert.Equal("\u0093NUMPY\u0001\0", Encoding.Latin1.GetString(file, 0, 8));
        Assert.Equal("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }",
            Encoding.Latin1.GetString(file, 10, 118).TrimEnd(' ', '\n'));
        Npy.Write(path, new float[6], 6);
        Assert.Contains("'shape': (6,)", File.ReadAllText(path), StringComparison.Ordinal);
    }

    [Fact]
    public void Write_OfAShapeThatDoesNotFit_Refuses() => Assert.Throws<ArgumentException>(() => Npy.Write(path, new float[6], 2, 2));

    [Theory]
    [InlineData("{'descr': '<f8', 'fortran_order': False, 'shape': (1,), }")]
    [InlineData("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 2), }")]
    [InlineData("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999,), }")]
    [InlineData("{'descr': '<f4', 'fortran_order': False, 'shape': (2000000000, 2000000000, 2000000000), }")]
    [InlineData("nonsense")]
    public void Read_OfWhatItCannotRead_SaysWhy(string header)
    {
        File.WriteAllBytes(path, [0x93, .. "NUMPY"u8, 1, 0, (byte)header.Length, 0, .. Encoding.Latin1.GetBytes(header), 0, 0, 0, 0]);
        Assert.Contains(path, Assert.Throws<InvalidDataException>(() => Npy.Read(path)).Message, StringComparison.Ordinal);
    }
}
