using Alebrije.Embeddings;
using Alebrije.Models.Priors;
using Alebrije.Pipelines.Experiments;
using Alebrije.Tensors;
using TorchSharp;

namespace Alebrije.Tests.Embeddings;

public sealed class PrincipalComponentsTests
{
    [Fact]
    public void Fit_FourPointsOnTwoAxes_GivesHandComputedVariances()
    {
        // Centred already: sums of squares 50 along x and 8 along y, divided by n - 1 = 3.
        float[][] rows = [[6, 1], [-4, 1], [6, -3], [-4, -3]];
        var pca = PrincipalComponents.Fit(rows);
        Assert.Equal([1, -1], pca.Mean);
        Assert.Equal(100.0 / 3, pca.Variance[0], 12);
        Assert.Equal(16.0 / 3, pca.Variance[1], 12);
        Assert.Equal(100.0 / 116, pca.VarianceRatio[0], 12);
        Near([1, 0], pca.Components[0]);
        Near([0, 1], pca.Components[1]);
        Near([5, 2], pca.Transform([6, 1]));
    }

    [Fact]
    public void Fit_PointsOnADiagonal_FindsItWithAPositiveSign()
    {
        float[][] rows = [[3, 3, 0], [1, 1, 0], [2, 2, 0]];
        var pca = PrincipalComponents.Fit(rows, 3);
        Near([Math.Sqrt(0.5), Math.Sqrt(0.5), 0], pca.Components[0]);
        Assert.Equal([2, 0, 0], pca.Variance.Select(v => Math.Round(v, 12)));
        Assert.Equal(1, pca.VarianceRatio[0], 12);
        Near([Math.Sqrt(2), 0, 0], pca.Transform([3, 3, 0]));
        AssertOrthonormal(pca);
    }

    [Theory]
    [InlineData(40, 7, 1)]
    [InlineData(7, 40, 2)]
    [InlineData(12, 12, 3)]
    [InlineData(90, 64, 4)]
    [InlineData(2, 512, 5)]
    public void Fit_RandomRows_IsOrthonormalKeepsTheVarianceAndRebuildsTheRows(int n, int width, int seed)
    {
        var rows = Samples.Rows(n, width, seed);
        var pca = PrincipalComponents.Fit(rows);
        AssertOrthonormal(pca);
        Assert.True(pca.Variance.Zip(pca.Variance.Skip(1)).All(pair => pair.First >= pair.Second));
        Assert.Equal(1, pca.VarianceRatio.Sum(), 10);

        var columns = Enumerable.Range(0, width).Sum(j => Variance([.. rows.Select(row => (double)row[j])]));
        Assert.Equal(columns, pca.Variance.Sum(), 8);
        for (var k = 0; k < Math.Min(3, pca.Components.Count); k++)
            Assert.Equal(pca.Variance[k], Variance([.. rows.Select(row => pca.Transform(row)[k])]), 9);
        foreach (var row in rows)
        {
            var back = pca.Inverse(pca.Transform(row));
            for (var j = 0; j < width; j++) Assert.Equal(row[j], back[j], 1e-6);
        }
    }

    [Fact]
    public void Fit_BothSides_AgreeOnTheSameData()
    {
        var rows = Samples.Rows(10, 9, 6);
        var padded = rows.Select(row => row.Concat(new float[5]).ToArray()).ToArray();
        var narrow = PrincipalComponents.Fit(rows, 9);   // features: 9 x 9
        var wide = PrincipalComponents.Fit(padded, 9);   // rows: 10 x 10
        for (var k = 0; k < 9; k++)
        {
            Assert.Equal(narrow.Variance[k], wide.Variance[k], 10);
            Near([.. narrow.Components[k], 0, 0, 0, 0, 0], wide.Components[k]);
        }
    }

    [Fact]
    public void Fit_RankTwoData_SeparatesExactlyAndIgnoresRowOrder()
    {
        var basis = Samples.Rows(2, 30, 7);
        var weights = Samples.Rows(25, 2, 8);
        var rows = weights.Select(w => basis[0].Zip(basis[1], (a, b) => w[0] * a + w[1] * b).ToArray()).ToArray();
        var pca = PrincipalComponents.Fit(rows, 5);
        Assert.Equal(1, pca.VarianceRatio[0] + pca.VarianceRatio[1], 9);
        AssertOrthonormal(pca);

        var reversed = PrincipalComponents.Fit([.. rows.Reverse()], 2);
        Near(pca.Components[0], reversed.Components[0]);
        Near(pca.Components[1], reversed.Components[1]);
    }

    [Fact]
    public void Fit_OneRow_HasNoVarianceAndStillABasis()
    {
        var pca = PrincipalComponents.Fit([[1, 2, 3]], 2);
        Assert.Equal([0, 0], pca.VarianceRatio);
        AssertOrthonormal(pca);
        Assert.Equal([1f, 2, 3], pca.Inverse(pca.Transform([1, 2, 3])));
    }

    [Fact]
    public void Fit_RowsOfKnownSingularValues_GivesTheirSquares()
    {
        // Differences of neighbours have columns of mean 0, and their Gram matrix tridiag(-1, 2, -1) has eigenvalues 2 - 2 cos(k pi /
        // (width + 1)).
        const int width = 20;
        var rows = Enumerable.Range(0, width + 1)
            .Select(i => Enumerable.Range(0, width).Select(j => i == j ? 1f : i == j + 1 ? -1 : 0).ToArray()).ToArray();
        var pca = PrincipalComponents.Fit(rows);
        for (var k = 0; k < width; k++) Assert.Equal(2 - (2 * Math.Cos((width - k) * Math.PI / (width + 1))), pca.Variance[k] * width, 12);
        AssertOrthonormal(pca);
    }

    [Theory]
    [InlineData(40, 6)]
    [InlineData(5, 12)]
    public void Axes_OfExperimentsAndQuantizer_AreThoseOfTheAnalysis(int count, int width)
    {
        TorchRuntime.Initialize();
        using var scope = torch.NewDisposeScope();
        var rows = Samples.Rows(count, width, 9);
        var kept = Math.Min(count - 1, width);
        var pca = PrincipalComponents.Fit(rows, kept);
        var table = torch.tensor(rows.SelectMany(row => row).ToArray(), [count, width]);
        var basis = EmbeddingBasis.Fit(table);
        using var quantizer = new EmbeddingQuantizer(new AutoregressivePriorConfig
        {
            NumAttentionHeads = 1, AttentionHeadDim = 2, NumLayers = 1, EmbeddingDim = width,
            NumEmbeddings = 5, NumCodes = kept, NumBuckets = 8, NumCosines = 2,
        });
        quantizer.Fit(table, table);
        for (var k = 0; k < kept; k++)
        {
            Near(pca.Components[k], basis.Components[k].data<float>().Select(value => (double)value));
            Near(pca.Components[k], quantizer.Components[k].data<float>().Select(value => (double)value));
            Assert.Equal(pca.Variance[k], basis.Variance[k].item<float>(), 1e-5);
            Assert.Equal(Math.Sqrt(pca.Variance[k]), quantizer.Deviation[k].item<float>(), 1e-5);
        }
    }

    [Fact]
    public void Fit_BadInput_SaysWhatIsWrong()
    {
        Assert.Contains("There are no embeddings", Assert.Throws<ArgumentException>(() => PrincipalComponents.Fit([])).Message);
        Assert.Contains("Row 1", Assert.Throws<ArgumentException>(() => PrincipalComponents.Fit([[1, 2], [1]])).Message);
        Assert.Contains("not a finite number", Assert.Throws<ArgumentException>(() => PrincipalComponents.Fit([[1, float.NaN]])).Message);
        Assert.Contains("between 1 and 2", Assert.Throws<ArgumentOutOfRangeException>(() => PrincipalComponents.Fit([[1, 2]], 3)).Message);
        var pca = PrincipalComponents.Fit([[1, 2], [2, 1]], 1);
        Assert.Contains("fitted on rows of 2", Assert.Throws<ArgumentException>(() => pca.Transform([1])).Message);
        Assert.Contains("1 components", Assert.Throws<ArgumentException>(() => pca.Inverse([1, 2])).Message);
    }

    private static double Variance(double[] values)
    {
        var mean = values.Average();
        return values.Sum(x => (x - mean) * (x - mean)) / (values.Length - 1);
    }

    private static void Near(IEnumerable<double> expected, IEnumerable<double> actual)
    {
        Assert.Equal(expected.Count(), actual.Count());
        foreach (var (a, b) in expected.Zip(actual)) Assert.Equal(a, b, 1e-6);
    }

    private static void AssertOrthonormal(PrincipalComponents pca)
    {
        for (var a = 0; a < pca.Components.Count; a++)
            for (var b = 0; b <= a; b++)
                Assert.Equal(a == b ? 1 : 0, pca.Components[a].Zip(pca.Components[b], (x, y) => x * y).Sum(), 1e-10);
    }
}
