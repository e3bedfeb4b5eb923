using System.Runtime.CompilerServices;
using Alebrije.Datasets.Words;

namespace Alebrije.Datasets;

/// <summary>
/// The world that the default model is trained on: images of emoji in simple scenes, made on the fly, captioned in English and Spanish.
/// Scene (seed, index) is the same bit for bit on every machine and for any number of threads. Thread-safe.
/// </summary>
public sealed class EmojiWorld
{
    private readonly EmojiFont font;
    private readonly Sprite?[] sprites;
    private readonly Dictionary<string, Concept>[] byWord = [[], []];
    private readonly ConditionalWeakTable<SceneOptions, SceneComposer> composers = [];

    private EmojiWorld(WorldFiles files)
    {
        files.Check();
        font = new EmojiFont(files.Font);
        var (concepts, standardNames) = ConceptList.Read(files);
        Concepts = concepts;
        CoreConcepts = [.. Concepts.Where(concept => concept.IsCore)];
        sprites = new Sprite?[Concepts.Count];
        Supercategories = Datasets.Supercategories.Assign(Concepts, standardNames);
        foreach (var language in Enum.GetValues<Language>())
        {
            // Names first: a synonym never hides another concept's name.
            foreach (var concept in Concepts)
                byWord[(int)language].TryAdd(Key(concept.Name(language)), concept);
            foreach (var concept in Concepts)
                foreach (var synonym in concept.Synonyms(language))
                    byWord[(int)language].TryAdd(Key(synonym), concept);
        }
    }

    /// <summary>All concepts: fully qualified emoji without skin tones, flags, symbols and joined sequences.</summary>
    public IReadOnlyList<Concept> Concepts { get; }

    /// <summary>The concepts that a small model learns to draw first.</summary>
    public IReadOnlyList<Concept> CoreConcepts { get; }

    /// <summary>The wider classes that captions use.</summary>
    public IReadOnlyList<Supercategory> Supercategories { get; }

    /// <summary>Reads names and font; images are decoded when first drawn.</summary>
    /// <exception cref="FileNotFoundException">A file is missing; the message names the packages to install.</exception>
    /// <exception cref="InvalidDataException">A file is damaged or of another kind.</exception>
    public static EmojiWorld Open(WorldFiles? files = null) => new(files ?? new WorldFiles());

    /// <summary>The concept with this name or synonym, in either language, with or without article; null if there is none.</summary>
    public Concept? Find(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        return Find(name, Language.English) ?? Find(name, Language.Spanish);
    }

    /// <summary>The concept with this name or synonym in a language, with or without article; null if there is none.</summary>
    public Concept? Find(string name, Language language)
    {
        ArgumentNullException.ThrowIfNull(name);
        return byWord[(int)language].GetValueOrDefault(Key(name)) ?? byWord[(int)language]
            .GetValueOrDefault(Key(Articles.Strip(name, language)));
    }

    /// <summary>
    /// True if a label such as "a pet" or "un vehículo" fits the concept: a name, a synonym or a class, with or without article.
    /// </summary>
    /// <exception cref="ArgumentException">The label is neither a class nor a concept of the world.</exception>
    public bool Satisfies(Concept concept, string label, Language language = Language.English)
    {
        ArgumentNullException.ThrowIfNull(concept);
        ArgumentNullException.ThrowIfNull(label);
        var bare = Key(Articles.Strip(label, language));
        if (concept.Supercategories.Any(category => Key(category.Name(language)) == bare)
            || concept.Terms(language).All.Any(term => Key(term.Text) == bare))
            return true;
        if (Supercategories.Any(category => Key(category.Name(language)) == bare) || Find(label, language) is not null)
            return false;
        throw new ArgumentException($"\"{label}\" is neither a class nor a concept of the world; Concepts and Supercategories list them.",
            nameof(label));
    }

    /// <summary>Describes a scene.</summary>
    /// <param name="seed">The world's seed.</param>
    /// <param name="index">Number of the scene, any value.</param>
    /// <param name="options">Options of the scene; null for training scenes. Reuse the record: prepared tables are cached with it.</param>
    /// <exception cref="ArgumentException">An option is out of its range.</exception>
    /// <exception cref="InvalidOperationException">The options and the split leave no scene.</exception>
    public Scene Scene(ulong seed, long index, SceneOptions? options = null) =>
        composers.GetValue(options ?? SceneOptions.Default, given => new SceneComposer(Concepts, SpriteOf, given)).Compose(seed, index);

    /// <summary>Draws a scene.</summary>
    /// <param name="scene">A scene of this world.</param>
    /// <param name="size">Side in pixels, 16 to 512; 128 is the size that scenes are made for.</param>
    /// <returns>[size, size, 3], RGB bytes.</returns>
    public byte[] Render(Scene scene, int size = Datasets.Scene.Side)
    {
        var pixels = new byte[size * size * 3];
        Render(scene, pixels, size);
        return pixels;
    }

    /// <summary>Draws a scene into memory of the caller.</summary>
    /// <param name="scene">A scene of this world.</param>
    /// <param name="pixels">[size, size, 3], RGB bytes, all written.</param>
    /// <param name="size">Side in pixels, 16 to 512.</param>
    /// <exception cref="ArgumentException">The size is out of range, or the memory has another length.</exception>
    public void Render(Scene scene, Span<byte> pixels, int size)
    {
        CheckOwn(scene);
        if (size is < 16 or > 512)
            throw new ArgumentOutOfRangeException(nameof(size), size, "A scene is drawn 16 to 512 pixels wide.");
        if (pixels.Length != size * size * 3)
            throw new ArgumentException($"A scene of {size} pixels needs {size * size * 3} bytes, and {pixels.Length} were given.",
                nameof(pixels));
        SceneRenderer.Render(scene, SpriteOf, pixels, size);
    }

    /// <summary>Writes a caption of a scene, different for each scene and the same for each call.</summary>
    /// <param name="scene">A scene of this world.</param>
    /// <param name="language">English or Spanish.</param>
    /// <param name="options">Content of the caption as probabilities; null for training captions.</param>
    /// <param name="variant">Another number gives another caption of the same scene.</param>
    public string Caption(Scene scene, Language language, CaptionOptions? options = null, int variant = 0) =>
        Written(scene, language, options, variant).Text;

    /// <summary>A caption with the order in which it names the objects; as <see cref="Caption"/>.</summary>
    internal WrittenCaption Written(Scene scene, Language language, CaptionOptions? options = null, int variant = 0)
    {
        CheckOwn(scene);
        return CaptionWriter.Write(scene, language, options ?? CaptionOptions.Training, variant);
    }

    // Two threads may decode the same glyph at first use; both get the same pixels, and one of them is kept.
    private Sprite SpriteOf(int concept)
    {
        if (Volatile.Read(ref sprites[concept]) is Sprite ready)
            return ready;
        var (width, height, rgba) = font.Decode(Concepts[concept].CodePoint);
        var made = new Sprite(width, height, rgba);
        return Interlocked.CompareExchange(ref sprites[concept], made, null) ?? made;
    }

    // Sprites are found by index, which means another concept where other files were opened.
    private void CheckOwn(Scene scene)
    {
        ArgumentNullException.ThrowIfNull(scene);
        foreach (var o in scene.Objects)
        {
            if (o.Concept.Index >= Concepts.Count || Concepts[o.Concept.Index].CodePoint != o.Concept.CodePoint)
                throw new ArgumentException($"The scene shows {o.Concept}, "
                    + $"which is not a concept of this world; draw it with the world that described it.", nameof(scene));
        }
    }

    private static string Key(string name) => name.Trim().ToLowerInvariant();
}
