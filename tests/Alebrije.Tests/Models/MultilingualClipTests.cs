using Alebrije.Models.XlmRoberta;
using Alebrije.Tensors;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Tests.Models;

public sealed class MultilingualClipTests
{
    private static readonly MultilingualClipConfig Tiny = new()
    {
        TransformerDimensions = 8,
        HiddenSize = 8,
        NumDims = 6,
        NumHiddenLayers = 2,
        NumAttentionHeads = 2,
        IntermediateSize = 12,
        VocabSize = 20,
        MaxPositionEmbeddings = 14,
    };

    public MultilingualClipTests() => TorchRuntime.Initialize();

    public static TheoryData<string> Goldens => NetworkGolden.Of("MultilingualCLIP");

    [Theory]
    [MemberData(nameof(Goldens))]
    public void Golden_EncodesAsTheReference(string name)
    {
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        using var golden = new NetworkGolden(name);
        using var network = new MultilingualClip(ConfigFile.Read<MultilingualClipConfig>(golden.ModelFolder));
        using (var weights = CheckpointFolder.OpenWeights(golden.ModelFolder))
            StateDict.Load(network, weights, MultilingualClip.FileOptions);
        foreach (var c in golden.Cases)
        {
            var (embedding, states) = network.Encode(c.Input("input_ids"), c.Input("attention_mask"));
            c.Check("text_embeds", embedding);
            c.Check("last_hidden_state", states);
        }
    }

    [Fact]
    public void Encode_OfAPaddedRow_IsThatOfTheTextAlone_OnEitherSide()
    {
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        using var network = new MultilingualClip(Tiny);
        var alone = network.Encode(tensor(new long[,] { { 0, 7, 9, 2 } }), ones(1, 4, dtype: ScalarType.Int64));
        foreach (var (ids, mask, at) in (IEnumerable<(long[,], long[,], long)>)
            [(new long[,] { { 0, 7, 9, 2, 1, 1, 1 } }, new long[,] { { 1, 1, 1, 1, 0, 0, 0 } }, 0),
                (new long[,] { { 1, 1, 0, 7, 9, 2 } }, new long[,] { { 0, 0, 1, 1, 1, 1 } }, 2)])
        {
            var padded = network.Encode(tensor(ids), tensor(mask));
            Assert.InRange((padded.Embedding - alone.Embedding).abs().max().item<float>(), 0, 1e-5f);
            Assert.InRange((padded.HiddenStates.narrow(1, at, 4) - alone.HiddenStates).abs().max().item<float>(), 0, 1e-5f);
        }
    }

    [Fact]
    public void Encode_WithAMask_LooksAtNoMaskedToken()
    {
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        using var network = new MultilingualClip(Tiny);
        var mask = tensor(new long[,] { { 1, 1, 1, 0 } });
        var (one, other) = (network.Encode(tensor(new long[,] { { 0, 7, 2, 9 } }), mask),
            network.Encode(tensor(new long[,] { { 0, 7, 2, 12 } }), mask));
        Assert.True(one.Embedding.equal(other.Embedding).all().item<bool>());
        Assert.False(one.HiddenStates.allclose(other.HiddenStates));
    }

    [Fact]
    public void Encode_OfBFloat16_StaysCloseToFloat32()
    {
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        using var network = new MultilingualClip(Tiny);
        var (ids, mask) = (tensor(new long[,] { { 0, 7, 9, 2, 1 } }), tensor(new long[,] { { 1, 1, 1, 1, 0 } }));
        var rough = network.Encode(ids, mask, ScalarType.BFloat16);
        Assert.Equal(ScalarType.BFloat16, rough.HiddenStates.dtype);
        Assert.InRange((rough.Embedding.to(ScalarType.Float32) - network.Encode(ids, mask).Embedding).abs().max().item<float>(), 0, 0.05f);
    }

    [Fact]
    public void Encode_OfTooManyTokens_SaysHowManyThereMayBe()
    {
        using var scope = NewDisposeScope();
        using var network = new MultilingualClip(Tiny);
        Assert.Equal([1L, 12, 8], network.Encode(zeros(1, 12, dtype: ScalarType.Int64), ones(1, 12, dtype: ScalarType.Int64))
            .HiddenStates.shape);
        var e = Assert.Throws<ArgumentException>(() =>
            network.Encode(zeros(1, 13, dtype: ScalarType.Int64), ones(1, 13, dtype: ScalarType.Int64)));
        Assert.Contains("13 tokens are more than the 12", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Constructor_OfWidthsThatDisagree_NamesBoth()
    {
        var e = Assert.Throws<ArgumentException>(() => new MultilingualClip(Tiny with { TransformerDimensions = 9 }));
        Assert.Contains("transformerDimensions is 9 and hidden_size 8", e.Message, StringComparison.Ordinal);
    }
}
