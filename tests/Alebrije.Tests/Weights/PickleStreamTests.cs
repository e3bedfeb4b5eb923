using System.Runtime.InteropServices;
using Alebrije.Tensors;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Tests.Weights;

/// <summary>Files of <c>torch.save</c> before PyTorch 1.6.</summary>
public sealed class PickleStreamTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-pickle-").FullName;

    public PickleStreamTests() => TorchRuntime.Initialize();

    public void Dispose() => Directory.Delete(folder, recursive: true);

    private string Target => Path.Combine(folder, "weights.bin");

    private static byte[] Floats(int count) =>
        MemoryMarshal.AsBytes(Enumerable.Range(0, count).Select(i => (float)i).ToArray().AsSpan()).ToArray();

    /// <summary>
    /// Written by PyTorch 1.13.1, torch.save(..., _use_new_zipfile_serialization=False): a training checkpoint of views, parameters and
    /// every kind of number.
    /// </summary>
    [Fact]
    public void File_OfPyTorch_IsRead()
    {
        using var scope = NewDisposeScope();
        using var file = new PickleFile(Path.Combine(AppContext.BaseDirectory, "Fixtures", "torch-legacy", "weights.bin"));
        var whole = arange(12, ScalarType.Float32).reshape(3, 4);
        Tensor Read(string name) => file.Read("state_dict." + name);
        Assert.Equal(11, file.Names.Count);
        Assert.Equal("tiny", file.Text("name"));
        Assert.True(Read("whole").equal(whole).all().item<bool>());
        Assert.True(Read("transposed").equal(whole.t()).all().item<bool>());
        Assert.Equal([2f, 6f, 10f], Read("column").data<float>().ToArray());
        foreach (var name in (string[])["half", "bfloat"])
            Assert.Equal([1f, 2.5f], Read(name).to(ScalarType.Float32).data<float>().ToArray());
        Assert.Equal((ScalarType.Float16, ScalarType.BFloat16),
            (file.Describe("state_dict.half").Type, file.Describe("state_dict.bfloat").Type));
        Assert.Equal([3L, -1L], Read("ids").data<long>().ToArray());
        Assert.Equal([true, false], Read("flags").data<bool>().ToArray());
        Assert.Equal([0, 255], Read("bytes").data<byte>().ToArray());
        Assert.Equal(7.5, Read("scalar").item<double>());
        Assert.Equal([0L, 4L], Read("empty").shape);
        Assert.Equal([8f, 9f], Read("parameter").data<float>().ToArray());
    }

    /// <summary>Format of PyTorch 0.1 to 0.3: tensors of four arguments, sizes of a class of their own, storages within others.</summary>
    [Fact]
    public void PartsOfStoragesAndOldConstructors_AreRead()
    {
        var writer = new PickleWriter().Op('}').Text("a")
            .Global("torch._utils", "_rebuild_tensor").Op('(').Op('(').Text("storage")
            .Global("torch", "FloatStorage").Text("7").Text("cpu").Number(12)
            .Op('(').Text("9").Number(3).Number(6).Op('t').Op('t').Op('Q').Number(1)
            .Global("torch", "Size").Op('(').Number(2).Number(2).Op('t')
            .Op('\u0085').Op('R').Numbers([2, 1]).Op('t').Op('R').Op('s').Op('.');
        using var file = new PickleFile(writer.SaveOld(Target, ("7", 12, Floats(12))));
        using var read = file.Read("a");
        Assert.Equal([2L, 2L], read.shape);
        Assert.Equal([4f, 5f, 6f, 7f], read.data<float>().ToArray());
    }

    [Theory]
    [InlineData("os", "system")]
    [InlineData("torch.nn.modules.linear", "Linear")]
    public void Global_ThatIsNoPlainTensor_IsRefusedByName(string module, string name) =>
        Assert.Contains($"'{module}.{name}'", Error(new PickleWriter().Global(module, name).Text("true").Op('\u0085').Op('R').Op('.'),
            ("0", 12, Floats(12))), StringComparison.Ordinal);

    [Theory]
    [InlineData("0", 13, 12, "claims 12 elements")]
    [InlineData("1", 12, 12, "no tensor lies in")]
    [InlineData("0", 12, 11, "breaks off")]
    [InlineData(null, 12, 12, "lacks the storage 0")]
    public void Storage_ThatIsNotWhatThePickleSays_IsRefused(string? key, int count, int floats, string expected) => Assert.Contains(
        expected, Error(Single("FloatStorage", 12), key is null ? [] : [(key, count, Floats(floats))]), StringComparison.Ordinal);

    [Fact]
    public void PartOutsideItsStorage_IsRefused()
    {
        var writer = new PickleWriter().Op('}').Text("a")
            .Global("torch._utils", "_rebuild_tensor").Op('(').Op('(').Text("storage")
            .Global("torch", "FloatStorage").Text("0").Text("cpu").Number(12)
            .Op('(').Text("9").Number(8).Number(5).Op('t').Op('t').Op('Q')
            .Number(0).Numbers([5]).Numbers([1]).Op('t').Op('R').Op('s').Op('.');
        Assert.Contains("part of a storage", Error(writer, ("0", 12, Floats(12))), StringComparison.Ordinal);
    }

    private static PickleWriter Single(string type, int count) =>
        new PickleWriter().Op('}').Text("a").Tensor(type, "0", count, 0, [count], [1]).Op('s').Op('.');

    private string Error(PickleWriter writer, params (string Key, long Count, byte[] Bytes)[] storages) =>
        Assert.Throws<WeightsException>(() => new PickleFile(writer.SaveOld(Target, storages))).Message;
}
