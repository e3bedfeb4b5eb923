using Alebrije.Preprocessing;

namespace Alebrije.Embeddings;

/// <summary>Zero-shot classification: an image takes the label of the nearest text embedding (Radford et al., 2021, §3.1.2).</summary>
public static class ZeroShot
{
    /// <summary>Softmax of <paramref name="scale"/> × cosine, shifted by the largest so that nothing overflows.</summary>
    /// <param name="cosine">[labels], finite.</param>
    /// <param name="scale">Logit scale; CLIP's is 100.</param>
    /// <returns>[labels], in [0, 1], sums to 1</returns>
    /// <exception cref="ArgumentException">No numbers, or one that is not finite.</exception>
    public static double[] Softmax(IReadOnlyList<double> cosine, double scale = 100)
    {
        ArgumentNullException.ThrowIfNull(cosine);
        if (cosine.Count == 0) throw new ArgumentException("A softmax needs at least one number.", nameof(cosine));
        var largest = double.NegativeInfinity;
        foreach (var value in cosine)
        {
            if (!double.IsFinite(value))
                throw new ArgumentException($"A softmax over {value} has no meaning; all values must be finite.", nameof(cosine));
            largest = Math.Max(largest, scale * value);
        }

        var exponentials = new double[cosine.Count];
        double sum = 0;
        for (var i = 0; i < exponentials.Length; i++) sum += exponentials[i] = Math.Exp(scale * cosine[i] - largest);
        for (var i = 0; i < exponentials.Length; i++) exponentials[i] /= sum;
        return exponentials;
    }

    /// <summary>Indices of the <paramref name="count"/> largest scores, best first; of equal scores the earlier one leads.</summary>
    /// <param name="scores">[labels]</param>
    /// <param name="count">At least 1; more than there are labels gives all.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="count"/> is below 1.</exception>
    public static int[] TopK(IReadOnlyList<double> scores, int count)
    {
        ArgumentNullException.ThrowIfNull(scores);
        if (count < 1) throw new ArgumentOutOfRangeException(nameof(count), $"The count is {count}, but must be at least 1.");
        return [.. Enumerable.Range(0, scores.Count).OrderByDescending(i => scores[i]).Take(count)];
    }

    /// <summary>Share of rows whose right label is among the best <paramref name="count"/>, with its interval.</summary>
    /// <param name="scores">[images][labels]: cosines or probabilities.</param>
    /// <param name="right">[images]: index of the right label.</param>
    /// <param name="count">1 for accuracy, 5 for top-5.</param>
    /// <remarks>Ties count against the model: a label equal to the right one is taken to stand before it.</remarks>
    /// <exception cref="ArgumentException">Row counts that differ, a right label that does not exist, or no rows.</exception>
    public static Figure TopAccuracy(IReadOnlyList<double[]> scores, IReadOnlyList<int> right, int count = 1)
    {
        ArgumentNullException.ThrowIfNull(scores);
        ArgumentNullException.ThrowIfNull(right);
        if (scores.Count != right.Count)
            throw new ArgumentException($"{scores.Count} rows of scores but {right.Count} right labels; each row needs its own.");
        if (count < 1) throw new ArgumentOutOfRangeException(nameof(count), $"The count is {count}, but must be at least 1.");
        var hits = 0;
        for (var i = 0; i < scores.Count; i++)
        {
            var row = scores[i];
            if (right[i] < 0 || right[i] >= row.Length)
                throw new ArgumentException($"Row {i} names label {right[i]} as right; there are labels 0 to {row.Length - 1}.");
            var mine = row[right[i]];
            var before = -1; // the right label itself
            foreach (var score in row)
                if (!(score < mine)) before++;
            if (before < count && double.IsFinite(mine)) hits++;
        }

        return Figure.Proportion(hits, scores.Count);
    }
}

/// <summary>Text-to-image (or any paired) retrieval among a fixed number of candidates.</summary>
public static class Retrieval
{
    /// <summary>
    /// Recall at 1: share of queries whose own candidate has the highest cosine of its draw. Pairs are shuffled and cut into draws
    /// of <paramref name="among"/>, shuffled again when they run out; draws are disjoint while pairs last.
    /// </summary>
    /// <param name="queries">[pairs][width]</param>
    /// <param name="candidates">[pairs][width]; candidate i belongs to query i.</param>
    /// <param name="among">Candidates per draw, 1 to pairs.</param>
    /// <param name="draws">At least 1.</param>
    /// <param name="seed">The same seed gives the same draws.</param>
    /// <returns>Mean over the draws; Wilson's interval over the distinct queries that took part.</returns>
    /// <exception cref="ArgumentException">Different numbers or widths.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="among"/> or <paramref name="draws"/> out of range.</exception>
    public static Figure RecallAt1(
        IReadOnlyList<float[]> queries, IReadOnlyList<float[]> candidates, int among = 100, int draws = 10, int seed = 0)
    {
        Vectors.SameWidth(Vectors.Width(queries, "queries"), "queries", Vectors.Width(candidates, "candidates"), "candidates");
        if (queries.Count != candidates.Count)
            throw new ArgumentException($"{queries.Count} queries but {candidates.Count} candidates; they must come in pairs.");
        if (among < 1 || among > queries.Count)
            throw new ArgumentOutOfRangeException(nameof(among),
                $"The size of a draw is {among}, but must be between 1 and {queries.Count}, the number of pairs.");
        if (draws < 1) throw new ArgumentOutOfRangeException(nameof(draws), $"The number of draws is {draws}, but must be at least 1.");

        var random = new SeededRandom(seed);
        var order = random.Permutation(queries.Count);
        var (next, hits) = (0, 0);
        for (var draw = 0; draw < draws; draw++)
        {
            if (next + among > order.Length) (order, next) = (random.Permutation(queries.Count), 0);
            hits += Hits(queries, candidates, order.AsSpan(next, among));
            next += among;
        }

        var asked = (long)draws * among;
        var distinct = (int)Math.Min(asked, queries.Count);
        return Figure.Proportion((double)hits / asked * distinct, distinct);
    }

    private static int Hits(IReadOnlyList<float[]> queries, IReadOnlyList<float[]> candidates, ReadOnlySpan<int> draw)
    {
        var hits = 0;
        foreach (var query in draw)
        {
            var own = Vectors.Cosine(queries[query], candidates[query]);
            var best = true;
            foreach (var other in draw)
                if (other != query && Vectors.Cosine(queries[query], candidates[other]) >= own) { best = false; break; }
            if (best) hits++;
        }

        return hits;
    }
}

/// <summary>The gap between the two kinds of embeddings of a joint space (Liang et al., 2022, Mind the Gap, §2).</summary>
public static class ModalityGap
{
    private const int Resamples = 200;

    /// <summary>Euclidean distance between the mean image and the mean text embedding, with its bootstrap interval.</summary>
    /// <param name="images">[images][width], unit length.</param>
    /// <param name="texts">[texts][width], unit length.</param>
    /// <param name="seed">Seed of the resamples.</param>
    /// <remarks>As many texts as images are taken for pairs and resampled together, others separately.</remarks>
    /// <exception cref="ArgumentException">No rows or different widths.</exception>
    public static Figure Between(IReadOnlyList<float[]> images, IReadOnlyList<float[]> texts, int seed = 0)
    {
        Vectors.SameWidth(Vectors.Width(images, "images"), "images", Vectors.Width(texts, "texts"), "texts");
        var random = new SeededRandom(seed);
        var drawn = new double[Resamples];
        for (var r = 0; r < Resamples; r++)
        {
            var chosen = random.Sample(images.Count);
            drawn[r] = Distance(MeanOf(images, chosen), MeanOf(texts, texts.Count == images.Count ? chosen : random.Sample(texts.Count)));
        }

        var value = Distance(Vectors.Mean(images), Vectors.Mean(texts));
        return Figure.FromResamples(value, Math.Min(images.Count, texts.Count), drawn);
    }

    /// <summary>
    /// Share of the way from the mean text to the mean image embedding that the mean of <paramref name="outputs"/> covers: 0 at the
    /// texts, 1 at the images, measured along the line that joins them.
    /// </summary>
    /// <param name="outputs">[outputs][width]: a prior's outputs for the texts.</param>
    /// <param name="images">[images][width]</param>
    /// <param name="texts">[texts][width]</param>
    /// <exception cref="ArgumentException">Different widths, or means that coincide.</exception>
    public static double Closed(IReadOnlyList<float[]> outputs, IReadOnlyList<float[]> images, IReadOnlyList<float[]> texts)
    {
        var width = Vectors.Width(images, "images");
        Vectors.SameWidth(width, "images", Vectors.Width(texts, "texts"), "texts");
        Vectors.SameWidth(width, "images", Vectors.Width(outputs, "outputs"), "outputs");
        var (to, from, at) = (Vectors.Mean(images), Vectors.Mean(texts), Vectors.Mean(outputs));
        double along = 0, whole = 0;
        for (var j = 0; j < width; j++)
        {
            along += (at[j] - from[j]) * (to[j] - from[j]);
            whole += (to[j] - from[j]) * (to[j] - from[j]);
        }

        if (whole == 0) throw new ArgumentException("The mean image and the mean text embedding are equal: there is no gap to close.");
        return along / whole;
    }

    private static double[] MeanOf(IReadOnlyList<float[]> rows, int[] indices)
    {
        var mean = new double[rows[0].Length];
        foreach (var index in indices)
        {
            var row = rows[index];
            for (var j = 0; j < mean.Length; j++) mean[j] += row[j];
        }

        for (var j = 0; j < mean.Length; j++) mean[j] /= indices.Length;
        return mean;
    }

    private static double Distance(double[] a, double[] b) => System.Numerics.Tensors.TensorPrimitives.Distance<double>(a, b);
}
