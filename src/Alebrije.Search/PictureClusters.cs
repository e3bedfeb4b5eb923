using System.Numerics.Tensors;
using Alebrije.Pipelines;
using Alebrije.Search.Vectors;

namespace Alebrije.Search;

/// <summary>Options of a clustering.</summary>
public sealed record ClusterOptions
{
    /// <summary>Number of clusters; 0 takes the square root of half the number of images, 2 to 24.</summary>
    public int Count { get; init; }

    /// <summary>Texts of which the nearest names a cluster.</summary>
    public IReadOnlyList<string> Names { get; init; } = [];

    /// <summary>Restriction to some images.</summary>
    public SearchFilter Filter { get; init; } = new();

    /// <summary>Seed of the first centres.</summary>
    public int Seed { get; init; }
}

/// <summary>
/// Groups of images by subject: spherical k-means (Dhillon and Modha, 2001) from k-means++ centres, named by the nearest text.
/// </summary>
public static class PictureClusters
{
    private const int Rounds = 30, MostSamples = 20_000, MostClusters = 24;

    /// <summary>Clusters the images of an index.</summary>
    /// <returns>The largest cluster first; each from its centre outwards. None without images.</returns>
    public static IReadOnlyList<PictureGroup> Find(PictureIndex index, ClipModel model, ClusterOptions options,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(index);
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(options);
        var names = options.Names.Count == 0 ? [] : model.EmbedTexts(options.Names, null, cancellation);
        return index.Read(model, (space, vectors) => Find(IndexItems.In(index.Database, space.Id, options.Filter), vectors,
            space.Dimensions, options, names, cancellation));
    }

    private static IReadOnlyList<PictureGroup> Find(List<IndexedPicture> pictures, VectorFile vectors, int width, ClusterOptions options,
        float[][] names, CancellationToken cancellation)
    {
        if (pictures.Count == 0) return [];
        var random = new Random(options.Seed);
        var count = Math.Min(pictures.Count, options.Count > 0 ? options.Count
            : Math.Clamp((int)Math.Round(Math.Sqrt(pictures.Count / 2.0)), 2, MostClusters));
        var sample = pictures.Count <= MostSamples ? [.. pictures]
            : pictures.OrderBy(_ => random.Next()).Take(MostSamples).ToArray();
        var centres = Centres([.. sample.Select(picture => Row(picture))], count, random, cancellation);

        var members = centres.Select(_ => new List<(IndexedPicture Picture, float Cosine)>()).ToArray();
        var mean = new float[width];
        foreach (var picture in pictures)
        {
            var row = Row(picture);
            TensorPrimitives.Add(mean, row, mean);
            var (nearest, cosine) = Nearest(centres, row);
            members[nearest].Add((picture, cosine));
        }

        TensorPrimitives.Divide(mean, pictures.Count, mean);
        var named = Names(centres, mean, options.Names, names);
        return [.. members.Index().Where(pair => pair.Item.Count > 0).OrderByDescending(pair => pair.Item.Count)
            .Select(pair => new PictureGroup(GroupKind.Cluster, [.. pair.Item.OrderByDescending(one => one.Cosine)
                .ThenBy(one => one.Picture.File, StringComparer.Ordinal).Select(one => one.Picture)],
                named[pair.Index], pair.Item.Min(one => one.Cosine)))];

        float[] Row(IndexedPicture picture)
        {
            var row = new float[width];
            vectors.Row(picture.Row, row);
            return row;
        }
    }

    /// <summary>Centres of unit length.</summary>
    internal static float[][] Centres(float[][] rows, int count, Random random, CancellationToken cancellation)
    {
        var centres = new List<float[]> { rows[random.Next(rows.Length)] };
        var distance = rows.Select(row => 1 - TensorPrimitives.Dot(row, centres[0])).ToArray();
        while (centres.Count < count)
        {
            var aim = random.NextDouble() * distance.Sum(d => (double)Math.Max(0, d));
            var chosen = 0;
            for (; chosen < rows.Length - 1 && (aim -= Math.Max(0, distance[chosen])) > 0; chosen++) { }
            centres.Add(rows[chosen]);
            for (var i = 0; i < rows.Length; i++)
                distance[i] = Math.Min(distance[i], 1 - TensorPrimitives.Dot(rows[i], rows[chosen]));
        }

        var (found, assigned) = (centres.ToArray(), new int[rows.Length]);
        for (var round = 0; round < Rounds; round++)
        {
            cancellation.ThrowIfCancellationRequested();
            var changed = 0;
            Parallel.For(0, rows.Length, i =>
            {
                var (nearest, _) = Nearest(found, rows[i]);
                if (assigned[i] != nearest || round == 0) Interlocked.Increment(ref changed);
                assigned[i] = nearest;
            });
            if (changed == 0) break;
            var sums = found.Select(row => new float[row.Length]).ToArray();
            for (var i = 0; i < rows.Length; i++) TensorPrimitives.Add(sums[assigned[i]], rows[i], sums[assigned[i]]);
            for (var c = 0; c < sums.Length; c++)
                if (TensorPrimitives.Norm(sums[c]) is > 0 and var norm) TensorPrimitives.Divide(sums[c], norm, found[c] = sums[c]);
        }

        return found;
    }

    private static (int Index, float Cosine) Nearest(float[][] centres, float[] row)
    {
        var (best, cosine) = (0, float.MinValue);
        for (var c = 0; c < centres.Length; c++)
            if (TensorPrimitives.Dot(centres[c], row) is var found && found > cosine) (best, cosine) = (c, found);
        return (best, cosine);
    }

    /// <summary>
    /// The text nearest to each centre, both seen from the mean of their kind: texts and images lie apart in the space of CLIP, and a
    /// plain cosine would name many clusters by one general text. No name is given twice while there are others.
    /// </summary>
    private static string?[] Names(float[][] centres, float[] mean, IReadOnlyList<string> names, float[][] embedded)
    {
        var named = new string?[centres.Length];
        if (embedded.Length == 0) return named;
        var ofTexts = new float[mean.Length];
        foreach (var row in embedded) TensorPrimitives.Add(ofTexts, row, ofTexts);
        TensorPrimitives.Divide(ofTexts, embedded.Length, ofTexts);
        var pairs = Enumerable.Range(0, centres.Length).SelectMany(c => Enumerable.Range(0, embedded.Length).Select(t =>
            (Centre: c, Text: t,
                Cosine: Cosine(Minus(centres[c], mean), embedded.Length < 2 ? embedded[t] : Minus(embedded[t], ofTexts)))));
        var free = new HashSet<int>(Enumerable.Range(0, embedded.Length));
        foreach (var (centre, text, _) in pairs.OrderByDescending(pair => pair.Cosine).ToArray())
            if (named[centre] is null && (free.Remove(text) || free.Count == 0)) named[centre] = names[text];
        return named;

        static float[] Minus(float[] row, float[] middle)
        {
            var difference = new float[row.Length];
            TensorPrimitives.Subtract(row, middle, difference);
            return difference;
        }

        static float Cosine(float[] a, float[] b) =>
            TensorPrimitives.Norm(a) is var length && length * TensorPrimitives.Norm(b) is > 0 and var both
                ? TensorPrimitives.Dot(a, b) / both : 0;
    }
}
