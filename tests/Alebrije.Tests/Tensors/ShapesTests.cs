using Alebrije.Tensors;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Tests.Runtime;

public sealed class ShapesTests
{
    public ShapesTests() => TorchRuntime.Initialize();

    [Theory]
    [InlineData(new long[] { 2, 3 }, new long[] { 3, 4 })]
    [InlineData(new long[] { 5, 2, 3 }, new long[] { 5, 3, 4 })]
    [InlineData(new long[] { 5, 1, 2, 3 }, new long[] { 6, 3, 4 })]
    [InlineData(new long[] { 2, 3 }, new long[] { 7, 3, 4 })]
    public void MatMul_ShapesThatFit_IsTheSumOfProducts(long[] left, long[] right)
    {
        using var scope = NewDisposeScope();
        using var noise = new Noise(1);
        var (a, b) = (noise.Randn(left), noise.Randn(right));
        var expected = (a.unsqueeze(-1) * b.unsqueeze(-3)).sum(dim: -2);
        var product = Shapes.MatMul(a, b);
        Assert.Equal(expected.shape, product.shape);
        Assert.True(product.allclose(expected, atol: 1e-5));
    }

    [Theory]
    [InlineData(new long[] { 2, 3 }, new long[] { 4, 3 }, "cannot be multiplied")]
    [InlineData(new long[] { 3 }, new long[] { 3, 4 }, "cannot be multiplied")]
    [InlineData(new long[] { 2, 2, 3 }, new long[] { 3, 3, 4 }, "do not broadcast")]
    public void MatMul_ShapesThatDoNotFit_IsASentenceAndNoAbort(long[] left, long[] right, string words)
    {
        using var scope = NewDisposeScope();
        var error = Assert.Throws<ArgumentException>(() => Shapes.MatMul(zeros(left), zeros(right)));
        Assert.Contains(words, error.Message, StringComparison.Ordinal);
    }
}
