using Alebrije.Models.T5;
using Alebrije.Tensors;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Tests.Models;

public sealed class T5EncoderTests
{
    private static readonly T5Config Tiny = new() { VocabSize = 20,
        DModel = 8, DKv = 3, DFf = 12, NumLayers = 2, NumHeads = 2, FeedForwardProj = "gated-gelu" };

    public T5EncoderTests() => TorchRuntime.Initialize();

    public static TheoryData<string> Goldens => NetworkGolden.Of("T5EncoderModel");

    [Theory]
    [MemberData(nameof(Goldens))]
    public void Golden_EncodesAsTheReference(string name)
    {
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        using var golden = new NetworkGolden(name);
        using var network = new T5Encoder(ConfigFile.Read<T5Config>(golden.ModelFolder));
        using (var weights = CheckpointFolder.OpenWeights(golden.ModelFolder)) StateDict.Load(network, weights, T5Encoder.FileOptions);
        foreach (var c in golden.Cases) c.Check("last_hidden_state", network.Encode(c.Input("input_ids"), c.Input("attention_mask")));
    }

    [Fact]
    public void Distances_AreSingleNearByAndInGrowingRangesFarAway()
    {
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        using var network = new T5Block(new T5Config(), first: true);
        var table = network.state_dict()["layer.0.SelfAttention.relative_attention_bias.weight"];   // [32, heads]
        var bias = network.Distances(zeros(1, 301, 512))[0, 0];                              // [query, key]
        var ranges = new (int From, int Bucket)[] { (8, 8), (12, 9), (16, 10), (23, 11), (32, 12), (46, 13), (64, 14), (91, 15) };
        for (var distance = -150; distance <= 150; distance++)
        {
            var length = Math.Abs(distance);
            var bucket = (distance > 0 ? 16 : 0) + (length < 8 ? length : ranges.Last(range => range.From <= length).Bucket);
            Assert.Equal(table[bucket, 0].item<float>(), bias[150, 150 + distance].item<float>());
        }
    }

    [Fact]
    public void Encode_WithAMask_LooksAtNoMaskedToken()
    {
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        using var network = new T5Encoder(Tiny);
        var alone = network.Encode(tensor(new long[,] { { 7, 9, 1 } }));
        var padded = network.Encode(tensor(new long[,] { { 7, 9, 1, 0, 0 } }), tensor(new long[,] { { 1, 1, 1, 0, 0 } }));
        var unmasked = network.Encode(tensor(new long[,] { { 7, 9, 1, 0, 0 } }));
        Assert.InRange((padded.narrow(1, 0, 3) - alone).abs().max().item<float>(), 0, 1e-5f);
        Assert.False(unmasked.narrow(1, 0, 3).allclose(alone));
    }

    [Fact]
    public void Encode_OfBFloat16_StaysCloseToFloat32()
    {
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        using var network = new T5Encoder(Tiny);
        var ids = tensor(new long[,] { { 7, 9, 1 } });
        var rough = network.Encode(ids, type: ScalarType.BFloat16);
        Assert.Equal(ScalarType.BFloat16, rough.dtype);
        Assert.InRange((rough.to(ScalarType.Float32) - network.Encode(ids)).abs().mean().item<float>(), 0, 0.05f);
    }

    [Theory]
    [InlineData("relu", "encoder.block.1.layer.1.DenseReluDense.wi.weight")]
    [InlineData("gated-silu", "encoder.block.1.layer.1.DenseReluDense.wi_1.weight")]
    public void FeedForward_OfEitherForm_HasItsTensors(string form, string name)
    {
        using var scope = NewDisposeScope();
        using var network = new T5Encoder(Tiny with { FeedForwardProj = form });
        Assert.Contains(name, network.state_dict().Keys);
        Assert.Equal([1L, 2, 8], network.Encode(tensor(new long[,] { { 7, 1 } })).shape);
    }

    [Fact]
    public void WholeModels_LoadWithoutTheirDecoder()
    {
        using var scope = NewDisposeScope();
        using var network = new T5Encoder(Tiny);
        var tensors = network.state_dict().ToDictionary(pair => pair.Key, pair => pair.Value);
        (tensors["decoder.block.0.layer.0.layer_norm.weight"], tensors["lm_head.weight"],
            tensors["encoder.embed_tokens.weight"]) = (ones(8), ones(20, 8), ones(20, 8));
        var file = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName() + ".safetensors");
        try
        {
            SafeTensorsWriter.Write(file, tensors);
            using var weights = CheckpointFolder.OpenWeights(file);
            StateDict.Load(network, weights, T5Encoder.FileOptions);
            Assert.Throws<WeightsException>(() => StateDict.Load(network, weights));
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Fact]
    public void Constructor_OfWhatIsNotT5_SaysWhy()
    {
        Assert.Contains("num_layers is 0", Assert.Throws<ArgumentException>(() => new T5Encoder(Tiny with { NumLayers = 0 })).Message,
            StringComparison.Ordinal);
        Assert.Contains("\"tanh\"", Assert.Throws<ArgumentException>(() => new T5Encoder(Tiny with { FeedForwardProj = "tanh" })).Message,
            StringComparison.Ordinal);
    }
}
