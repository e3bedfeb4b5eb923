using System.Diagnostics;
using Alebrije.Datasets;
using Alebrije.Embeddings;
using Alebrije.Pipelines.Flamingo;
using Alebrije.Preprocessing;

namespace Alebrije.Evaluation;

/// <summary>
/// Evaluation of a Flamingo on held-out scenes of <see cref="EmojiWorld"/>: captions, answers to questions, and a style of answer that
/// only examples show. Each figure has a 95 % interval; the same seed and count give the same figures.
/// </summary>
public static class FlamingoEvaluation
{
    private const int BatchSize = 16, Shots = 4, MostTokens = 28;
    private const uint StylePurpose = 0x7374796C;

    /// <summary>Evaluates captions and answers in both languages.</summary>
    /// <param name="model">The model. No other call may use it meanwhile.</param>
    /// <param name="world">The world of its training data.</param>
    /// <param name="options">Count and seed; null: the defaults. A figure has 30 % of <see cref="EvaluationOptions.Count"/> scenes.</param>
    /// <param name="cancellation">Stops between batches.</param>
    /// <exception cref="ArgumentException">An option is out of its range.</exception>
    public static EvaluationResult Run(
        FlamingoPipeline model, EmojiWorld world, EvaluationOptions? options = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(world);
        options ??= new EvaluationOptions();
        options.Check();
        var clock = Stopwatch.StartNew();
        var (scenes, count) = (new EvaluationScenes(world, options.Seed), EvaluationSizes.For(options.Count).Prior);
        var metrics = new MetricGroup();
        foreach (var language in Enum.GetValues<Language>())
        {
            metrics.Add(language.Code(), Measure(model, scenes, count, language, isWhole: true, (doing, done, of) =>
            {
                cancellation.ThrowIfCancellationRequested();
                options.OnProgress?.Invoke(new EvaluationProgress(EvaluationPart.Flamingo, doing, done, of));
            }));
        }

        return new EvaluationResult(model.Name, options.Seed, metrics, [], [], clock.Elapsed.TotalSeconds);
    }

    /// <summary>
    /// <c>object</c> and <c>color</c> of captions of one core concept, <c>count</c> of answers about several of one and
    /// <c>caption_count</c> of their captions, <c>both_objects</c> of held-out pairs; for a whole measurement also <c>object_all</c>
    /// (any concept), and answers in a held-out style after no example and after four (<c>style_0_shot</c>, <c>style_4_shot</c>).
    /// </summary>
    /// <param name="model">The model.</param>
    /// <param name="scenes">The world.</param>
    /// <param name="count">Scenes of each kind.</param>
    /// <param name="language">Language of captions, questions and answers.</param>
    /// <param name="isWhole">False measures the first figures alone.</param>
    /// <param name="progress">Called after each batch with the activity, the count done and the total.</param>
    internal static MetricGroup Measure(FlamingoPipeline model, EvaluationScenes scenes, int count, Language language, bool isWhole = false,
        Action<string, int, int>? progress = null)
    {
        var metrics = new MetricGroup();
        var lead = FlamingoPrompt.LeadOf(language.Code());
        var singles = scenes.Draw(EvaluationScenes.CoreSingles, count);
        var captions = Captions(singles, "captions");
        Share("object", singles, (scene, i) => Names(captions[i], scene.Objects[0].Concept, language));
        Share("color", singles, (scene, i) => ColourIn(captions[i], language) == scene.Background);
        var several = scenes.Draw(EvaluationScenes.CoreCounts, count);
        var answers = Answers("counting", several.Select(scene =>
            FlamingoPrompt.Ask(scenes.Picture(scene), SceneQuestions.HowMany(scene, language).Question)));
        Share("count", several, (scene, i) => answers[i] == SceneQuestions.HowMany(scene, language).Answer);
        var counted = Captions(several, "captions of several");
        Share("caption_count", several, (scene, i) => HasWord(counted[i], SceneQuestions.Number(scene.Count, language)));
        var duets = scenes.Draw(EvaluationScenes.CoreDuets, count);
        var both = Captions(duets, "captions of two objects");
        Share("both_objects", duets, (scene, i) => scene.Objects.All(o => Names(both[i], o.Concept, language)));
        if (!isWhole) return metrics;

        var all = scenes.Draw(EvaluationScenes.PlainSingles, count);
        var named = Captions(all, "captions of all concepts");
        Share("object_all", all, (scene, i) => Names(named[i], scene.Objects[0].Concept, language));
        Styles(metrics);
        return metrics;

        string[] Captions(Scene[] of, string doing) =>
            Answers(doing, of.Select(scene => FlamingoPrompt.Caption(scenes.Picture(scene), lead: lead)));

        void Share(string name, Scene[] of, Func<Scene, int, bool> isRight) =>
            metrics.Add(name, Figure.Proportion([.. of.Select(isRight)]));

        string[] Answers(string doing, IEnumerable<FlamingoPrompt> prompts)
        {
            var texts = new List<string>();
            foreach (var chunk in prompts.Chunk(BatchSize))
            {
                texts.AddRange(model.Generate(chunk, new FlamingoOptions { Beams = 1, MaxTokens = MostTokens }).Select(a => a.Text));
                progress?.Invoke(doing, texts.Count, count);
            }

            return [.. texts];
        }

        void Styles(MetricGroup into)
        {
            var examples = scenes.Draw(new SceneSet(EvaluationScenes.CoreSingles.Options, 7_000_000), count * Shots);
            var styles = Enumerable.Range(0, count).Select(i =>
            {
                var random = new SeededRandom(scenes.Seed, i, StylePurpose + (uint)language);
                return AnswerStyle.DrawHeldOut(language, ref random);
            }).ToArray();
            foreach (var shots in new[] { 0, Shots })
            {
                var given = Answers($"{shots} examples", singles.Select((scene, i) => FlamingoPrompt.Caption(scenes.Picture(scene),
                    [.. examples.Skip(i * Shots).Take(shots).Select(shot =>
                        new FlamingoShot(scenes.Picture(shot), styles[i].Format(shot, language)))], lead)));
                into.Add($"style_{shots}_shot", Figure.Proportion([.. singles.Select((scene, i) =>
                    given[i] == FlamingoPrompt.Plain(styles[i].Format(scene, language)))]));
                into.Add($"style_{shots}_shot_form", Figure.Proportion([.. given.Select((text, i) =>
                    text.Contains(styles[i].Between, StringComparison.Ordinal)
                    && text.StartsWith(styles[i].Before, StringComparison.Ordinal))]));
            }
        }
    }

    /// <summary>True if a text names a concept by its name or another word for it, in singular or plural.</summary>
    internal static bool Names(string text, Concept concept, Language language) =>
        concept.Terms(language).All.Any(term => HasWord(text, term.Text) || HasWord(text, term.Plural));

    /// <summary>The colour of the background that a text names, or null.</summary>
    internal static Background? ColourIn(string text, Language language)
    {
        var named = Backgrounds.All.Where(background => HasWord(text, language == Language.English
            ? $"{background.Name(language)} background" : $"fondo {background.Name(language)}")).ToArray();
        return named.Length == 0 ? null : named.MaxBy(background => background.Name(language).Length);
    }

    private static bool HasWord(string text, string word)
    {
        for (var at = text.IndexOf(word, StringComparison.OrdinalIgnoreCase); at >= 0;
            at = text.IndexOf(word, at + 1, StringComparison.OrdinalIgnoreCase))
        {
            var end = at + word.Length;
            if ((at == 0 || !char.IsLetter(text[at - 1])) && (end == text.Length || !char.IsLetter(text[end]))) return true;
        }

        return false;
    }
}
