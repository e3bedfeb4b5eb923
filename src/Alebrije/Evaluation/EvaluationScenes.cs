using Alebrije.Datasets;
using Alebrije.Preprocessing.Imaging;

namespace Alebrije.Evaluation;

/// <summary>A scene and its prompt.</summary>
internal sealed record PromptedScene(Scene Scene, string Prompt)
{
    /// <summary>Indices of the scene's objects in the order in which the prompt names them.</summary>
    public required IReadOnlyList<int> Order { get; init; }

    /// <summary>The objects in the order in which the prompt names them.</summary>
    public IReadOnlyList<SceneObject> Named => [.. Order.Select(i => Scene.Objects[i])];
}

/// <summary>Scenes of one kind; each kind has its own range of indices, so that no two share scenes.</summary>
internal sealed record SceneSet(SceneOptions Options, long First);

/// <summary>
/// Scenes held out from training: single objects from other random numbers and in held-out styles, several objects as held-out pairs.
/// Scene i of a seed is always the same.
/// </summary>
internal sealed class EvaluationScenes(EmojiWorld world, ulong seed)
{
    /// <summary>One object, any concept, styles and sizes as in training.</summary>
    public static readonly SceneSet Singles = new(SceneOptions.SingleObjects with { Split = SceneSplit.HeldOut }, 0);

    /// <summary>The usual mixture.</summary>
    public static readonly SceneSet Mixture = new(SceneOptions.Default with { Split = SceneSplit.HeldOut }, 1_000_000);

    /// <summary>The usual mixture, as in training.</summary>
    public static readonly SceneSet Known = new(SceneOptions.Default, 2_000_000);

    /// <summary>One object in the plain style, any concept.</summary>
    public static readonly SceneSet PlainSingles = new(Singles.Options with { StyleShare = 0, SizeShare = 0 }, 3_000_000);

    /// <summary>One core concept in the plain style.</summary>
    public static readonly SceneSet CoreSingles = new(PlainSingles.Options with { CoreShare = 1 }, 4_000_000);

    /// <summary>Two core concepts that never occur together in training, in the plain style.</summary>
    public static readonly SceneSet CoreDuets = new(
        Mixture.Options with { OneObject = 0, TwoObjects = 1, ThreeObjects = 0, Counts = 0, CoreShare = 1, StyleShare = 0 }, 5_000_000);

    /// <summary>Two to four of one core concept in the plain style.</summary>
    public static readonly SceneSet CoreCounts = new(PlainSingles.Options with { OneObject = 0, Counts = 1, CoreShare = 1 }, 6_000_000);

    public EmojiWorld World => world;

    public ulong Seed => seed;

    public Scene[] Draw(SceneSet set, int count) =>
        [.. Enumerable.Range(0, count).Select(i => world.Scene(seed, set.First + i, set.Options))];

    /// <summary>Scenes with complete captions, alternately English and Spanish.</summary>
    public PromptedScene[] Prompts(SceneSet set, int count) => [.. Draw(set, count).Select(scene => Prompt(scene, LanguageOf(scene)))];

    /// <summary>A scene with its complete caption.</summary>
    public PromptedScene Prompt(Scene scene, Language language)
    {
        var (text, order) = world.Written(scene, language, CaptionOptions.Complete);
        return new(scene, text) { Order = order };
    }

    /// <summary>A caption as in training, alternately English and Spanish.</summary>
    public string Caption(Scene scene) => world.Caption(scene, LanguageOf(scene));

    public RgbImage Picture(Scene scene, int side = Scene.Side) => new(side, side, world.Render(scene, side));

    /// <summary>The nearest side in pixels at which scenes can be rendered, 16 to 512.</summary>
    public static int SideFor(int wanted) => Math.Clamp(wanted, 16, 512);

    private static Language LanguageOf(Scene scene) => scene.Index % 2 == 0 ? Language.English : Language.Spanish;
}
