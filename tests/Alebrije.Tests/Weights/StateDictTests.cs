using Alebrije.Tensors;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Tests.Weights;

public sealed class StateDictTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-state-").FullName;

    public StateDictTests() => TorchRuntime.Initialize();

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public void Load_OfHalfPrecision_ConvertsToTheNetworksType()
    {
        using var scope = NewDisposeScope();
        var weight = torch.tensor(new[] { 1f, 2f, 3f, 4f }).reshape(2, 2);
        var path = Save(new() { ["weight"] = weight.to(ScalarType.BFloat16), ["bias"] = zeros(2, ScalarType.BFloat16) });
        using var source = new SafeTensorsFile(path);

        var converted = nn.Linear(2, 2);
        StateDict.Load(converted, source);
        Assert.Equal(ScalarType.Float32, converted.weight!.dtype);
        Assert.True(converted.weight.equal(weight).all().item<bool>());
        Assert.True(converted.weight.requires_grad);

        var kept = nn.Linear(2, 2);
        StateDict.Load(kept, source, new StateDictOptions { KeepFileType = true });
        Assert.Equal(ScalarType.BFloat16, kept.weight!.dtype);
        Assert.True(kept.weight.to(ScalarType.Float32).equal(weight).all().item<bool>());
    }

    [Fact]
    public void Load_WithPrefixRenamesAndIgnored_FindsEveryTensor()
    {
        using var scope = NewDisposeScope();
        var path = Save(new()
        {
            ["text.w"] = ones(2, 2),
            ["text.bias"] = full(2, 3f),
            ["text.embeddings.position_ids"] = arange(4),
            ["vision.weight"] = zeros(7),
        });
        using var source = new SafeTensorsFile(path);
        var linear = nn.Linear(2, 2);
        StateDict.Load(linear, source,
            new StateDictOptions { Prefix = "text.", Ignored = ["*.position_ids"], Renames = [("^w$", "weight")] });
        Assert.Equal(4f, linear.weight!.sum().item<float>());
        Assert.Equal(6f, linear.bias!.sum().item<float>());
    }

    /// <summary>The file has half the precision of the sum, and other names and axes.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Load_WithEdits_ChangesValuesInFloat32_UnderTheNetworksNames(bool isTransposed)
    {
        using var scope = NewDisposeScope();
        var weight = torch.tensor(new[] { 1f, 2f, 3f, 4f }).reshape(2, 2);
        using var source = new SafeTensorsFile(Save(new() { ["w"] = weight.to(ScalarType.Float16), ["bias"] = zeros(2) }));
        var linear = nn.Linear(2, 2);
        StateDict.Load(linear, source, new StateDictOptions
        {
            Renames = [("^w$", "weight")], Transposed = isTransposed ? ["weight"] : [],
            Edits = new Dictionary<string, Func<Tensor, Tensor>> { ["weight"] = x => x + 0.0001f },
        });
        Assert.True(linear.weight!.equal((isTransposed ? weight.t() : weight) + 0.0001f).all().item<bool>());
    }

    [Fact]
    public void Load_OfAnotherNetwork_ListsAllDifferencesAndChangesNothing()
    {
        using var scope = NewDisposeScope();
        var path = Save(new() { ["weight"] = zeros(2, 3), ["extra"] = zeros(1), ["more"] = zeros(1) });
        using var source = new SafeTensorsFile(path);
        var linear = nn.Linear(2, 2);
        var before = linear.weight!.clone();

        var error = Assert.Throws<WeightsException>(() => StateDict.Load(linear, source));

        Assert.Contains("1 missing: bias", error.Message, StringComparison.Ordinal);
        Assert.Contains("2 unexpected: extra, more", error.Message, StringComparison.Ordinal);
        Assert.Contains("weight is [2, 3] in the file and [2, 2] in the network", error.Message, StringComparison.Ordinal);
        Assert.True(linear.weight.equal(before).all().item<bool>());
    }

    [Fact]
    public void Load_OfManyLongNames_ListsTheFirst()
    {
        using var scope = NewDisposeScope();
        var tensors = Enumerable.Range(10, 30).ToDictionary(i => $"x{i}" + new string('y', 300), _ => zeros(1));
        using var source = new SafeTensorsFile(Save(tensors));
        var message = Assert.Throws<WeightsException>(() => StateDict.Load(nn.Linear(2, 2), source)).Message;
        Assert.Contains("30 unexpected: x10" + new string('y', 157) + "..., x11y", message, StringComparison.Ordinal);
        Assert.EndsWith("yyy... and 22 more.", message, StringComparison.Ordinal);
        Assert.InRange(message.Length, 8 * 160, 1600);
    }

    [Fact]
    public void Load_OfIntegersIntoFloats_IsRefused()
    {
        using var scope = NewDisposeScope();
        var path = Save(new() { ["weight"] = zeros(2, 2, ScalarType.Int64), ["bias"] = zeros(2) });
        using var source = new SafeTensorsFile(path);
        Assert.Contains("Int64", Assert.Throws<WeightsException>(() => StateDict.Load(nn.Linear(2, 2), source)).Message,
            StringComparison.Ordinal);
    }

    private string Save(Dictionary<string, Tensor> tensors)
    {
        var path = Path.Combine(folder, "weights.safetensors");
        SafeTensorsWriter.Write(path, tensors);
        return path;
    }
}
