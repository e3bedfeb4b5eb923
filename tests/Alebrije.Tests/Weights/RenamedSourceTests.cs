using Alebrije.Tensors;
using Alebrije.Weights;
using static TorchSharp.torch;

namespace Alebrije.Tests.Weights;

/// <summary>Tensors stored fused, transposed or flat.</summary>
public sealed class RenamedSourceTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-renamed-").FullName;

    public RenamedSourceTests() => TorchRuntime.Initialize();

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public void Fused_HeadByHead_IsTakenApart()
    {
        // Two heads of one row each: q1 k1 v1 q2 k2 v2, as convolutions over a sequence.
        using var file = Write(("a.qkv.weight", tensor(new float[] { 1, 10, 2, 20, 3, 30, 4, 40, 5, 50, 6, 60 }).reshape(6, 2, 1)),
            ("a.qkv.bias", tensor(new float[] { 1, 2, 3, 4, 5, 6 })));
        using var renamed = new RenamedSource(file, Heads(1) with { Pointwise = ["*.weight"] });
        Assert.Equal(["a.k.bias", "a.k.weight", "a.q.bias", "a.q.weight", "a.v.bias", "a.v.weight"],
            renamed.Names.Order(StringComparer.Ordinal));
        Assert.Equal([2L, 2], renamed.Describe("a.k.weight").Shape);
        Assert.Equal([1f, 10, 4, 40], Numbers(renamed, "a.q.weight"));
        Assert.Equal([2f, 20, 5, 50], Numbers(renamed, "a.k.weight"));
        Assert.Equal([3f, 6], Numbers(renamed, "a.v.bias"));
    }

    [Fact]
    public void Fused_PartByPart_IsTakenApart()
    {
        using var file = Write(("a.qkv.bias", tensor(new float[] { 1, 2, 3, 4, 5, 6 })));
        using var renamed = new RenamedSource(file, Heads(null));
        Assert.Equal(([1f, 2], [3f, 4], [5f, 6]),
            (Numbers(renamed, "a.q.bias"), Numbers(renamed, "a.k.bias"), Numbers(renamed, "a.v.bias")), Comparer);
    }

    [Fact]
    public void Fused_ThatDoesNotDivide_IsRefused()
    {
        using var file = Write(("a.qkv.bias", zeros(8)));
        Assert.Contains("does not divide into 3 parts of heads of 2 rows",
            Assert.Throws<WeightsException>(() => new RenamedSource(file, Heads(2))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void TransposedAndRows_HaveTheShapesOfTheNetwork_AndAreWrittenSo()
    {
        using var file = Write(("w", tensor(new float[] { 1, 2, 3, 4, 5, 6 }).reshape(2, 3)), ("0", tensor(new float[] { 7, 8 })));
        using (var renamed = new RenamedSource(file,
            new StateDictOptions { Renames = [("^0$", "mean")], Transposed = ["w"], Rows = ["mean"] }))
            SafeTensorsWriter.Copy(Path.Combine(folder, "b.safetensors"), renamed);
        using var written = new SafeTensorsFile(Path.Combine(folder, "b.safetensors"));
        Assert.Equal([3L, 2], written.Describe("w").Shape);
        Assert.Equal([1L, 2], written.Describe("mean").Shape);
        Assert.Equal([1f, 4, 2, 5, 3, 6], Numbers(written, "w"));
    }

    [Fact]
    public void ScaledRows_AreMultiplied_InFloat32_AndTheScaleIsNoTensorOfTheNetwork()
    {
        using var file = Write(
            ("w", tensor(new float[] { 1, 2, 3, 4, 5, 6 }).reshape(2, 3).to(TorchSharp.torch.ScalarType.Float16)),
            ("b", tensor(new float[] { 7, 8 })), ("gamma", tensor(new float[] { 10, 0.5f })));
        var options = new StateDictOptions { Renames = [("^gamma$", "scale")], Scaled = [new("^[wb]$", "scale")] };
        using var renamed = new RenamedSource(file, options);
        Assert.Equal(["b", "w"], renamed.Names.Order(StringComparer.Ordinal));
        Assert.Equal(TorchSharp.torch.ScalarType.Float32, renamed.Describe("w").Type);
        Assert.Equal([10f, 20, 30, 2, 2.5f, 3], Numbers(renamed, "w"));
        Assert.Equal([70f, 4], Numbers(renamed, "b"));
        Assert.Contains("'w' has no scale 'none'", Assert.Throws<WeightsException>(
            () => new RenamedSource(file, new StateDictOptions { Scaled = [new("^w$", "none")] })).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Scalars_MayBeListsOfOneNumber()
    {
        using var file = Write(("scale", tensor(new float[] { 7 })), ("list", tensor(new float[] { 8 })));
        using var renamed = new RenamedSource(file, new StateDictOptions { Scalars = ["scale"] });
        Assert.Empty(renamed.Describe("scale").Shape);
        Assert.Equal([1L], renamed.Describe("list").Shape);
        using var target = zeros(System.Array.Empty<long>());
        renamed.ReadInto("scale", target);
        Assert.Equal(7, target.item<float>());
    }

    private static readonly IEqualityComparer<(float[], float[], float[])> Comparer = EqualityComparer<(float[], float[], float[])>.Create(
        (a, b) => a.Item1.SequenceEqual(b.Item1) && a.Item2.SequenceEqual(b.Item2) && a.Item3.SequenceEqual(b.Item3), a => a.Item1.Length);

    private static StateDictOptions Heads(int? width) => new() { Fused = [new(@"\.qkv\.", [".q.", ".k.", ".v."], width)] };

    private static float[] Numbers(TensorSource source, string name)
    {
        using var tensor = source.Read(name);
        return tensor.data<float>().ToArray();
    }

    private SafeTensorsFile Write(params (string Name, TorchSharp.torch.Tensor Tensor)[] tensors)
    {
        var path = Path.Combine(folder, "a.safetensors");
        SafeTensorsWriter.Write(path, tensors.Select(t => KeyValuePair.Create(t.Name, t.Tensor)));
        return new SafeTensorsFile(path);
    }
}
