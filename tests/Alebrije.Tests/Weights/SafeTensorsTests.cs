using System.Buffers.Binary;
using System.Text;
using Alebrije.Tensors;
using Alebrije.Weights;
using TorchSharp;

namespace Alebrije.Tests.Weights;

public sealed class SafeTensorsTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-weights-").FullName;

    public SafeTensorsTests() => TorchRuntime.Initialize();

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public void WrittenFile_ReadBack_HasEveryTypeBitForBit()
    {
        var path = Path.Combine(folder, "all.safetensors");
        using var scope = torch.NewDisposeScope();
        var types = new[]
        {
            torch.ScalarType.Float64, torch.ScalarType.Float32, torch.ScalarType.Float16, torch.ScalarType.BFloat16, torch.ScalarType.Int64,
            torch.ScalarType.Int32, torch.ScalarType.Int16, torch.ScalarType.Int8, torch.ScalarType.Byte, torch.ScalarType.Bool,
        };
        var values = torch.tensor(new[] { 0f, 1f, 2.5f, 100f, 3.14159f, 7f }).reshape(2, 3);
        var tensors = types.ToDictionary(type => $"t.{type}", type => values.to(type));
        tensors["transposed"] = values.t();
        tensors["scalar"] = torch.tensor(4f);
        tensors["empty"] = torch.zeros(0, 5);

        SafeTensorsWriter.Write(path, tensors, new Dictionary<string, string> { ["format"] = "pt", ["ñ"] = "\"quoted\"" });

        using var file = new SafeTensorsFile(path);
        Assert.Equal(tensors.Keys.Order(), file.Names.Order());
        Assert.Equal("\"quoted\"", file.Metadata["ñ"]);
        foreach (var (name, expected) in tensors)
        {
            var read = file.Read(name);
            Assert.Equal(expected.dtype, read.dtype);
            Assert.Equal(expected.shape, read.shape);
            Assert.True(read.equal(expected).all().item<bool>());
        }

        var start = File.ReadAllBytes(path);
        Assert.Equal(0L, BinaryPrimitives.ReadInt64LittleEndian(start) % 8);
        Assert.Single(Directory.GetFiles(folder));
    }

    [Fact]
    public void OpenFile_IsNotMapped_AndOneThatShrinksIsRefused()
    {
        var path = Path.Combine(folder, "large.safetensors");
        using var values = torch.arange(1 << 20, torch.ScalarType.Float32);
        SafeTensorsWriter.Write(path, new Dictionary<string, torch.Tensor> { ["a"] = values }, new Dictionary<string, string>());
        using var file = new SafeTensorsFile(path);
        using (var read = file.Read("a"))
            Assert.True(read.equal(values).all().item<bool>());
        if (OperatingSystem.IsLinux())
            Assert.DoesNotContain(File.ReadLines("/proc/self/maps"), line => line.EndsWith(path, StringComparison.Ordinal));

        using (var shorter = File.Open(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite)) shorter.SetLength(1 << 20);
        var error = Assert.Throws<WeightsException>(() => file.Read("a"));
        Assert.Contains("has become shorter", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, null)]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 7, "truncated")]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 9, "1 bytes after its last tensor")]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,8]}}", 8, "do not fit F32[3]")]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]}}", 8, "do not fit")]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}}", 8, "natural number")]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904,4],\"data_offsets\":[0,0]}}", 8, "do not fit")]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}", 8, "a gap")]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
        + "\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[2,6]}}", 6, "overlapping")]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
        + "\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}", 8, "'a' twice")]
    [InlineData("{\"a\":{\"dtype\":\"F8_E4M3\",\"shape\":[8],\"data_offsets\":[0,8]}}", 8, "8-bit float")]
    [InlineData("{\"a\":{\"dtype\":\"U64\",\"shape\":[1],\"data_offsets\":[0,8]}}", 8, "supported are")]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}}", 8, "data_offsets")]
    [InlineData("{\"__metadata__\":{\"a\":1}}", 0, "metadata 'a'")]
    [InlineData("{\"a\":", 8, "not valid JSON")]
    [InlineData("[]", 8, "no JSON object")]
    [InlineData("{\"\\ud800\":{}}", 0, "not valid JSON")]
    public void Header_WhenItLies_IsRefusedInOneSentence(string json, int dataBytes, string? message)
    {
        var path = Write("lying.safetensors", (ulong)Encoding.UTF8.GetByteCount(json), Encoding.UTF8.GetBytes(json), dataBytes);
        if (message is null)
        {
            using var file = new SafeTensorsFile(path);
            Assert.Equal(["a"], file.Names);
            return;
        }

        var error = Assert.Throws<WeightsException>(() => new SafeTensorsFile(path));
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
        Assert.StartsWith(path, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(ulong.MaxValue)]
    [InlineData(1UL << 62)]
    [InlineData(100_000_001UL)]
    [InlineData(5_000UL)]
    [InlineData(0UL)]
    public void HeaderLength_WhenItLies_IsRefused(ulong length)
    {
        var path = Write("length.safetensors", length, "{}"u8.ToArray(), 100);
        Assert.Throws<WeightsException>(() => new SafeTensorsFile(path));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(4)]
    [InlineData(9)]
    public void File_ShorterThanAHeader_IsRefused(int length)
    {
        var path = Path.Combine(folder, "short.safetensors");
        File.WriteAllBytes(path, new byte[length]);
        Assert.Contains("too few", Assert.Throws<WeightsException>(() => new SafeTensorsFile(path)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Shards_ThroughTheirIndex_ReadAsOne()
    {
        SafeTensorsWriter.Write(Path.Combine(folder, "one.safetensors"), [new("a", torch.ones(2))]);
        SafeTensorsWriter.Write(Path.Combine(folder, "two.safetensors"), [new("b", torch.zeros(3))]);
        var index = Path.Combine(folder, "model.safetensors.index.json");
        File.WriteAllText(index, """{"metadata":{},"weight_map":{"a":"one.safetensors","b":"two.safetensors"}}""");

        using (var source = CheckpointFolder.OpenWeights(folder))
        {
            Assert.Equal(["a", "b"], source.Names.Order());
            using var b = source.Read("b");
            Assert.Equal([3L], b.shape);
        }

        File.WriteAllText(index, """{"weight_map":{"a":"two.safetensors"}}""");
        Assert.Contains("does not hold it", Assert.Throws<WeightsException>(() => CheckpointFolder.OpenWeights(folder)).Message,
            StringComparison.Ordinal);
        File.WriteAllText(index, """{"weight_map":{"a":"../one.safetensors"}}""");
        Assert.Contains("neither a plain file name", Assert.Throws<WeightsException>(() => CheckpointFolder.OpenWeights(folder)).Message,
            StringComparison.Ordinal);
        File.WriteAllText(index, """{"weight_map":{"a":"model.safetensors.index.json"}}""");
        Assert.Contains("which is an index: a shard is a file of weights",
            Assert.Throws<WeightsException>(() => CheckpointFolder.OpenWeights(folder)).Message, StringComparison.Ordinal);
        File.WriteAllText(index, """{"weight_map":{"a":"three.safetensors"}}""");
        Assert.Throws<CheckpointNotFoundException>(() => CheckpointFolder.OpenWeights(folder));
    }

    [Fact]
    public void Folder_WithoutWeights_SaysWhatWasLookedFor()
    {
        var error = Assert.Throws<CheckpointNotFoundException>(() => CheckpointFolder.OpenWeights(folder));
        Assert.Contains("diffusion_pytorch_model.safetensors", error.Message, StringComparison.Ordinal);
        Assert.Contains(folder, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Writing_WhereNoFileCanBe_SaysSoAndLeavesNothing()
    {
        var occupied = Path.Combine(folder, "file");
        File.WriteAllText(occupied, "");
        using var tensor = torch.ones(2);
        var error = Assert.Throws<WeightsException>(() =>
            SafeTensorsWriter.Write(Path.Combine(occupied, "a.safetensors"), [new("a", tensor)]));
        Assert.Contains("cannot be written", error.Message, StringComparison.Ordinal);
        Assert.Throws<WeightsException>(() => SafeTensorsWriter.Write(Path.Combine(folder, "b.safetensors"),
            [new("a", tensor), new("a", tensor)]));
        Assert.Equal([occupied], Directory.GetFiles(folder));
    }

    private string Write(string name, ulong length, byte[] json, int dataBytes)
    {
        var path = Path.Combine(folder, name);
        var bytes = new byte[8 + json.Length + dataBytes];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, length);
        json.CopyTo(bytes, 8);
        File.WriteAllBytes(path, bytes);
        return path;
    }
}
