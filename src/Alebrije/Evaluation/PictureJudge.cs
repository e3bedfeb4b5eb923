using Alebrije.Datasets;
using Alebrije.Embeddings;
using Alebrije.Preprocessing.Imaging;

namespace Alebrije.Evaluation;

/// <summary>Classification of an image.</summary>
/// <param name="Best">Indices of the five concepts with the nearest labels, best first.</param>
/// <param name="Border">Named colour nearest in RGB to the median of the border.</param>
internal sealed record PictureAnswer(int[] Best, Background Border);

/// <summary>
/// Zero-shot classification by the model's own CLIP among the English labels of all concepts, whatever the prompt's language, so that
/// figures are comparable. The figures on true images measure its own error.
/// </summary>
internal sealed class PictureJudge(JointSpace space, EmojiWorld world)
{
    private const int Kept = 5;
    private readonly float[][] names = space.Texts(world.Concepts.Select(concept => concept.Label(Language.English)));

    public PictureAnswer[] Ask(IReadOnlyList<RgbImage> pictures)
    {
        var scores = JointSpace.Cosines(space.Images(pictures), names);
        return [.. pictures.Select((picture, i) => new PictureAnswer(
            ZeroShot.TopK(scores[i], Kept), Backgrounds.NearestColour(Backgrounds.BorderMedian(picture.Pixels, picture.Width))))];
    }

    /// <summary>English names of an image's best concepts, best first.</summary>
    public string NamesOf(PictureAnswer answer, int count) =>
        string.Join(", ", answer.Best.Take(count).Select(index => world.Concepts[index].Name(Language.English)));

    /// <summary>Top-<paramref name="count"/> accuracy on single objects.</summary>
    public static Figure Named(IEnumerable<PromptedScene> prompts, IEnumerable<PictureAnswer> answers, int count) =>
        Share(prompts, answers, (scene, answer) => answer.Best.Take(count).Contains(scene.Objects[0].Concept.Index));

    /// <summary>Share of backgrounds in the prompted colour.</summary>
    public static Figure Coloured(IEnumerable<PromptedScene> prompts, IEnumerable<PictureAnswer> answers) =>
        Share(prompts, answers, (scene, answer) => answer.Border == scene.Background);

    /// <summary>Share of pairs in which both objects are the two best concepts.</summary>
    public static Figure Both(IEnumerable<PromptedScene> prompts, IEnumerable<PictureAnswer> answers) =>
        Share(prompts, answers, (scene, answer) => scene.Objects.All(o => answer.Best.Take(2).Contains(o.Concept.Index)));

    private static Figure Share(IEnumerable<PromptedScene> prompts,
        IEnumerable<PictureAnswer> answers, Func<Scene, PictureAnswer, bool> right) =>
            Figure.Proportion([.. prompts.Zip(answers, (prompt, answer) => right(prompt.Scene, answer))]);
}
