using Alebrije.Tensors;
using Alebrije.Training;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Alebrije.Tests.Training;

public sealed class OptimizerTests
{
    public OptimizerTests() => TorchRuntime.Initialize();

    /// <summary>A scalar, a vector that does not fill whole registers, and a matrix of more than one block.</summary>
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
        var options = new OptimizerConstants { Beta1 = 0.8, Beta2 = 0.95,
            Epsilon = 1e-5, WeightDecay = decay, EmaDecay = ema, ClipNorm = clip };
        var parameters = Shapes.Select((shape, i) => (Name: $"p{i}", Parameter: nn.Parameter(noise.Randn(shape)))).ToArray();
        using var optimizer = new Optimizer(parameters, options);
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
        for (var i = 0; i < expected.Length; i++)
            AssertClose(ema > 0 ? expected[i].Average : expected[i].Weights, Values(averages[$"p{i}"]));
    }

    [Fact]
    public void Step_GradientOfAnotherLayout_IsReadInOrder()
    {
        using var scope = NewDisposeScope();
        var (first, second) = (nn.Parameter(zeros(3, 5)), nn.Parameter(zeros(3, 5)));
        var gradient = arange(1, 16, dtype: ScalarType.Float32).reshape(5, 3).t();           // [3, 5], not contiguous
        first.grad = gradient;
        second.grad = gradient.contiguous();
        using var one = new Optimizer([("w", first)], new OptimizerConstants { WeightDecay = 0 });
        using var other = new Optimizer([("w", second)], new OptimizerConstants { WeightDecay = 0 });
        one.Step(0.1);
        other.Step(0.1);
        Assert.Equal(Values(second), Values(first));
    }

    [Theory]
    [InlineData(7, 19)]
    [InlineData(19, 7)]
    [InlineData(12, 12)]
    public void Orthogonalize_RandomMatrix_HasSingularValuesNearOne(long rows, long columns)
    {
        using var scope = NewDisposeScope();
        using var noise = new Noise(8);
        var matrix = noise.Randn(rows, columns);
        var result = MuonSlot.Orthogonalize(matrix, ScalarType.Float32);
        Assert.Equal([rows, columns], result.shape);
        Assert.All(Values(linalg.svdvals(result)), value => Assert.InRange(value, 0.5, 1.3));

        // The update has the directions of the polar factor: their inner product is nearly the maximum.
        var (u, _, vt) = linalg.svd(matrix, fullMatrices: false);
        var polar = u.mm(vt);
        Assert.InRange((polar * result).sum().ToDouble() / (polar.norm() * result.norm()).ToDouble(), 0.97, 1);
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(0.3, 0.9)]
    public void Step_Muon_EqualsPlainDoubles(double decay, double ema)
    {
        using var scope = NewDisposeScope();
        using var noise = new Noise(6);
        var constants = new OptimizerConstants { Method = OptimizerMethod.Muon,
            Momentum = 0.8, WeightDecay = decay, EmaDecay = ema, ClipNorm = 0.5 };
        long[][] shapes = [[6, 4], [3, 2, 2, 2]];
        var parameters = shapes.Select((shape, i) => (Name: $"p{i}", Parameter: nn.Parameter(noise.Randn(shape)))).ToArray();
        using var optimizer = new Optimizer(parameters, constants);
        var weights = parameters.Select(p => Values(p.Parameter)).ToArray();
        var averages = weights.Select(w => w.ToArray()).ToArray();
        var momenta = weights.Select(w => new double[w.Length]).ToArray();

        for (var step = 1; step <= 4; step++)
        {
            var gradients = shapes.Select(noise.Randn).ToArray();
            foreach (var (p, g) in parameters.Zip(gradients)) p.Parameter.grad = g.clone();
            var norm = Math.Sqrt(gradients.Sum(g => Values(g).Sum(x => x * x)));
            var rate = 0.1 / step;
            Assert.Equal(norm, optimizer.Step(rate), 1e-5 * norm);
            for (var i = 0; i < weights.Length; i++)
            {
                var (rows, columns) = ((int)shapes[i][0], weights[i].Length / (int)shapes[i][0]);
                var scaled = Values(gradients[i]).Select(x => x * Math.Min(1, 0.5 / (norm + 1e-6))).ToArray();
                momenta[i] = [.. momenta[i].Zip(scaled, (m, g) => (0.8 * m) + (0.2 * g))];
                var turned = NewtonSchulz([.. momenta[i].Zip(scaled, (m, g) => (0.8 * m) + (0.2 * g))], rows, columns);
                weights[i] = [.. weights[i].Zip(turned,
                    (w, d) => (w * (1 - (rate * decay))) - (rate * 0.2 * Math.Sqrt(Math.Max(rows, columns)) * d))];
                var share = Math.Min(ema, (1.0 + step) / (10.0 + step));
                averages[i] = [.. averages[i].Zip(weights[i], (a, w) => (share * a) + ((1 - share) * w))];
                AssertNear(weights[i], Values(parameters[i].Parameter));
            }
        }

        var kept = optimizer.Averages.ToDictionary(p => p.Key, p => p.Value);
        for (var i = 0; i < weights.Length; i++) AssertNear(ema > 0 ? averages[i] : weights[i], Values(kept[$"p{i}"]));
        Assert.Equal(ema > 0 ? ["ema/p0", "ema/p1", "m/p0", "m/p1"] : ["m/p0", "m/p1"],
            optimizer.State.Select(s => s.Key).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Step_Muon_MovesVectorsAndTablesAsAdamWDoes()
    {
        using var scope = NewDisposeScope();
        using var noise = new Noise(6);
        (string Name, Tensor Start)[] all = [("norm.bias", noise.Randn(5)),
            ("token_embedding.weight", noise.Randn(4, 3)), ("linear.weight", noise.Randn(4, 3))];
        Tensor[] Moved(OptimizerMethod method)
        {
            var parameters = all.Select(p => (p.Name, nn.Parameter(p.Start.clone()))).ToArray();
            using var optimizer = new Optimizer(parameters, new OptimizerConstants { Method = method });
            foreach (var (_, parameter) in parameters) parameter.grad = ones_like(parameter);
            optimizer.Step(0.1);
            return [.. parameters.Select(p => p.Item2)];
        }

        var (adam, muon) = (Moved(OptimizerMethod.AdamW), Moved(OptimizerMethod.Muon));
        Assert.Equal(Values(adam[0]), Values(muon[0]));
        Assert.Equal(Values(adam[1]), Values(muon[1]));
        Assert.NotEqual(Values(adam[2]), Values(muon[2]));
    }

    [Theory]
    [InlineData("layers.0.mlp.fc1.weight", true, 4, 3)]
    [InlineData("vision_model.embeddings.patch_embedding.weight", true, 4, 3, 8, 8)]
    [InlineData("time_embedding.linear_1.weight", true, 4, 3)]
    [InlineData("text_model.embeddings.token_embedding.weight", false, 4, 3)]
    [InlineData("vision_model.embeddings.class_embedding", false, 4)]
    [InlineData("positional_embedding", false, 1, 4, 3)]
    [InlineData("norm.weight", false, 4)]
    [InlineData("text_encoder.shared.weight", false, 40, 3)]
    [InlineData("encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight", false, 32, 6)]
    [InlineData("encoder.block.0.layer.0.SelfAttention.q.weight", true, 4, 3)]
    public void IsMatrix_ByNameAndShape(string name, bool expected, params int[] shape)
    {
        using var scope = NewDisposeScope();
        Assert.Equal(expected, Optimizer.IsMatrix(name, zeros([.. shape.Select(n => (long)n)])));
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    public void Step_GradientThatIsNoNumber_LeavesWeightsAndMoments(float value)
    {
        using var scope = NewDisposeScope();
        var weight = nn.Parameter(ones(4));
        using var optimizer = new Optimizer([("w", weight)], new OptimizerConstants());
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
        using var optimizer = new Optimizer([("used", used), ("unused", unused)], new OptimizerConstants { EmaDecay = 0.9 });
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
        using var optimizer = new Optimizer([("w", weight)], new OptimizerConstants { EmaDecay = 0.9 });
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
        Assert.Contains("contiguous float32", Assert.Throws<ArgumentException>(() => new Optimizer([("w", half)], new OptimizerConstants()))
            .Message, StringComparison.Ordinal);
    }

    private static double[] Values(Tensor tensor) => tensor.detach().contiguous().data<float>().ToArray().Select(x => (double)x).ToArray();

    private static void AssertClose(double[] expected, double[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (var i = 0; i < expected.Length; i++)
            Assert.True(Math.Abs(expected[i] - actual[i]) <= 2e-6 + (1e-5 * Math.Abs(expected[i])),
                $"[{i}]: {actual[i]} instead of {expected[i]}");
    }

    private static void AssertNear(double[] expected, double[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (var i = 0; i < expected.Length; i++) Assert.Equal(expected[i], actual[i], 1e-4);
    }

    /// <summary>Jordan et al., 2024: five steps of X' = a X + (b A + c A²) X with A = X Xᵀ, on the side with fewer rows.</summary>
    private static double[] NewtonSchulz(double[] matrix, int rows, int columns)
    {
        var norm = Math.Sqrt(matrix.Sum(x => x * x)) + 1e-7;
        var isTall = rows > columns;
        var (n, k) = isTall ? (columns, rows) : (rows, columns);
        var x = new double[n, k];
        for (var i = 0; i < n; i++)
            for (var j = 0; j < k; j++) x[i, j] = (isTall ? matrix[(j * n) + i] : matrix[(i * k) + j]) / norm;
        for (var step = 0; step < 5; step++)
        {
            var a = Product(x, Transposed(x));
            var square = Product(a, a);
            var b = new double[n, n];
            for (var i = 0; i < n; i++)
                for (var j = 0; j < n; j++) b[i, j] = (-4.7750 * a[i, j]) + (2.0315 * square[i, j]);
            var change = Product(b, x);
            for (var i = 0; i < n; i++)
                for (var j = 0; j < k; j++) x[i, j] = (3.4445 * x[i, j]) + change[i, j];
        }

        var result = new double[matrix.Length];
        for (var i = 0; i < n; i++)
            for (var j = 0; j < k; j++) result[isTall ? (j * n) + i : (i * k) + j] = x[i, j];
        return result;
    }

    private static double[,] Transposed(double[,] a)
    {
        var result = new double[a.GetLength(1), a.GetLength(0)];
        for (var i = 0; i < a.GetLength(0); i++)
            for (var j = 0; j < a.GetLength(1); j++) result[j, i] = a[i, j];
        return result;
    }

    private static double[,] Product(double[,] a, double[,] b)
    {
        var result = new double[a.GetLength(0), b.GetLength(1)];
        for (var i = 0; i < a.GetLength(0); i++)
            for (var j = 0; j < b.GetLength(1); j++)
                for (var k = 0; k < a.GetLength(1); k++) result[i, j] += a[i, k] * b[k, j];
        return result;
    }

    /// <summary>Loshchilov and Hutter, 2019, algorithm 2, line by line.</summary>
    private sealed class Reference(double[] weights, double decay)
    {
        private readonly double[] m = new double[weights.Length], v = new double[weights.Length];

        public double[] Weights => weights;

        public double[] Average { get; } = [.. weights];

        public void Step(double[] gradient, double scale, double rate, int step, OptimizerConstants options)
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
