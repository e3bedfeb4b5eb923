using Alebrije.Datasets;
using Alebrije.Embeddings;

namespace Alebrije.Evaluation;

/// <summary>
/// Alignment of texts and images: zero-shot naming of one object among all concepts (Radford et al., 2021, §3.1), retrieval of a
/// caption's scene among a hundred, and the modality gap (Liang et al., 2022).
/// </summary>
internal static class ClipEvaluation
{
    /// <summary>
    /// <c>zero_shot_top1</c> and <c>zero_shot_top5</c>, <c>retrieval_r1</c> (captions as in training, some incomplete) and
    /// <c>retrieval_r1_complete</c> (complete captions), each for <c>_en</c> and <c>_es</c>, and <c>modality_gap</c>.
    /// </summary>
    /// <param name="space">The encoders.</param>
    /// <param name="scenes">The world.</param>
    /// <param name="singles">Number of scenes of one object.</param>
    /// <param name="pairs">Number of scenes for retrieval, at least a hundred.</param>
    /// <param name="draws">Number of draws of a hundred scenes; retrieval is their average.</param>
    /// <param name="progress">Called after each batch with the activity, the count done and the total.</param>
    public static MetricGroup Measure(JointSpace space, EvaluationScenes scenes,
        int singles, int pairs, int draws = 10, Action<string, int, int>? progress = null)
    {
        var metrics = new MetricGroup();
        var single = scenes.Draw(EvaluationScenes.Singles, singles);
        var pictures = space.Images(single.Select(scene => scenes.Picture(scene)),
            done => progress?.Invoke("naming single objects", done, singles));
        var right = single.Select(scene => scene.Objects[0].Concept.Index).ToArray();
        foreach (var language in Enum.GetValues<Language>())
        {
            var names = space.Texts(scenes.World.Concepts.Select(concept => concept.Label(language)));
            var scores = JointSpace.Cosines(pictures, names);
            metrics.Add($"zero_shot_top1_{language.Code()}", ZeroShot.TopAccuracy(scores, right));
            metrics.Add($"zero_shot_top5_{language.Code()}", ZeroShot.TopAccuracy(scores, right, 5));
        }

        var some = scenes.Draw(EvaluationScenes.Mixture, pairs);
        var shown = space.Images(some.Select(scene => scenes.Picture(scene)), done => progress?.Invoke("finding scenes", done, pairs));
        var captions = new List<float[]>();
        foreach (var language in Enum.GetValues<Language>())
        {
            var texts = space.Texts(some.Select(scene => scenes.World.Caption(scene, language)));
            metrics.Add($"retrieval_r1_{language.Code()}", Recall(texts, shown, draws, scenes.Seed));
            captions.AddRange(texts);
        }

        foreach (var language in Enum.GetValues<Language>())
        {
            var texts = space.Texts(some.Select(scene => scenes.World.Caption(scene, language, CaptionOptions.Complete)));
            metrics.Add($"retrieval_r1_complete_{language.Code()}", Recall(texts, shown, draws, scenes.Seed));
        }

        metrics.Add("modality_gap", ModalityGap.Between(shown, captions, unchecked((int)scenes.Seed)));
        return metrics;
    }

    private static Figure Recall(float[][] texts, float[][] pictures, int draws, ulong seed) =>
        Retrieval.RecallAt1(texts, pictures, EvaluationSizes.Candidates, draws, unchecked((int)seed));
}
