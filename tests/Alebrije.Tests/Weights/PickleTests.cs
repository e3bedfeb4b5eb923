using System.IO.Compression;
using System.Runtime.InteropServices;
using Alebrije.Tensors;
using Alebrije.Weights;
using TorchSharp;

namespace Alebrije.Tests.Weights;

public sealed class PickleTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-pickle-").FullName;

    public PickleTests() => TorchRuntime.Initialize();

    public void Dispose() => Directory.Delete(folder, recursive: true);

    private string Target => Path.Combine(folder, "weights.bin");

    private static byte[] Floats(int count) =>
        MemoryMarshal.AsBytes(Enumerable.Range(0, count).Select(i => (float)i).ToArray().AsSpan()).ToArray();

    [Fact]
    public void Views_WithOffsetsAndStrides_AreMaterialised()
    {
        var writer = new PickleWriter().Op('}').Op('(')
            .Text("whole").Tensor("FloatStorage", "0", 12, 0, [3, 4], [4, 1])
            .Text("transposed").Tensor("FloatStorage", "0", 12, 0, [4, 3], [1, 4])
            .Text("column").Tensor("FloatStorage", "0", 12, 2, [3], [4])
            .Text("scalar").Tensor("FloatStorage", "0", 12, 7, [], [])
            .Text("empty").Tensor("FloatStorage", "0", 12, 0, [0, 4], [4, 1])
            .Text("half").Tensor("BFloat16Storage", "1", 2, 0, [2], [1])
            .Text("nested").Op('}').Text("inner").Tensor("FloatStorage", "0", 12, 8, [2, 2], [2, 1]).Op('s')
            .Text("epoch").Number(3)
            .Op('u').Op('.');
        using var scope = torch.NewDisposeScope();
        using var file = new PickleFile(writer.Save(Target, Floats(12), [0x80, 0x3f, 0x20, 0x40]));

        Assert.Equal(["column", "empty", "half", "nested.inner", "scalar", "transposed", "whole"],
            file.Names.Order(StringComparer.Ordinal));
        var whole = torch.arange(12, torch.ScalarType.Float32).reshape(3, 4);
        Assert.True(file.Read("whole").equal(whole).all().item<bool>());
        Assert.True(file.Read("transposed").equal(whole.t()).all().item<bool>());
        Assert.True(file.Read("transposed").is_contiguous());
        Assert.Equal([2f, 6f, 10f], file.Read("column").data<float>().ToArray());
        Assert.Equal(7f, file.Read("scalar").item<float>());
        Assert.Equal([0L, 4L], file.Read("empty").shape);
        Assert.Equal([8f, 9f, 10f, 11f], file.Read("nested.inner").data<float>().ToArray());
        Assert.Equal([1f, 2.5f], file.Read("half").to(torch.ScalarType.Float32).data<float>().ToArray());
    }

    [Fact]
    public void OrderedDictWithMetadataAndParameters_IsRead()
    {
        var writer = new PickleWriter().Global("collections", "OrderedDict").Op(')').Op('R').Op('(')
            .Text("p").Global("torch._utils", "_rebuild_parameter").Op('(').Tensor("FloatStorage", "0", 2, 0, [2], [1]).Op('\u0088')
            .Global("collections", "OrderedDict").Op(')').Op('R').Op('t').Op('R').Op('u')
            .Op('}').Text("_metadata").Global("collections", "OrderedDict")
            .Op(']').Op(']').Text("").Op('a').Op('}').Op('a').Op('a').Op('\u0085').Op('R').Op('s').Op('b')
            .Op('.');
        using var file = new PickleFile(writer.Save(Target, Floats(2)));
        Assert.Equal(["p"], file.Names);
    }

    [Theory]
    [InlineData("os", "system")]
    [InlineData("builtins", "eval")]
    [InlineData("torch", "load")]
    [InlineData("torch.nn.modules.linear", "Linear")]
    public void Global_ThatIsNoPlainTensor_IsRefusedByName(string module, string name)
    {
        var writer = new PickleWriter().Global(module, name).Text("true").Op('\u0085').Op('R').Op('.');
        Assert.Contains($"'{module}.{name}'", Error(writer), StringComparison.Ordinal);
        writer = new PickleWriter().Text(module).Text(name).Op('\u0093').Text("true").Op('\u0085').Op('R').Op('.');
        Assert.Contains($"'{module}.{name}'", Error(writer), StringComparison.Ordinal);
    }

    [Fact]
    public void ScriptArchive_ModulesWithinModules_GiveTheirTensorsAndRunNoCode()
    {
        var inner = new PickleWriter();
        inner.Global("__torch__.clip.model", "CLIP").Op(')').Op('\u0081').Op('}').Op('(')
            .Text("training").Op('\u0089').Text("visual").Global("__torch__.torch.nn.modules.linear.___torch_mangle_3", "Linear")
            .Op(')').Op('\u0081')
            .Op('}').Op('(').Text("weight").Tensor("FloatStorage", "0", 2, 0, [2], [1])
            .Op('u').Op('b').Op('u').Op('b').Op('.').Save(Target, Floats(2));
        Assert.Contains("'__torch__.clip.model.CLIP'", Assert.Throws<WeightsException>(() => new PickleFile(Target)).Message,
            StringComparison.Ordinal);

        using (var archive = ZipFile.Open(Target, ZipArchiveMode.Update))
        using (var code = new StreamWriter(archive.CreateEntry("archive/code/__torch__/clip/model.py").Open()))
            code.Write("raise SystemExit");
        using var file = new PickleFile(Target);
        Assert.Equal(["visual.weight"], file.Names);
        Assert.Equal([2L], file.Describe("visual.weight").Shape);
    }

    [Theory]
    [InlineData("os", "system")]
    [InlineData("__torch__x", "Class")]
    [InlineData("collections", "OrderedDict")]
    public void ScriptArchive_ObjectsOfOtherClasses_AreRefused(string module, string name)
    {
        new PickleWriter().Global(module, name).Op(')').Op('\u0081').Op('}').Op('b').Op('.').Save(Target, Floats(2));
        using (var archive = ZipFile.Open(Target, ZipArchiveMode.Update)) archive.CreateEntry("archive/code/x.py");
        Assert.Throws<WeightsException>(() => new PickleFile(Target));
    }

    public static TheoryData<string, int, int[], int[]> Lies => new()
    {
        { "0", 0, [13], [1] }, { "0", 1, [12], [1] }, { "0", 0, [3, 4], [5, 1] }, { "0", -1, [2], [1] }, { "0", 0, [1, 2], [1] },
        { "0", 0, [1000, 1000, 1000], [0, 0, 0] }, { "0", 0, [int.MaxValue, int.MaxValue, int.MaxValue], [1, 1, 1] },
        { "0", 0, [2, 2], [int.MaxValue, int.MaxValue] },
        { "0", 11, [2], [-1] }, { "9", 0, [2], [1] }, { "../data.pkl", 0, [2], [1] },
    };

    [Theory]
    [MemberData(nameof(Lies))]
    public void Tensor_OutsideItsStorage_IsRefused(string key, int offset, int[] shape, int[] strides) =>
        Assert.NotEmpty(Error(new PickleWriter().Op('}').Text("a").Tensor("FloatStorage", key, 12, offset, shape, strides)
            .Op('s').Op('.')));

    [Fact]
    public void Storage_ThatClaimsMoreThanItsFile_IsRefused() =>
        Assert.Contains("claims 13 elements", Error(new PickleWriter()
            .Op('}').Text("a").Tensor("FloatStorage", "0", 13, 0, [13], [1]).Op('s').Op('.')), StringComparison.Ordinal);

    [Theory]
    [InlineData("archive/data/0", "again", "two files named")]
    [InlineData("other/data.pkl", "", "exactly one data.pkl")]
    public void Archive_WithAFileThatDoesNotBelong_IsRefused(string file, string content, string expected)
    {
        new PickleWriter().Op('}').Op('.').Save(Target, Floats(2));
        using (var archive = ZipFile.Open(Target, ZipArchiveMode.Update))
        using (var writer = new StreamWriter(archive.CreateEntry(file).Open()))
            writer.Write(content);
        Assert.Contains(expected, Assert.Throws<WeightsException>(() => new PickleFile(Target)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Storage_ThatIsCompressed_IsRefused()
    {
        new PickleWriter().Op('}').Text("a").Tensor("FloatStorage", "1", 4000, 0, [4000], [1]).Op('s').Op('.').Save(Target, Floats(2));
        using (var archive = ZipFile.Open(Target, ZipArchiveMode.Update))
        using (var stream = archive.CreateEntry("archive/data/1", CompressionLevel.Optimal).Open())
            stream.Write(new byte[16000]);
        Assert.Contains("compresses", Assert.Throws<WeightsException>(() => new PickleFile(Target)).Message, StringComparison.Ordinal);
    }

    /// <summary>Training checkpoints contain the state of callbacks under their class, and NumPy scalars.</summary>
    [Fact]
    public void StateOfATrainer_BesideTheTensors_IsPassedOver()
    {
        var writer = new PickleWriter().Op('}').Text("callbacks").Op('}')
            .Global("pytorch_lightning.callbacks.model_checkpoint", "ModelCheckpoint").Op('}')
            .Text("best").Global("numpy.core.multiarray", "scalar").Global("numpy", "dtype")
            .Text("f8").Op('\u0089').Op('\u0088').Op('\u0087').Op('R')
            .Op('(').Number(3).Text("<").Op('t').Op('b').Global("_codecs", "encode")
            .Text("x").Text("latin1").Op('\u0086').Op('R').Op('\u0086').Op('R')
            .Op('s').Op('s').Op('s').Text("a").Tensor("FloatStorage", "0", 2, 0, [2], [1]).Op('s').Op('.');
        using var file = new PickleFile(writer.Save(Target, Floats(2)));
        Assert.Equal(["a"], file.Names);
    }

    [Theory]
    [InlineData("os", "system")]
    [InlineData("numpy", "load")]
    [InlineData("pytorch_lightning.callbacks.model_checkpoint", "os.system")]
    [InlineData("builtins", "eval")]
    public void OtherNames_AreRefusedThere(string module, string name) => Assert.Contains(
        $"refers to '{module}.{name}'", Error(new PickleWriter().Op('}').Text("callbacks").Global(module, name).Op('s').Op('.')),
        StringComparison.Ordinal);

    [Fact]
    public void DictionaryWithinItself_IsRefused() =>
        Assert.Contains("nests", Error(new PickleWriter().Op('}').Op('q', 0).Text("a").Op('h', 0).Op('s').Op('.')),
            StringComparison.Ordinal);

    [Theory]
    [InlineData(new byte[] { 0x80, 0x02, 0x8a, 0x0a }, "breaks off")]
    [InlineData(new byte[] { 0x80, 0x02, 0x4b, 0x01, 0x2e }, "magic number")]
    [InlineData(new byte[] { 1, 2, 3, 4, 5 }, "neither a zip archive nor a pickle")]
    [InlineData(new byte[] { }, "neither a zip archive nor a pickle")]
    [InlineData(new byte[] { 0x50, 0x4b, 3, 4, 0, 0, 0 }, "damaged or truncated")]
    public void File_OfAnotherKind_IsRefused(byte[] bytes, string expected)
    {
        File.WriteAllBytes(Target, bytes);
        Assert.Contains(expected, Assert.Throws<WeightsException>(() => new PickleFile(Target)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void LfsPointer_InsteadOfWeights_IsNamed()
    {
        File.WriteAllText(Path.Combine(folder, "model.safetensors"), "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n");
        Assert.Contains("git lfs pull", Assert.Throws<WeightsException>(() => CheckpointFolder.OpenWeights(folder)).Message,
            StringComparison.Ordinal);
    }

    private string Error(PickleWriter writer) =>
        Assert.Throws<WeightsException>(() => new PickleFile(writer.Save(Target, Floats(12)))).Message;
}
