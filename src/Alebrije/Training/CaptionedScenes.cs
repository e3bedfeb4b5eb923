using Alebrije.Datasets;
using Alebrije.Preprocessing;
using Alebrije.Preprocessing.Imaging;

namespace Alebrije.Training;

/// <summary>A scene image and its caption.</summary>
/// <param name="Picture">The scene, drawn.</param>
/// <param name="Caption">Its caption, in one of the languages.</param>
/// <param name="Concepts">The concepts shown, each once.</param>
/// <param name="Style">The style it is drawn in.</param>
/// <param name="Objects">The objects in the order in which the caption names them, each copy of a count.</param>
internal readonly record struct TrainingPair(
    RgbImage Picture, string Caption, IReadOnlyList<Concept> Concepts, SceneStyle Style, IReadOnlyList<SceneObject> Objects);

/// <summary>EmojiWorld as numbered pairs of image and caption, in both languages.</summary>
internal sealed class CaptionedScenes(EmojiWorld world)
{
    private readonly Dictionary<Options, SceneOptions> prepared = [];
    private readonly Lock gate = new();

    /// <summary>Mixture of a run; weights and shares as in <see cref="SceneOptions"/>.</summary>
    internal sealed record Options
    {
        public double OneObject { get; init; } = 0.5;
        public double TwoObjects { get; init; } = 0.3;
        public double ThreeObjects { get; init; } = 0.1;
        public double Counts { get; init; } = 0.1;
        public double? CoreShare { get; init; }
        public double StyleShare { get; init; } = 0.3;
        public double SizeShare { get; init; } = 0.2;
        public double Jitter { get; init; } = 1;

        /// <summary>Share of Spanish captions.</summary>
        public double SpanishShare { get; init; } = 0.5;
    }

    /// <summary>The world itself.</summary>
    public EmojiWorld World => world;

    /// <summary>Opens the world from the files of Debian's packages or of its environment variables.</summary>
    public static CaptionedScenes Open() => new(EmojiWorld.Open());

    /// <summary>Training pair (seed, index): always the same.</summary>
    public TrainingPair Train(ulong seed, long index, Options options, int size = Datasets.Scene.Side)
    {
        var scene = Scene(seed, index, options);
        var (caption, objects) = Captioned(scene, LanguageOf(seed, index, options.SpanishShare));
        return new TrainingPair(Draw(scene, size), caption, [.. scene.Concepts], scene.Style, objects);
    }

    /// <summary>Caption of training scene (seed, index), without its picture, and the objects as it names them: always the same.</summary>
    public (string Caption, IReadOnlyList<SceneObject> Objects) Captioned(ulong seed, long index, Options options) =>
        Captioned(Scene(seed, index, options), LanguageOf(seed, index, options.SpanishShare));

    private (string Caption, IReadOnlyList<SceneObject> Objects) Captioned(Scene scene, Language language)
    {
        var (caption, order) = world.Written(scene, language);
        return (caption, [.. order.Select(i => scene.Objects[i])]);
    }

    /// <summary>Description of training scene (seed, index): always the same.</summary>
    public Scene Scene(ulong seed, long index, Options options) => world.Scene(seed, index, Prepare(options));

    /// <summary>Scene of the same mixture, disjoint from training.</summary>
    public Scene HeldOut(ulong seed, long index, SceneOptions options) =>
        world.Scene(seed, index, options with { Split = SceneSplit.HeldOut });

    /// <summary>Draws a scene.</summary>
    public RgbImage Draw(Scene scene, int size = Datasets.Scene.Side) => new(size, size, world.Render(scene, size));

    /// <summary>Texts for training a vocabulary: captions in both languages, and every name.</summary>
    public IEnumerable<string> Corpus(int captions)
    {
        foreach (var language in Enum.GetValues<Language>())
        {
            for (var i = 0; i < captions / 2; i++) yield return world.Caption(world.Scene(0, i), language);
            foreach (var concept in world.Concepts)
                for (var i = 0; i < 4; i++) yield return concept.Label(language);
        }
    }

    private static Language LanguageOf(ulong seed, long index, double spanishShare) =>
        SeededRandom.Unit(SeededRandom.Mix((seed ^ 0x6C616E67) + ((ulong)index * SeededRandom.Golden))) < spanishShare
            ? Language.Spanish : Language.English;

    private SceneOptions Prepare(Options options)
    {
        lock (gate)
        {
            if (prepared.TryGetValue(options, out var ready)) return ready;
            return prepared[options] = new SceneOptions
            {
                OneObject = options.OneObject, TwoObjects = options.TwoObjects,
                ThreeObjects = options.ThreeObjects, Counts = options.Counts,
                CoreShare = options.CoreShare, StyleShare = options.StyleShare, SizeShare = options.SizeShare, Jitter = options.Jitter,
            };
        }
    }
}
