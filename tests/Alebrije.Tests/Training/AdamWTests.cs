using Alebrije.Tensors;
using Alebrije.Training;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using AdamW = Alebrije.Training.AdamW;

namespace Alebrije.Tests.Training;

public sealed class AdamWTests
{
    public AdamWTests() => TorchRuntime.Initialize();

    /// <summary>A scalar, a vector that fills no register, and a matrix that needs more than one piece.</summary>
    private static readonly long[][] Shapes = [[], [13], [301, 257]];

    [Theory]
    [InlineData(0, 0, 1e9)]
    [InlineData(0.3, 0, 1e9)]
    [InlineData(0, 0.9, 1e9)]
    [InlineData(0.3, 0.9, 0.5)]
    public void Step_RandomGradients_EqualsPlainDoubles(double decay, double ema, double clip)
    {
        using var scope = NewDisposeScope();
        using var noise = new Noise(5);
        var options = new AdamWOptions { Beta1 = 0.8, Beta2 = 0.95, Epsilon = 1e-5, WeightDecay = decay, EmaDecay = ema, ClipNorm = clip };
        var parameters = Shapes.Select((shape, i) => (Name: $"p{i}", Parameter: nn.Parameter(noise.Randn(shape)))).ToArray();
        using var optimizer = new AdamW(parameters, options);
        var expected = parameters.Select(p => new Reference(Values(p.Parameter), p.Parameter.ndim >= 2 ? decay : 0)).ToArray();

        for (var step = 1; step <= 5; step++)
        {
            var gradients = Shapes.Select(noise.Randn).ToArray();
            foreach (var (p, g) in parameters.Zip(gradients)) p.Parameter.grad = g;
            var norm = Math.Sqrt(gradients.Sum(g => Values(g).Sum(x => x * x)));
            var rate = 0.1 / step;

            Assert.Equal(norm, optimizer.Step(rate), 1e-5 * norm);

            foreach (var (reference, gradient) in expected.Zip(gradients))
                reference.Step(Values(gradient), Math.Min(1, clip / (norm + 1e-6)), rate, step, options);
            foreach (var (p, reference) in parameters.Zip(expected)) AssertClose(reference.Weights, Values(p.Parameter));
            Assert.All(parameters, p => Assert.Null(p.Parameter.grad));
        }

        Assert.Equal(5, optimizer.Steps);
        var averages = optimizer.Averages.ToDictionary(p => p.Key, p => p.Value);
        for (var i = 0; i < expected.Length; i++) AssertClose(ema > 0 ? expected[i].Average : expected[i].Weights, Values(averages[$"p{i}"]));
    }

    [Fact]
    public void Step_GradientOfAnotherLayout_IsReadInOrder()
    {
        using var scope = NewDisposeScope();
        var (first, second) = (nn.Parameter(zeros(3, 5)), nn.Parameter(zeros(3, 5)));
        var gradient = arange(1, 16, dtype: ScalarType.Float32).reshape(5, 3).t();           // [3, 5], not contiguous
        first.grad = gradient;
        second.grad = gradient.contiguous();
        using var one = new AdamW([("w", first)], new AdamWOptions { WeightDecay = 0 });
        using var other = new AdamW([("w", second)], new AdamWOptions { WeightDecay = 0 });
        one.Step(0.1);
        other.Step(0.1);
        Assert.Equal(Values(second), Values(first));
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    public void Step_GradientThatIsNoNumber_LeavesWeightsAndMoments(float value)
    {
        using var scope = NewDisposeScope();
        var weight = nn.Parameter(ones(4));
        using var optimizer = new AdamW([("w", weight)], new AdamWOptions());
        weight.grad = tensor([1f, value, 1f, 1f]);
        Assert.False(double.IsFinite(optimizer.Step(0.1)));
        Assert.Equal([1, 1, 1, 1], Values(weight));
        Assert.Equal(0, optimizer.Steps);
        Assert.All(optimizer.State, s => Assert.Equal(0, s.Value.abs().sum().ToSingle()));
        Assert.Null(weight.grad);
    }

    [Fact]
    public void Step_ParameterWithoutGradient_StaysAsItIs()
    {
        using var scope = NewDisposeScope();
        var (used, unused) = (nn.Parameter(ones(2, 2)), nn.Parameter(ones(2, 2)));
        using var optimizer = new AdamW([("used", used), ("unused", unused)], new AdamWOptions { EmaDecay = 0.9 });
        used.grad = ones(2, 2);
        Assert.Equal(2, optimizer.Step(0.1), 1e-6);
        Assert.Equal([1, 1, 1, 1], Values(unused));
        Assert.NotEqual(1, Values(used)[0]);
    }

    [Fact]
    public void SwapAverages_Twice_GivesTheWeightsBack()
    {
        using var scope = NewDisposeScope();
        var weight = nn.Parameter(ones(3));
        using var optimizer = new AdamW([("w", weight)], new AdamWOptions { EmaDecay = 0.9 });
        weight.grad = ones(3);
        optimizer.Step(0.5);
        var (before, average) = (Values(weight), Values(optimizer.Averages.Single().Value));
        Assert.NotEqual(before, average);
        optimizer.SwapAverages();
        Assert.Equal(average, Values(weight));
        optimizer.SwapAverages();
        Assert.Equal(before, Values(weight));
    }

    [Fact]
    public void Parameters_OfAnotherTypeOrLayout_AreRefused()
    {
        using var scope = NewDisposeScope();
        var half = nn.Parameter(ones(2, dtype: ScalarType.BFloat16));
        Assert.Contains("contiguous float32", Assert.Throws<ArgumentException>(() => new AdamW([("w", half)], new AdamWOptions())).Message, StringComparison.Ordinal);
    }

    private static double[] Values(Tensor tensor) => tensor.detach().contiguous().data<float>().ToArray().Select(x => (double)x).ToArray();

    private static void AssertClose(double[] expected, double[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (var i = 0; i < expected.Length; i++)
            Assert.True(Math.Abs(expected[i] - actual[i]) <= 2e-6 + (1e-5 * Math.Abs(expected[i])), $"[{i}]: {actual[i]} instead of {expected[i]}");
    }

    /// <summary>Loshchilov and Hutter, 2019, algorithm 2, line by line.</summary>
    private sealed class Reference(double[] weights, double decay)
    {
        private readonly double[] m = new double[weights.Length], v = new double[weights.Length];

        public double[] Weights => weights;

        public double[] Average { get; } = [.. weights];

        public void Step(double[] gradient, double scale, double rate, int step, AdamWOptions options)
        {
            var share = Math.Min(options.EmaDecay, (1.0 + step) / (10.0 + step));
            for (var i = 0; i < weights.Length; i++)
            {
                var g = gradient[i] * scale;
                m[i] = (options.Beta1 * m[i]) + ((1 - options.Beta1) * g);
                v[i] = (options.Beta2 * v[i]) + ((1 - options.Beta2) * g * g);
                var first = m[i] / (1 - Math.Pow(options.Beta1, step));
                var second = v[i] / (1 - Math.Pow(options.Beta2, step));
                weights[i] = weights[i] - (rate * decay * weights[i]) - (rate * first / (Math.Sqrt(second) + options.Epsilon));
                Average[i] = (share * Average[i]) + ((1 - share) * weights[i]);
            }
        }
    }
}
