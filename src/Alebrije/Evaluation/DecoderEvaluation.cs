using Alebrije.Datasets;
using Alebrije.Pipelines;
using Alebrije.Preprocessing.Imaging;

namespace Alebrije.Evaluation;

/// <summary>
/// Evaluation of images generated from text by the whole pipeline ("a lion on a red background", alternately English and Spanish; plain
/// style), by classifying them; the same prompts and noise with true embeddings and other priors; and the classification of true
/// images of the scenes.
/// </summary>
internal sealed class DecoderEvaluation(TextToPictures painter, PictureJudge judge, EvaluationScenes scenes, PictureSheets sheets)
{
    private const int Columns = 8;

    /// <summary>
    /// <c>concept_top1</c>, <c>concept_top5</c> and <c>colour</c> on core concepts, <c>concept_top1_all</c> on all, <c>pairs_both</c>,
    /// <c>pairs_both_in_windows</c> and <c>pairs_one_in_windows</c> on held-out pairs of core concepts, <c>from_true_embedding_top1</c>,
    /// <c>with_linear_top1</c> (if the model has a linear prior), <c>with_none_top1</c>, for models with a first guess
    /// <c>only_guess_top1</c> and <c>only_guess_pairs_*</c> (the regression baseline of diffusion), and
    /// <c>same_on_true_pictures</c>, whose own figure is its <c>concept_top1</c>.
    /// </summary>
    /// <param name="sizes">Sample sizes.</param>
    /// <param name="progress">Called after each batch with the activity, the count done and the total.</param>
    public MetricGroup Measure(EvaluationSizes sizes, Action<string, int, int>? progress = null)
    {
        var core = scenes.Prompts(EvaluationScenes.CoreSingles, sizes.Core);
        var all = scenes.Prompts(EvaluationScenes.PlainSingles, sizes.All);
        var duets = scenes.Prompts(EvaluationScenes.CoreDuets, sizes.Duets);
        var truth = core.Select(True).ToArray();
        var metrics = new MetricGroup();

        var answers = Draw("core", "core concepts", core, painter.By(PriorKind.Diffusion));
        metrics.Add("concept_top1", PictureJudge.Named(core, answers, 1));
        metrics.Add("concept_top5", PictureJudge.Named(core, answers, 5));
        metrics.Add("concept_top1_all", PictureJudge.Named(all, Draw("all", "all concepts", all, painter.By(PriorKind.Diffusion)), 1));
        metrics.Add("colour", PictureJudge.Coloured(core, answers));
        AddPairs(metrics, "decoder-pairs", "held-out pairs", DrawPictures("held-out pairs", duets, painter.By(PriorKind.Diffusion)));
        metrics.Add("from_true_embedding_top1",
            PictureJudge.Named(core, Draw("true-embedding", "core concepts from true image embeddings", core, painter.Of(truth)), 1));
        if (painter.Has(PriorKind.Linear))
            metrics.Add("with_linear_top1",
                PictureJudge.Named(core, Draw("linear", "core concepts by the linear prior", core, painter.By(PriorKind.Linear)), 1));
        metrics.Add("with_none_top1",
            PictureJudge.Named(core, Draw("none", "core concepts without a prior", core, painter.By(PriorKind.None)), 1));
        if (painter.HasGuess)
        {
            var guessed = Draw("guess", "core concepts by the first guess alone", core, painter.By(PriorKind.Diffusion), onlyGuess: true);
            metrics.Add("only_guess_top1", PictureJudge.Named(core, guessed, 1));
            const string Title = "held-out pairs by the first guess alone";
            var pairs = DrawPictures(Title, duets, painter.By(PriorKind.Diffusion), onlyGuess: true);
            AddPairs(metrics, "decoder-guess-pairs", Title, pairs, "only_guess_");
        }

        var ceiling = Ceiling(core, truth, all);
        AddPairs(ceiling, "true-pairs", "true images of the held-out pairs", [.. duets.Select(True)]);
        metrics.Add("same_on_true_pictures", ceiling);
        return metrics;

        PictureAnswer[] Draw(string name, string what, PromptedScene[] prompts, EmbeddingSource source, bool onlyGuess = false)
            => Ask($"decoder-{name}", what, prompts, DrawPictures(what, prompts, source, onlyGuess));

        RgbImage[] DrawPictures(string what, PromptedScene[] prompts, EmbeddingSource source, bool onlyGuess = false) =>
            painter.Draw([.. prompts.Select(p => p.Prompt)],
                source, done => progress?.Invoke($"drawing {what}", done, prompts.Length), onlyGuess);

        void AddPairs(MetricGroup group, string sheet, string title, RgbImage[] pictures, string prefix = "")
        {
            group.Add($"{prefix}pairs_both", PictureJudge.Both(duets, Ask(sheet, title, duets, pictures)));
            var found = judge.InWindows(pictures);
            group.Add($"{prefix}pairs_both_in_windows", PictureJudge.Found(duets, found, 2));
            group.Add($"{prefix}pairs_one_in_windows", PictureJudge.Found(duets, found, 1));
        }
    }

    private MetricGroup Ceiling(PromptedScene[] core, RgbImage[] truth, PromptedScene[] all)
    {
        var answers = Ask("true-core", "true images of the core concepts", core, truth);
        var ceiling = new MetricGroup { Own = PictureJudge.Named(core, answers, 1) };
        ceiling.Add("concept_top1", PictureJudge.Named(core, answers, 1));
        ceiling.Add("concept_top5", PictureJudge.Named(core, answers, 5));
        ceiling.Add("concept_top1_all", PictureJudge.Named(all, judge.Ask([.. all.Select(True)]), 1));
        ceiling.Add("colour", PictureJudge.Coloured(core, answers));
        return ceiling;
    }

    private PictureAnswer[] Ask(string sheet, string title, PromptedScene[] prompts, RgbImage[] pictures)
    {
        var answers = judge.Ask(pictures);
        sheets.Save(sheet, $"{title}: [concepts predicted by CLIP] prompt", Columns,
            [.. pictures.Select((picture, i) =>
                (picture, $"[{judge.NamesOf(answers[i], prompts[i].Scene.Objects.Count)}] {prompts[i].Prompt}"))]);
        return answers;
    }

    private RgbImage True(PromptedScene prompt) => scenes.Picture(prompt.Scene, EvaluationScenes.SideFor(painter.Size));
}

/// <summary>Result of generating one core concept a few times.</summary>
/// <param name="Name">Its English name.</param>
/// <param name="Emoji">Its emoji.</param>
/// <param name="Right">Number of images whose first name is this concept.</param>
/// <param name="Of">Number of images generated.</param>
/// <param name="TakenFor">Name given to the first wrong image; null if all are right.</param>
/// <param name="SpanishName">Its Spanish name; null in records without it.</param>
public sealed record DrawnConcept(string Name, string Emoji, int Right, int Of, string? TakenFor = null, string? SpanishName = null);

/// <summary>Generates and classifies images of single concepts.</summary>
internal sealed class ConceptSurvey(TextToPictures painter, PictureJudge judge, EvaluationScenes scenes)
{
    private const long First = 6_000_000;
    private const int MostPictures = 16;

    /// <param name="concepts">The concepts to draw.</param>
    /// <param name="pictures">Images per concept, 1 to 16, alternately in English and Spanish.</param>
    /// <param name="progress">Called after each batch with the activity, the count done and the total.</param>
    public IReadOnlyList<DrawnConcept> Draw(IReadOnlyList<Concept> concepts, int pictures, Action<string, int, int>? progress = null)
    {
        var prompts = concepts.SelectMany(concept => Enumerable.Range(0, pictures).Select(i => Prompt(concept, i))).ToArray();
        var drawn = painter.Draw([.. prompts.Select(p => p.Prompt)],
            painter.By(PriorKind.Diffusion), done => progress?.Invoke("drawing every core concept", done, prompts.Length));
        var named = judge.Ask(drawn).Chunk(pictures).ToArray();
        return [.. concepts.Select((concept, i) => new DrawnConcept(
            concept.Name(Language.English), concept.Emoji, named[i].Count(answer => answer.Best[0] == concept.Index), pictures,
            named[i].FirstOrDefault(answer => answer.Best[0] != concept.Index) is { } wrong ? judge.NamesOf(wrong, 1) : null,
            concept.Name(Language.Spanish)))];
    }

    private PromptedScene Prompt(Concept concept, int picture)
    {
        var scene = scenes.World.Scene(scenes.Seed, First + (concept.Index * MostPictures) + picture,
            EvaluationScenes.PlainSingles.Options with { Concepts = [concept] });
        return scenes.Prompt(scene, (concept.Index + picture) % 2 == 0 ? Language.English : Language.Spanish);
    }
}
