using System.Globalization;
using Alebrije.Embeddings;
using Alebrije.Pipelines;
using Alebrije.Pipelines.Priors;
using Alebrije.Preprocessing.Imaging;

namespace Alebrije.Evaluation;

/// <summary>
/// Comparison of priors by generated images: the same prompts and decoder noise, with each prior's embedding and the true embedding.
/// Unlike cosines, zero-shot accuracy on these images measures the use of an embedding to the decoder.
/// </summary>
internal sealed class PriorGallery(TextToPictures painter, PictureJudge judge, EvaluationScenes scenes, PictureSheets sheets)
{
    /// <summary>Name of the sheet.</summary>
    public const string SheetName = "priors";

    private const int Rows = 8;
    private const string TrueEmbedding = "true embedding";

    /// <summary>Adds <c>drawn_top1</c> and <c>drawn_top5</c>, zero-shot accuracies on its images, to each prior's group.</summary>
    /// <param name="metrics">The priors' groups; <c>none</c> is added to <c>text_as_is</c>, true embeddings to a separate group.</param>
    /// <param name="count">Prompts of single core concepts, in both languages.</param>
    /// <param name="progress">Called after each batch with the activity, the count done and the total.</param>
    public void Measure(MetricGroup metrics, int count, Action<string, int, int>? progress = null)
    {
        var prompts = scenes.Prompts(EvaluationScenes.CoreSingles, count);
        var truth = prompts.Select(prompt => scenes.Picture(prompt.Scene, EvaluationScenes.SideFor(painter.Size))).ToArray();
        var columns = new List<(string Name, RgbImage[] Pictures, PictureAnswer[] Answers, float[][] Embeddings)>();
        foreach (var kind in painter.Priors)
        {
            var column = Draw(PriorNames.Of(kind), painter.By(kind));
            Add(kind == PriorKind.None ? PriorEvaluation.TextAsIs : PriorEvaluation.NameOf(kind), column.Answers);
            columns.Add(column);
        }

        columns.Add(Draw(TrueEmbedding, painter.Of(truth)));
        Add("true_embedding", columns[^1].Answers);

        var trueEmbeddings = columns[^1].Embeddings;
        var asked = judge.Ask(truth);
        var cells = Enumerable.Range(0, Math.Min(Rows, count)).SelectMany(i => columns
            .Select(column => (column.Pictures[i], string.Create(CultureInfo.InvariantCulture,
                $"{column.Name} {Vectors.Cosine(column.Embeddings[i], trueEmbeddings[i]):F2} [{judge.NamesOf(column.Answers[i], 1)}]")))
            .Prepend((truth[i], $"{prompts[i].Prompt} [{judge.NamesOf(asked[i], 1)}]"))).ToArray();
        sheets.Save(SheetName, "Scene, then images of its caption by prior: cosine to the true embedding [predicted by CLIP]",
            columns.Count + 1, cells, cells.Length);

        void Add(string name, PictureAnswer[] answers)
        {
            if (!metrics.Groups.TryGetValue(name, out var group)) metrics.Add(name, group = new MetricGroup());
            group.Add("drawn_top1", PictureJudge.Named(prompts, answers, 1));
            group.Add("drawn_top5", PictureJudge.Named(prompts, answers, 5));
        }

        (string Name, RgbImage[] Pictures, PictureAnswer[] Answers, float[][] Embeddings) Draw(string name, EmbeddingSource source)
        {
            var embeddings = new List<float[]>();
            EmbeddingSource kept = (text, first, noise) =>
            {
                var drawn = source(text, first, noise);
                embeddings.AddRange(JointSpace.Rows(drawn));
                return drawn;
            };
            var pictures = painter.Draw([.. prompts.Select(p => p.Prompt)],
                kept, done => progress?.Invoke($"drawing by {name}", done, count));
            return (name, pictures, judge.Ask(pictures), [.. embeddings]);
        }
    }
}
