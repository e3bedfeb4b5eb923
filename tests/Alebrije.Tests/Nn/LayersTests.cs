using Alebrije.Nn;
using Alebrije.Tensors;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Tests.Nn;

public sealed class LayersTests
{
    public LayersTests() => TorchRuntime.Initialize();

    [Fact]
    public void Linear_OfPublishedNames_ComputesAsPyTorch()
    {
        using var scope = NewDisposeScope();
        using var ours = Layers.Linear(6, 4);
        using var theirs = nn.Linear(6, 4);
        theirs.load_state_dict(ours.state_dict());
        var x = rand(2, 3, 6);
        Assert.Equal(["weight", "bias"], ours.state_dict().Keys);
        Assert.True(allclose(theirs.call(x), ours.call(x)));
    }

    [Theory]
    [InlineData(ScalarType.Float32, 1e-5)]
    [InlineData(ScalarType.BFloat16, 0.02)]
    public void Packed_LinearAndTable_ComputeAsBefore(ScalarType type, double tolerance)
    {
        Assert.SkipUnless(OneDnn.Packs(type), "This libtorch packs no matrices of the type for this processor.");
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        using var linear = Layers.Linear(70, 37).to(type);
        using var table = Layers.Embedding(37, 70).to(type);
        var (x, ids) = (rand(2, 3, 70).to(type), tensor(new long[] { 36, 0 }));
        var (expected, scores, rows) = (linear.call(x), table.Project(x), table.call(ids));

        linear.Pack();
        table.Pack();

        Assert.Equal(0, linear.Weight.numel());
        Assert.True(allclose(expected.@float(), linear.call(x).@float(), tolerance, tolerance));
        Assert.True(allclose(scores.@float(), table.Project(x).@float(), tolerance, tolerance * 10));
        Assert.True(rows.equal(table.call(ids)).all().item<bool>());
        Assert.Equal(type, linear.call(x).dtype);
    }

    [Fact]
    public void Conv2d_WithStrideAndPadding_ComputesAsPyTorch()
    {
        using var scope = NewDisposeScope();
        using var ours = Layers.Conv2d(3, 5, 3, stride: 2, padding: 1);
        using var theirs = nn.Conv2d(3, 5, 3, stride: 2, padding: 1);
        theirs.load_state_dict(ours.state_dict());
        var x = rand(2, 3, 7, 6);
        Assert.True(allclose(theirs.call(x), ours.call(x)));
    }

    [Fact]
    public void Norms_ComputeAsPyTorch()
    {
        using var scope = NewDisposeScope();
        using var group = Layers.GroupNorm(2, 6, 1e-3);
        using var theirGroup = nn.GroupNorm(2, 6, eps: 1e-3);
        using var layer = Layers.LayerNorm(5, 1e-3);
        using var theirLayer = nn.LayerNorm(5, eps: 1e-3);
        theirGroup.load_state_dict(group.state_dict());
        theirLayer.load_state_dict(layer.state_dict());
        var (x, y) = (rand(2, 6, 3, 4), rand(2, 3, 5));
        Assert.True(allclose(theirGroup.call(x), group.call(x)));
        Assert.Equal((6f, 0f), (group.state_dict()["weight"].sum().item<float>(), group.state_dict()["bias"].sum().item<float>()));
        Assert.True(allclose(theirLayer.call(y), layer.call(y)));
    }

    [Fact]
    public void Embedding_PicksRows()
    {
        using var scope = NewDisposeScope();
        using var table = Layers.Embedding(5, 3);
        var rows = table.call(tensor(new long[,] { { 4, 0 } }));
        Assert.Equal([1L, 2, 3], rows.shape);
        Assert.True(rows[0, 0].equal(table.Weight[4]).all().item<bool>());
    }

    [Fact]
    public void Linear_OfBFloat16Input_KeepsItsTypeAndGivesFloat32Gradients()
    {
        using var scope = NewDisposeScope();
        using var layer = Layers.Linear(4, 2);
        var y = layer.call(ones(3, 4, dtype: ScalarType.BFloat16));
        y.to(ScalarType.Float32).sum().backward();
        Assert.Equal(ScalarType.BFloat16, y.dtype);
        Assert.Equal(ScalarType.Float32, layer.Weight.grad!.dtype);
        Assert.Equal(3f, layer.Weight.grad![0, 0].item<float>());
    }

    [Fact]
    public void WeightInit_IsWithinPyTorchsBoundsAndNotConstant()
    {
        using var scope = NewDisposeScope();
        using var layer = Layers.Conv2d(8, 16, 3);
        var largest = layer.Weight.abs().max().item<float>();
        var bound = 1 / Math.Sqrt(8 * 9);
        Assert.InRange(largest, 0.9 * bound, bound);
    }

    [Fact]
    public void WeightInit_OnMeta_HoldsShapesOnlyUntilTheScopeEnds()
    {
        using (WeightInit.OnMeta())
        {
            using var huge = Layers.Linear(1_000_000, 1_000_000);
            Assert.Equal(DeviceType.META, huge.Weight.device_type);
            Assert.Equal([1_000_000L, 1_000_000], huge.Weight.shape);
        }

        using var small = Layers.Linear(2, 2);
        Assert.Equal(DeviceType.CPU, small.Weight.device_type);
    }

    [Fact]
    public void GroupNorm_OfGroupsThatDoNotDivide_SaysSo()
    {
        var e = Assert.Throws<ArgumentException>(() => Layers.GroupNorm(32, 40));
        Assert.Contains("40 channels", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(16, 16, 1)]
    [InlineData(16, 32, 3)]
    [InlineData(3, 5, 3)]
    public void Convolution_OfOneSmallSample_IsExact_WithItsGradients(int input, int output, int kernel)
    {
        using var scope = NewDisposeScope();
        var layer = Layers.Conv2d(input, output, kernel, padding: kernel / 2);
        var (x, cotangent) = (randn(1, input, 8, 8).requires_grad_(), randn(1, output, 8, 8));
        var exact = x.detach().to(ScalarType.Float64).requires_grad_();
        var (kernels, shift) = (layer.Weight.detach().to(ScalarType.Float64).requires_grad_(),
            layer.Bias!.detach().to(ScalarType.Float64).requires_grad_());
        var (got, wanted) = (layer.call(x), nn.functional.conv2d(exact, kernels, shift, padding: [kernel / 2, kernel / 2]));
        (got * cotangent).sum().backward();
        (wanted * cotangent).sum().backward();
        Assert.Equal([1L, output, 8, 8], got.shape);
        Assert.True(Error(got, wanted) < 1e-5);
        Assert.True(Error(x.grad!, exact.grad!) < 1e-5);
        Assert.True(Error(layer.Weight.grad!, kernels.grad!) < 1e-5);
        Assert.True(Error(layer.Bias.grad!, shift.grad!) < 1e-5);
    }

    [Theory]
    [InlineData(3, 16, 8, 8, 0)]
    [InlineData(16, 5, 3, 2, 1)]
    [InlineData(4, 16, 1, 1, 0)]
    public void Convolution_InFloat64_IsExact_WithItsGradients(int input, int output, int kernel, int stride, int padding)
    {
        using var scope = NewDisposeScope();
        var layer = Layers.Conv2d(input, output, kernel, stride, padding);
        var x = randn([2, input, 16, 24], ScalarType.Float64).requires_grad_();
        var exact = x.detach().clone().requires_grad_();
        var wanted = nn.functional.conv2d(exact, layer.Weight.to(ScalarType.Float64),
            layer.Bias!.to(ScalarType.Float64), strides: [stride, stride], padding: [padding, padding]);
        var got = layer.call(x);
        var cotangent = randn_like(wanted);
        (got * cotangent).sum().backward();
        (wanted * cotangent).sum().backward();
        Assert.Equal(wanted.shape, got.shape);
        Assert.True(Error(got, wanted) < 1e-12);
        Assert.True(Error(x.grad!, exact.grad!) < 1e-12);
    }

    /// <summary>
    /// oneDNN reads uninitialised memory if channels do not fill blocks of 16; here it is NaN. Reference: a product of patches in float64.
    /// </summary>
    [Theory]
    [InlineData(32, 3, 3, 1)]
    [InlineData(64, 8, 3, 1)]
    [InlineData(24, 24, 3, 2)]
    [InlineData(40, 16, 3, 1)]
    [InlineData(8, 40, 3, 1)]
    [InlineData(8, 9, 1, 1)]
    public void Convolution_OfAnyChannels_IsExact_AndSoIsTheGradientOfItsInput(int input, int output, int kernel, int stride)
    {
        var layer = Layers.Conv2d(input, output, kernel, stride, padding: kernel / 2, bias: false);
        for (var draw = 0; draw < 3; draw++)
        {
            using var scope = NewDisposeScope();
            var (x, exact) = (randn(8, input, 16, 16), layer.Weight.detach().to(ScalarType.Float64).reshape(output, -1));
            var side = 16 / stride;
            var cotangent = randn(8, output, side, side);
            var reference = x.to(ScalarType.Float64).requires_grad_();
            var patches = nn.functional.unfold(reference, (kernel, kernel), padding: (kernel / 2, kernel / 2), stride: (stride, stride));
            var wanted = einsum("oc,bcl->bol", exact, patches).reshape(cotangent.shape);
            (wanted * cotangent).sum().backward();
            foreach (var (type, tolerance) in new[] { (ScalarType.Float32, 1e-4), (ScalarType.BFloat16, 0.03) })
            {
                if (type == ScalarType.BFloat16 && !Processor.HasFastBf16) continue;
                var own = x.clone().requires_grad_();
                LeaveNaN();
                var got = layer.call(own.to(type)).to(ScalarType.Float32);
                LeaveNaN();
                (got * cotangent).sum().backward();
                Assert.True(Error(got, wanted) < tolerance, $"{type}: the result is off by {Error(got, wanted)}");
                Assert.True(Error(own.grad!, reference.grad!) < tolerance,
                    $"{type}: the gradient is off by {Error(own.grad!, reference.grad!)}");
            }
        }

        static void LeaveNaN()
        {
            using var scope = NewDisposeScope();
            for (var power = 8; power < 22; power++) full([1L << power], float.NaN);
        }
    }

    /// <summary>Largest difference, relative to the largest expected value.</summary>
    private static double Error(Tensor got, Tensor wanted) =>
        (got.detach().to(ScalarType.Float64) - wanted.detach()).abs().max().ToDouble() / wanted.detach().abs().max().ToDouble();
}
