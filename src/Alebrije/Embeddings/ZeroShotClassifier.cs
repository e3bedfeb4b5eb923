namespace Alebrije.Embeddings;

/// <summary>
/// A classifier made of texts: the class embedding is the mean of its unit-length prompt embeddings, normalised (Radford et al.,
/// 2021, §3.1.4). Immutable and thread-safe.
/// </summary>
public sealed class ZeroShotClassifier
{
    private const string Place = "{}";
    private readonly IReadOnlyList<float[]> against;

    private ZeroShotClassifier(IReadOnlyList<string> labels, IReadOnlyList<float[]> weights, IReadOnlyList<float[]> against) =>
        (Labels, Weights, this.against) = (labels, weights, against);

    /// <summary>Names of the classes.</summary>
    public IReadOnlyList<string> Labels { get; }

    /// <summary>[labels][width], unit length.</summary>
    public IReadOnlyList<float[]> Weights { get; }

    /// <summary>True if each class has an opposite text, so that it can be judged independently.</summary>
    public bool HasContrast => against.Count > 0;

    /// <summary>Embeds every label in every template.</summary>
    /// <param name="labels">At least one, none empty, none twice.</param>
    /// <param name="templates">At least one, each with <c>{}</c> where the label goes.</param>
    /// <param name="embed">Texts to embeddings of unit length; called once.</param>
    /// <param name="contrast">Templates of the opposite, such as <c>a photo without a {}.</c>, or texts without a placeholder, for every
    /// label; or null.</param>
    /// <exception cref="ArgumentException">Labels or templates that cannot be used; the message names them.</exception>
    public static ZeroShotClassifier Create(
        IReadOnlyList<string> labels, IReadOnlyList<string> templates,
        Func<IReadOnlyList<string>, float[][]> embed, IReadOnlyList<string>? contrast = null)
    {
        ArgumentNullException.ThrowIfNull(labels);
        if (labels.GroupBy(label => label, StringComparer.Ordinal).FirstOrDefault(group => group.Count() > 1) is { } twice)
            throw new ArgumentException($"The label '{twice.Key}' occurs twice; each class needs a different name.", nameof(labels));
        return Create([.. labels.Select(label => (IReadOnlyList<string>)[label])], templates, embed, contrast);
    }

    /// <summary>Embeds every name of every class in every template.</summary>
    /// <param name="names">[classes][names]; the first is the class's label. At least one class, no name empty.</param>
    /// <param name="templates">At least one, each with <c>{}</c> where the name goes.</param>
    /// <param name="embed">Texts to embeddings of unit length; called once.</param>
    /// <param name="contrast">Templates of the opposite, or texts without a place, which stand against every class; or null.</param>
    /// <exception cref="ArgumentException">Names or templates that cannot be used; the message names them.</exception>
    public static ZeroShotClassifier Create(
        IReadOnlyList<IReadOnlyList<string>> names, IReadOnlyList<string> templates,
        Func<IReadOnlyList<string>, float[][]> embed, IReadOnlyList<string>? contrast = null)
    {
        ArgumentNullException.ThrowIfNull(names);
        ArgumentNullException.ThrowIfNull(templates);
        ArgumentNullException.ThrowIfNull(embed);
        if (names.Count == 0) throw new ArgumentException("There are no labels to choose from; give at least one.", nameof(names));
        if (names.Any(all => all.Count == 0 || all.Any(string.IsNullOrWhiteSpace)))
            throw new ArgumentException("A label is empty; each class needs a name.", nameof(names));
        Check(templates);
        var negative = contrast ?? [];
        if (contrast?.FirstOrDefault(string.IsNullOrWhiteSpace) is not null)
            throw new ArgumentException("The opposite of the labels is empty; write one such as \"a photo without a {}\".",
                nameof(contrast));

        var texts = new List<string>();
        var parts = names.SelectMany(all => new[] { Fill(all, templates), Fill(all, negative) }).ToArray();
        var embedded = embed(texts);
        var means = parts.Select(part => part.Length == 0 ? [] : Mean(embedded.AsSpan(part.Start, part.Length))).ToArray();
        return new ZeroShotClassifier(
            [.. names.Select(all => all[0])], [.. means.Where((_, i) => i % 2 == 0)],
            negative.Count == 0 ? [] : [.. means.Where((_, i) => i % 2 == 1)]);

        (int Start, int Length) Fill(IReadOnlyList<string> all, IReadOnlyList<string> sentences)
        {
            var start = texts.Count;
            foreach (var name in all) texts.AddRange(sentences.Select(sentence => sentence.Replace(Place, name, StringComparison.Ordinal)));
            return (start, texts.Count - start);
        }

        static void Check(IReadOnlyList<string> given)
        {
            if (given.Count == 0) throw new ArgumentException("There are no templates; {} alone is the label as it is.");
            if (given.FirstOrDefault(template => !template.Contains(Place, StringComparison.Ordinal)) is { } bad)
                throw new ArgumentException($"The template '{bad}' has no {{}}; that is where the label goes.");
        }
    }

    /// <summary>Cosine similarities of an image and each class.</summary>
    /// <param name="image">[width]</param>
    /// <returns>[labels], cosines</returns>
    public double[] Cosines(float[] image) => [.. Weights.Select(weight => Vectors.Cosine(image, weight))];

    /// <summary>For each class by itself, how probable it is against its opposite: several may hold, or none.</summary>
    /// <param name="image">[width]</param>
    /// <param name="scale">Logit scale.</param>
    /// <returns>[labels], each in [0, 1]</returns>
    /// <exception cref="InvalidOperationException">The classifier was made without opposites.</exception>
    public double[] Contrast(float[] image, double scale) => HasContrast
        ? [.. Weights.Select((weight, i) => ZeroShot.Softmax([Vectors.Cosine(image, weight), Vectors.Cosine(image, against[i])], scale)[0])]
        : throw new InvalidOperationException("This classifier has no opposites of its classes; create it with contrast templates.");

    /// <summary>
    /// For each class, the image's cosine with it minus that with its opposite: <see cref="Contrast"/> is a sigmoid of this, which
    /// still discriminates if probabilities are all near 1.
    /// </summary>
    /// <param name="image">[width]</param>
    /// <returns>[labels], differences of cosines, each in [-2, 2]</returns>
    /// <exception cref="InvalidOperationException">The classifier was made without opposites.</exception>
    public double[] Margins(float[] image) => HasContrast
        ? [.. Weights.Select((weight, i) => Vectors.Cosine(image, weight) - Vectors.Cosine(image, against[i]))]
        : throw new InvalidOperationException("This classifier has no opposites of its classes; create it with contrast templates.");

    /// <summary>
    /// The logit scale that maximises the likelihood of the right labels (Guo et al., 2017, temperature scaling), by golden-section
    /// search over its logarithm: the loss has one minimum.
    /// </summary>
    /// <param name="cosines">[images][labels]</param>
    /// <param name="right">[images]: index of the right label.</param>
    /// <returns>Between 0.01 and 10,000.</returns>
    /// <exception cref="ArgumentException">No images, or different numbers.</exception>
    public static double FitScale(IReadOnlyList<double[]> cosines, IReadOnlyList<int> right)
    {
        ArgumentNullException.ThrowIfNull(cosines);
        ArgumentNullException.ThrowIfNull(right);
        if (cosines.Count == 0 || cosines.Count != right.Count)
            throw new ArgumentException(
                $"A temperature is fitted on labelled images; there are {cosines.Count} images and {right.Count} labels.");
        var golden = (Math.Sqrt(5) - 1) / 2;
        var (low, high) = (Math.Log(0.01), Math.Log(10_000));
        var (a, b) = (high - (golden * (high - low)), low + (golden * (high - low)));
        var (lossA, lossB) = (Loss(a), Loss(b));
        for (var i = 0; i < 60; i++)
        {
            if (lossA <= lossB) (high, b, lossB, a) = (b, a, lossA, b - (golden * (b - low)));
            else (low, a, lossA, b) = (a, b, lossB, a + (golden * (high - a)));
            if (lossA <= lossB && a < b) lossA = Loss(a);
            (lossA, lossB) = (Loss(a), Loss(b));
        }

        return Math.Exp((low + high) / 2);

        double Loss(double logarithm) =>
            cosines.Select((row, i) => LogSum(row, Math.Exp(logarithm)) - (Math.Exp(logarithm) * row[right[i]])).Average();
    }

    private static double LogSum(double[] row, double scale)
    {
        var largest = row.Max() * scale;
        return largest + Math.Log(row.Sum(value => Math.Exp((scale * value) - largest)));
    }

    private static float[] Mean(ReadOnlySpan<float[]> rows)
    {
        var sum = new double[rows[0].Length];
        foreach (var row in rows)
        {
            var norm = Math.Sqrt(row.Sum(x => (double)x * x));
            for (var i = 0; i < sum.Length; i++) sum[i] += row[i] / norm;
        }

        var length = Math.Sqrt(sum.Sum(x => x * x));
        return [.. sum.Select(x => (float)(length > 0 ? x / length : 0))];
    }
}
