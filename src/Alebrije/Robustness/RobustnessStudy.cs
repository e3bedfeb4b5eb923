using Alebrije.Datasets;
using Alebrije.Embeddings;
using Alebrije.Preprocessing;
using Alebrije.Preprocessing.Imaging;

namespace Alebrije.Robustness;

/// <summary>An image and its class.</summary>
/// <param name="Image">The image, of any size.</param>
/// <param name="Class">Index of the class.</param>
public sealed record StudyPicture(RgbImage Image, int Class);

/// <summary>Classifiers that run together, as they may share work.</summary>
/// <param name="Names">Their names: <c>zero_shot</c>, <c>probe</c>, <c>supervised</c>.</param>
/// <param name="Classify">Images to [classifiers][images] classes.</param>
public sealed record PictureClassifiers(IReadOnlyList<string> Names, Func<IReadOnlyList<RgbImage>, IReadOnlyList<int[]>> Classify);

/// <summary>Options of a robustness study.</summary>
public sealed record RobustnessOptions
{
    /// <summary>Severities of the corruptions, each 1 to 5; of several the mean is taken.</summary>
    public IReadOnlyList<int> Severities { get; init; } = [3];

    /// <summary>Seed of noise, shapes and flakes.</summary>
    public ulong Seed { get; init; }

    /// <summary>Side of the encoders' input images: corruptions are made at that size, as ImageNet-C's are.</summary>
    public int Side { get; init; } = 224;

    /// <summary>The class whose images are shown under every condition.</summary>
    public int Shown { get; init; }

    /// <summary>True for pairs of class and style unseen in training, which get a condition of their own; null if unknown.</summary>
    public Func<int, SceneStyle, bool>? IsHeldOut { get; init; }

    /// <summary>Name of the model, for the report.</summary>
    public string? Model { get; init; }
}

/// <summary>
/// The same images under styles and corruptions, and how often classifiers still name them: the lecture's bananas, and CLIP's fig. 13
/// (Radford et al., 2021, §3.3), on a user's own classes.
/// </summary>
public static class RobustnessStudy
{
    /// <summary>Name of the condition that all others are compared with.</summary>
    public const string Plain = "plain";

    /// <summary>Name of the condition of held-out styles.</summary>
    public const string HeldOutStyles = "held_out_styles";

    internal const int SmallestSquare = 128;

    private static readonly SceneStyle[] Styles = [.. Enum.GetValues<SceneStyle>().Where(style => style != SceneStyle.Plain)];

    /// <summary>Runs the classifiers under every condition.</summary>
    /// <param name="pictures">Images that no classifier was fitted on, at least one.</param>
    /// <param name="labels">Names of the classes.</param>
    /// <param name="classifiers">Classifiers to run.</param>
    /// <param name="options">Severities and seed; null takes the usual ones.</param>
    /// <param name="progress">Called with the next condition, its number and the total.</param>
    /// <param name="cancellation">Stops between conditions.</param>
    /// <exception cref="ArgumentException">No images, or a severity that does not exist.</exception>
    public static RobustnessReport Run(
        IReadOnlyList<StudyPicture> pictures, IReadOnlyList<string> labels,
        IReadOnlyList<PictureClassifiers> classifiers, RobustnessOptions? options = null,
        Action<string, int, int>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(pictures);
        ArgumentNullException.ThrowIfNull(labels);
        ArgumentNullException.ThrowIfNull(classifiers);
        options ??= new RobustnessOptions();
        if (pictures.Count == 0) throw new ArgumentException("There are no images; at least one is needed.", nameof(pictures));
        if (options.Severities.Count == 0 || options.Severities.Any(severity => severity is < 1 or > Corruptions.Severities))
            throw new ArgumentException($"Severities are 1 to {Corruptions.Severities}; got {string.Join(", ", options.Severities)}.",
                nameof(options));
        var squares = pictures.Select(picture => RobustnessPictures.Square(picture.Image, Math.Max(SmallestSquare, options.Side)))
            .ToArray();
        var inside = pictures.Select(picture => picture.Class).ToArray();
        var names = classifiers.SelectMany(group => group.Names).ToArray();
        var of = 1 + Styles.Length + (Corruptions.All.Count * options.Severities.Count);
        var (done, conditions, examples) = (0, new List<RobustnessCondition>(), new List<RobustnessExample>());
        var heldOut = new List<(int Right, int[] Answers)>();

        Look(Plain, null, [1], (i, _) => squares[i]);
        foreach (var style in Styles) Look(Name(style), null, [1], (i, _) => PictureStyles.Apply(squares[i], style, SeedOf(i)), style);
        if (heldOut.Count > 0) conditions.Add(Condition(HeldOutStyles, null, heldOut, heldOut.Count));
        var small = squares.Select(square => square.Resize(options.Side, options.Side)).ToArray();
        foreach (var corruption in Corruptions.All)
            Look(corruption.Name(), options.Severities, options.Severities,
                (i, severity) => Corruptions.Apply(small[i], corruption, severity, SeedOf(i)));
        return new RobustnessReport(labels, names, conditions, examples) { Model = options.Model, ShownClass = options.Shown };

        ulong SeedOf(int picture) => SeededRandom.Mix(options.Seed + (ulong)picture);

        void Look(string name, IReadOnlyList<int>? severities, IReadOnlyList<int> each,
            Func<int, int, RgbImage?> draw, SceneStyle? style = null)
        {
            var outcomes = new List<(int Right, int[] Answers)>();
            var count = 0;
            foreach (var severity in each)
            {
                cancellation.ThrowIfCancellationRequested();
                progress?.Invoke(name, ++done, of);
                var drawn = new RgbImage?[squares.Length];
                Parallel.For(0, drawn.Length, new ParallelOptions { CancellationToken = cancellation }, i => drawn[i] = draw(i, severity));
                var which = Enumerable.Range(0, drawn.Length).Where(i => drawn[i] is not null).ToArray();
                if (which.Length == 0) return;
                var answers = Ask(classifiers, [.. which.Select(i => drawn[i]!)]);
                for (var k = 0; k < which.Length; k++)
                {
                    outcomes.Add((inside[which[k]], answers[k]));
                    if (style is { } held && options.IsHeldOut?.Invoke(inside[which[k]], held) == true)
                        heldOut.Add((inside[which[k]], answers[k]));
                }

                count = which.Length;
                if (severity != each[each.Count / 2]) continue;
                foreach (var shown in which.Select((picture, k) => (picture, k))
                    .GroupBy(pair => inside[pair.picture]).Select(group => group.First()))
                    examples.Add(new RobustnessExample(name, drawn[shown.picture]!, inside[shown.picture], answers[shown.k]));
            }

            conditions.Add(Condition(name, severities, outcomes, count));
        }

        RobustnessCondition Condition(string name, IReadOnlyList<int>? severities,
            List<(int Right, int[] Answers)> outcomes, int count) => new(
            name, severities ?? [], count,
            [.. names.Select((_, k) =>
                Figure.Proportion((double)outcomes.Count(o => o.Answers[k] == o.Right) * count / outcomes.Count, count))]);
    }

    /// <returns>[images][classifiers]</returns>
    private static int[][] Ask(IReadOnlyList<PictureClassifiers> classifiers, IReadOnlyList<RgbImage> pictures)
    {
        var answers = classifiers.SelectMany(group => group.Classify(pictures)).ToArray();
        return [.. Enumerable.Range(0, pictures.Count).Select(i => answers.Select(answer => answer[i]).ToArray())];
    }

    private static string Name(SceneStyle style) => System.Text.Json.JsonNamingPolicy.SnakeCaseLower.ConvertName(style.ToString());
}
