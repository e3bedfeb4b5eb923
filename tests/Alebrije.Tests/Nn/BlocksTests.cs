using Alebrije.Nn;
using Alebrije.Tensors;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Tests.Nn;

public sealed class BlocksTests
{
    private const int Keep = (int)Resample.Keep, Halve = (int)Resample.Halve, Double = (int)Resample.Double;

    public BlocksTests() => TorchRuntime.Initialize();

    [Theory]
    [InlineData(true, 0.0)]
    [InlineData(false, 1.0)]
    public void Timesteps_AreSinesAndCosinesOfFallingFrequencies(bool cosineFirst, double shift)
    {
        using var scope = NewDisposeScope();
        const int Half = 3;
        var code = Timesteps.Encode(tensor([7L]), (2 * Half) + 1, cosineFirst, shift).data<float>().ToArray();
        Assert.Equal((2 * Half) + 1, code.Length);
        for (var i = 0; i < Half; i++)
        {
            var angle = 7 * Math.Exp(-Math.Log(10_000) * i / (Half - shift));
            Assert.Equal(Math.Cos(angle), code[cosineFirst ? i : Half + i], 5);
            Assert.Equal(Math.Sin(angle), code[cosineFirst ? Half + i : i], 5);
        }

        Assert.Equal(0f, code[^1]);
    }

    [Fact]
    public void Timesteps_OfAnotherNumberThanSamples_SaySo()
    {
        using var scope = NewDisposeScope();
        Assert.Equal([5L, 5, 5], Timesteps.ForBatch(tensor(5L), zeros(3, 2)).data<long>().ToArray());
        var e = Assert.Throws<ArgumentException>(() => Timesteps.ForBatch(tensor([1L, 2]), zeros(3, 2)));
        Assert.Contains("2 timesteps were given for a batch of 3", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Attention_IsTheSoftmaxOfScoresHeadByHead()
    {
        using var scope = NewDisposeScope();
        var (q, k, v) = (randn(2, 3, 4), randn(2, 5, 4), randn(2, 5, 4));
        var ours = Attention.Attend((q, k, v), new AttentionSizes(2, 2));
        var heads = Enumerable.Range(0, 2).Select(h =>
        {
            var (qh, kh, vh) = (q.narrow(2, 2 * h, 2), k.narrow(2, 2 * h, 2), v.narrow(2, 2 * h, 2));
            return (qh.bmm(kh.transpose(1, 2)) / Math.Sqrt(2)).softmax(-1).bmm(vh);
        });
        Assert.True(ours.allclose(cat([.. heads], dim: 2), 1e-5, 1e-6));
    }

    [Fact]
    public void Attention_OfMaskedTokens_DoesNotSeeThem()
    {
        using var scope = NewDisposeScope();
        using var attention = new Attention(4, new AttentionSizes(2, 2) { ContextWidth = 3 });
        var (x, context) = (randn(1, 2, 4), randn(1, 3, 3));
        var bias = tensor(new float[] { 0, 0, -10_000 }).reshape(1, 1, 1, 3);
        Assert.True(attention.call(x, context, bias).allclose(attention.call(x, context.narrow(1, 0, 2), null), 1e-5, 1e-6));
    }

    [Fact]
    public void AttentionSizes_ThatDoNotDivide_SaySo()
    {
        var e = Assert.Throws<ArgumentException>(() => AttentionSizes.Split(770, 12));
        Assert.Contains("770 cannot be split into 12 heads", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(Keep, 8L, 6L)]
    [InlineData(Halve, 4L, 3L)]
    [InlineData(Double, 16L, 12L)]
    public void ResnetBlock_ChangesTheSizeAsAsked(int resample, long height, long width)
    {
        using var scope = NewDisposeScope();
        using var block = new ResnetBlock(4, 6, new ResnetForm(2, 1e-5) { TimeWidth = 5, TimeScales = true, OutputDivisor = 2 },
            (Resample)resample);
        Assert.Equal([2L, 6, height, width], block.call(randn(2, 4, 8, 6), randn(2, 5)).shape);
    }

    [Fact]
    public void Downsample_WithoutPadding_PadsBelowAndAtTheRight()
    {
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        using var layer = new Downsample(1, padding: 0);
        var (weight, bias) = (layer.state_dict()["conv.weight"], layer.state_dict()["conv.bias"]);
        weight.zero_();
        bias.zero_();
        weight[0, 0, 0, 0] = 1;
        var picture = arange(16, dtype: ScalarType.Float32).reshape(1, 1, 4, 4);
        Assert.Equal([0f, 2, 8, 10], layer.call(picture).data<float>().ToArray());
    }

    [Fact]
    public void Dropout_IsOffOutsideTraining()
    {
        using var scope = NewDisposeScope();
        var x = ones(1000);
        Assert.Same(x, x.Drop(0.5, training: false));
        Assert.Same(x, x.Drop(0, training: true));
        Assert.InRange((x.Drop(0.5, training: true) == 0).sum().item<long>(), 400, 600);
    }

    [Fact]
    public void Activation_OfAnUnknownName_ListsTheKnownOnes()
    {
        var e = Assert.Throws<ArgumentException>(() => Activation.Named("tanh"));
        Assert.Contains("silu, swish, gelu, relu or mish", e.Message, StringComparison.Ordinal);
    }
}
