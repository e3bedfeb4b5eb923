using Alebrije.Search.Vectors;

namespace Alebrije.Search.VectorData.Tests;

/// <summary>Exact search against a plain loop, and the graph against exact search.</summary>
public sealed class SearchOfVectorsTests : TemporaryFolder
{
    [Theory]
    [InlineData(VectorType.Half, 1)]
    [InlineData(VectorType.Half, 31)]
    [InlineData(VectorType.Half, 32)]
    [InlineData(VectorType.Half, 100)]
    [InlineData(VectorType.Half, 512)]
    [InlineData(VectorType.Single, 100)]
    public void Top_IsThatOfAPlainLoop(VectorType type, int width)
    {
        using var file = Filled(3000, width, type);
        var query = VectorFileTests.Vector(width, 77);
        var plain = Plain(file, query).OrderByDescending(row => row.Score).ThenBy(row => row.Row).ToArray();
        Same(plain[..10], ExactSearch.Top(file, query, 10));
        Same(plain[..10], ExactSearch.Top(file, query, 10, threads: 3));
        Same(plain.Where(row => row.Row % 7 == 3).Take(10), ExactSearch.Top(file, query, 10, filter: row => row % 7 == 3));
        long[] some = [.. plain.Select(row => row.Row).Where(row => row % 5 == 1)];
        Same(plain.Where(row => row.Row % 5 == 1).Take(10), ExactSearch.Top(file, query, 10, some));
        Assert.Equal(3000, ExactSearch.Top(file, query, 5000).Count);
        var scores = ExactSearch.Scores(file, query);
        Assert.All(plain, row => Assert.Equal(row.Score, scores[row.Row], 1e-5));
    }

    [Fact]
    public unsafe void HalfPrecision_IsWidenedExactly()
    {
        // Each finite float16, one a row, times 1.
        using var file = VectorFile.Create(Path.Combine(Root, "all.bin"), 2);
        var values = Enumerable.Range(0, 65536).Select(bits => (float)BitConverter.UInt16BitsToHalf((ushort)bits))
            .Where(float.IsFinite).ToArray();
        foreach (var value in values) file.Append([value, value]);
        using var rows = file.Map();
        var (even, odd) = (new InnerProduct(2, VectorType.Half, [1, 0]), new InnerProduct(2, VectorType.Half, [0, 1]));
        for (var i = 0; i < values.Length; i++)
        {
            var row = rows.First + ((long)i * rows.Stride);
            Assert.Equal(values[i], even.Of(row));
            Assert.Equal(values[i], odd.Of(row));
            Assert.Equal(values[i], even.Narrow(row));
            Assert.Equal(values[i], odd.Narrow(row));
        }
    }

    [Fact]
    public void EqualScores_GiveTheLowerRows_OnAnyThreads()
    {
        using var file = VectorFile.Create(Path.Combine(Root, "equal.bin"), 4);
        for (var i = 0; i < 5000; i++) file.Append(i % 2 == 0 ? [1, 0, 0, 0] : [0, 1, 0, 0]);
        foreach (var threads in new[] { 1, 2, 4 })
            Assert.Equal([0L, 2, 4, 6, 8], ExactSearch.Top(file, [1, 0, 0, 0], 5, threads: threads).Select(row => row.Row));
    }

    [Fact]
    public void Distances_AreSummedFromDifferences()
    {
        // By inner products, 1000000.75 + 1000000 - 2 * 1000000.25 would be lost in float32.
        using var file = VectorFile.Create(Path.Combine(Root, "far.bin"), 2, VectorType.Single);
        for (var i = 0; i < 2000; i++) file.Append([1000, 1000 + (i % 1999 / 1024f)]);
        var found = ExactSearch.Top(file, new SquaredDistance([1000, 1000]), 4, start: 0);
        Assert.Equal([0L, 1999, 1, 2], found.Select(row => row.Row));
        Assert.Equal([0, 0, -1 / 1048576f, -4 / 1048576f], found.Select(row => row.Score));
        Assert.Equal([1999L], ExactSearch.Top(file, new SquaredDistance([1000, 1000]), 1, start: 3).Select(row => row.Row));
    }

    [Fact]
    public void Query_ThatCannotBe_IsRefused()
    {
        using var file = Filled(10, 8, VectorType.Half);
        Assert.Throws<ArgumentException>(() => ExactSearch.Top(file, new float[7], 1));
        Assert.Throws<ArgumentException>(() => ExactSearch.Top(file, [1, 2, 3, 4, 5, 6, 7, float.NaN], 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => ExactSearch.Top(file, new float[8], 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => ExactSearch.Top(file, new float[8], 1, [3L, 10]));
        Assert.Equal([0, 0, 0], ExactSearch.Top(file, new float[8], 3).Select(row => row.Score));
    }

    [Fact]
    public void Graph_FindsMostOfTheBest_AndScoresThemExactly()
    {
        using var file = Filled(4000, 32, VectorType.Half);
        file.Flush();
        Assert.Null(ApproximateIndex.TryOpen(file));
        using var built = ApproximateIndex.Build(file);
        Assert.Equal(4000, built.Rows);
        using var graph = ApproximateIndex.TryOpen(file)!;
        var found = 0;
        for (var i = 0; i < 50; i++)
        {
            var query = VectorFileTests.Vector(32, 100_000 + i);
            var exact = ExactSearch.Top(file, query, 10);
            var approximate = graph.Top(file, query, 10);
            found += approximate.Intersect(exact).Count();
            Assert.Equal(approximate, built.Top(file, query, 10));
        }

        Assert.True(found >= 490, $"{found} of 500");

        // Rows behind the graph are found all the same, and a second build takes them in.
        var row = file.Append(VectorFileTests.Vector(32, 1_000_000));
        Assert.Equal(row, graph.Top(file, VectorFileTests.Vector(32, 1_000_000), 1)[0].Row);
        using var extended = ApproximateIndex.Build(file);
        Assert.Equal(4001, extended.Rows);
        Assert.Equal(row, extended.Top(file, VectorFileTests.Vector(32, 1_000_000), 1)[0].Row);
        extended.Dispose();
        Assert.Throws<ObjectDisposedException>(() => extended.Top(file, VectorFileTests.Vector(32, 1), 1));
    }

    [Fact]
    public void Graph_ThatIsDamagedOrOfOtherVectors_IsNotOpened()
    {
        using (var file = Filled(50, 8, VectorType.Half))
        {
            ApproximateIndex.Build(file).Dispose();
            file.Flush();
            using (var graph = ApproximateIndex.TryOpen(file)) Assert.NotNull(graph);
            var path = ApproximateIndex.PathOf(file.Path);
            var bytes = File.ReadAllBytes(path);
            foreach (var (offset, value) in new[] { (0, (byte)9), (bytes.Length / 2, (byte)0xff), (bytes.Length - 1, (byte)0xfe) })
            {
                var damaged = bytes.ToArray();
                damaged[offset] ^= value;
                File.WriteAllBytes(path, damaged);
                File.SetLastWriteTimeUtc(path, new DateTime(2020, 1, 1, 0, 0, 0, DateTimeKind.Utc));
                Assert.Null(ApproximateIndex.TryOpen(file));
            }

            File.WriteAllBytes(path, bytes[..^10]);
            Assert.Null(ApproximateIndex.TryOpen(file));

            // A copy of another time is hashed, and opened.
            File.WriteAllBytes(path, bytes);
            File.SetLastWriteTimeUtc(path, new DateTime(2021, 1, 1, 0, 0, 0, DateTimeKind.Utc));
            using (var graph = ApproximateIndex.TryOpen(file)) Assert.NotNull(graph);
        }

        using var fewer = VectorFile.Create(Path.Combine(Root, "vectors.bin"), 8);
        fewer.Append(VectorFileTests.Vector(8, 1));
        Assert.Null(ApproximateIndex.TryOpen(fewer));
    }

    private static void Same(IEnumerable<ScoredRow> expected, IEnumerable<ScoredRow> actual)
    {
        var (a, b) = (expected.ToArray(), actual.ToArray());
        Assert.Equal(a.Select(row => row.Row), b.Select(row => row.Row));
        Assert.All(a.Zip(b), pair => Assert.Equal(pair.First.Score, pair.Second.Score, 1e-5));
    }

    private static ScoredRow[] Plain(VectorFile file, float[] query) => [.. Enumerable.Range(0, (int)file.Count).Select(i =>
    {
        var row = new float[query.Length];
        file.Row(i, row);
        return new ScoredRow(i, (float)row.Zip(query, (x, y) => (double)x * y).Sum());
    })];

    private VectorFile Filled(int rows, int width, VectorType type)
    {
        var file = VectorFile.Create(Path.Combine(Root, "vectors.bin"), width, type);
        for (var i = 0; i < rows; i++) file.Append(VectorFileTests.Vector(width, i));
        return file;
    }
}
