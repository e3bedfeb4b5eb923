using System.Numerics.Tensors;
using Alebrije.Embeddings;
using Alebrije.Pipelines;
using Alebrije.Search.Vectors;

namespace Alebrije.Search;

/// <summary>Background texts of a model, embedded once and kept next to the index.</summary>
internal static class BackgroundTexts
{
    private const int Count = 512;

    /// <summary>Names and sentences about everyday subjects: classes of ImageNet, alone and in its templates.</summary>
    public static IReadOnlyList<string> All { get; } = Chosen();

    /// <summary>Embeddings of the texts, from the folder of the index where it has them.</summary>
    /// <returns>[texts][dimensions]</returns>
    public static float[][] Embed(ClipModel model, string folder, IndexedSpace space, CancellationToken cancellation)
    {
        var path = Path.Combine(folder, $"background-{space.Weights}.bin");
        if (Read(path, space.Dimensions) is { } known) return known;
        var rows = model.EmbedTexts(All, null, cancellation);
        var part = $"{path}.{Environment.ProcessId}";
        try
        {
            using (var file = VectorFile.Create(part, space.Dimensions, VectorType.Single))
            {
                foreach (var row in rows) file.Append(row);
                file.Flush();
            }

            File.Move(part, path, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // An index that may only be read is searched all the same.
        }

        return rows;
    }

    private static float[][]? Read(string path, int width)
    {
        if (!File.Exists(path)) return null;
        try
        {
            using var file = VectorFile.Open(path);
            if (file.Width != width || file.Count != All.Count) return null;
            var rows = All.Select(_ => new float[width]).ToArray();
            for (var i = 0; i < rows.Length; i++) file.Row(i, rows[i]);
            return rows;
        }
        catch (Exception e) when (e is IOException or InvalidDataException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static string[] Chosen()
    {
        var (set, templates) = (ZeroShotSet.Find("ImageNet"), ZeroShotSet.ImageNet7);
        var names = set.Classes.Distinct(StringComparer.Ordinal).ToArray();
        return [.. Enumerable.Range(0, Count).Select(i => names[i * names.Length / Count]).Select((name, i) =>
            i % 2 == 0 ? name : templates[i / 2 % templates.Count].Replace("{}", name, StringComparison.Ordinal))];
    }
}

/// <summary>
/// Scale from scores to relevance. A score is compared with those that unrelated queries of the same make reach: texts from a background
/// bank, images from the index. Each image's scores are normalised by their mean and standard deviation over the bank (as in speaker
/// verification, Auckenthaler et al., 2000, §3), and the relevance of a score is the share of normalised bank scores below it.
/// </summary>
internal sealed class RelevanceScale
{
    private const int Queries = 512, LeastImages = 2;

    /// <summary>Cosine above which an image of the bank is the compared image itself, or a copy.</summary>
    private const float SameImage = 0.995f;

    private readonly float[][] unrelated;
    private readonly float[] sorted;

    private RelevanceScale(float[][] unrelated, float[][] images)
    {
        this.unrelated = unrelated;
        var all = new List<float>(unrelated.Length * images.Length);
        foreach (var image in images)
        {
            var (scores, mean, spread) = Scores(image);
            foreach (var score in scores) all.Add((score - mean) / spread);
        }

        sorted = [.. all];
        Array.Sort(sorted);
    }

    /// <summary>The scale of a query; null where there are too few images to compare with.</summary>
    /// <param name="query">The query; its bank has a text for each text and an image for each image, with the same weights.</param>
    /// <param name="texts">[texts][dimensions], unit length.</param>
    /// <param name="images">[images][dimensions], unit length: a sample of the index.</param>
    public static RelevanceScale? Create(SearchQuery query, float[][] texts, float[][] images)
    {
        if (images.Length < LeastImages || texts.Length == 0) return null;
        var count = query.Parts.All(part => part.IsImage) ? images.Length : Queries;
        return new RelevanceScale([.. Enumerable.Range(0, count).Select(Query)], images);

        float[] Query(int number)
        {
            var sum = new float[images[0].Length];
            foreach (var (i, part) in query.Parts.Index())
            {
                // Different steps, so that two parts of one query are different texts.
                var bank = part.IsImage ? images : texts;
                TensorPrimitives.MultiplyAdd(bank[(number + (i * 37)) % bank.Length], (float)part.Weight, sum, sum);
            }

            var length = TensorPrimitives.Norm(sum);
            if (length > 0) TensorPrimitives.Divide(sum, length, sum);
            return sum;
        }
    }

    /// <summary>Relevance of an image, 0 to 1.</summary>
    /// <param name="image">[dimensions], unit length.</param>
    /// <param name="score">Its cosine with the query.</param>
    public double Of(float[] image, double score)
    {
        var (_, mean, spread) = Scores(image);
        var place = Array.BinarySearch(sorted, (float)((score - mean) / spread));
        return (double)(place < 0 ? ~place : place) / sorted.Length;
    }

    private (List<float> Scores, float Mean, float Spread) Scores(float[] image)
    {
        var scores = new List<float>(unrelated.Length);
        foreach (var query in unrelated)
            if (TensorPrimitives.Dot(query, image) is < SameImage and var score) scores.Add(score);
        if (scores.Count == 0) return (scores, 0, 1);
        var mean = scores.Average();
        return (scores, mean, MathF.Max(1e-4f, MathF.Sqrt(scores.Average(score => (score - mean) * (score - mean)))));
    }
}
