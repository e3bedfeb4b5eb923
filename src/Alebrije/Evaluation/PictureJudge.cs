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

    /// <summary>Windows of an image, in quarters of its sides: the whole image, 2 x 2 of three quarters and 3 x 3 of a half.</summary>
    private static readonly (int Left, int Top, int Side)[] Windows =
    [
        .. from side in (int[])[4, 3, 2] from top in Enumerable.Range(0, 5 - side) from left in Enumerable.Range(0, 5 - side)
           select (left, top, side),
    ];

    private readonly float[][] names = space.Texts(world.Concepts.Select(concept => concept.Label(Language.English)));

    public PictureAnswer[] Ask(IReadOnlyList<RgbImage> pictures)
    {
        var scores = JointSpace.Cosines(space.Images(pictures), names);
        return [.. pictures.Select((picture, i) => new PictureAnswer(
            ZeroShot.TopK(scores[i], Kept), Backgrounds.NearestColour(Backgrounds.BorderMedian(picture.Pixels, picture.Width))))];
    }

    /// <summary>Concepts in windows of images. An image embedding of two objects is often nearest to neither of their labels.</summary>
    /// <returns>[pictures]: indices of the concepts that are the best of at least one window.</returns>
    public HashSet<int>[] InWindows(IReadOnlyList<RgbImage> pictures)
    {
        var crops = pictures.SelectMany(picture => Windows.Select(window => Crop(picture, window)));
        var scores = JointSpace.Cosines(space.Images(crops), names);
        return [.. scores.Select(row => ZeroShot.TopK(row, 1)[0]).Chunk(Windows.Length).Select(best => best.ToHashSet())];
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

    /// <summary>Share of scenes with at least <paramref name="count"/> objects among the concepts found in the image.</summary>
    public static Figure Found(IEnumerable<PromptedScene> prompts, IEnumerable<HashSet<int>> found, int count) =>
        Figure.Proportion([.. prompts.Zip(found, (prompt, concepts) =>
            prompt.Scene.Objects.Count(o => concepts.Contains(o.Concept.Index)) >= count)]);

    private static RgbImage Crop(RgbImage picture, (int Left, int Top, int Side) window)
    {
        if (window.Side == 4) return picture;
        int Of(int quarters, int whole) => quarters * whole / 4;
        return picture.ToPillow().Crop(Of(window.Left, picture.Width), Of(window.Top, picture.Height),
            Math.Max(1, Of(window.Side, picture.Width)), Math.Max(1, Of(window.Side, picture.Height))).ToRgb();
    }

    private static Figure Share(IEnumerable<PromptedScene> prompts,
        IEnumerable<PictureAnswer> answers, Func<Scene, PictureAnswer, bool> right) =>
            Figure.Proportion([.. prompts.Zip(answers, (prompt, answer) => right(prompt.Scene, answer))]);
}
