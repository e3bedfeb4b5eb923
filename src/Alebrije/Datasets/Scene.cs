namespace Alebrije.Datasets;

/// <summary>Rendering style of a scene.</summary>
public enum SceneStyle
{
    /// <summary>As it is, on a plain background.</summary>
    Plain,

    /// <summary>Pencil on paper.</summary>
    PencilSketch,

    /// <summary>Without colour.</summary>
    BlackAndWhite,

    /// <summary>Large square pixels, few colours.</summary>
    PixelArt,

    /// <summary>Out of focus.</summary>
    Blurred,

    /// <summary>Dark and blue, under stars.</summary>
    Night,

    /// <summary>Coloured shapes behind the objects.</summary>
    BusyBackground,
}

/// <summary>Position of the first object relative to the second; for three objects their arrangement.</summary>
public enum SceneRelation
{
    /// <summary>One object, or several of one concept.</summary>
    None,

    /// <summary>To the left of.</summary>
    LeftOf,

    /// <summary>To the right of.</summary>
    RightOf,

    /// <summary>Above, apart.</summary>
    Above,

    /// <summary>Below, apart.</summary>
    Below,

    /// <summary>On top of, touching.</summary>
    OnTopOf,

    /// <summary>On top of something that is ridden.</summary>
    Riding,

    /// <summary>Small, in the middle of the other, which is large.</summary>
    Inside,

    /// <summary>Overlapping the other, drawn later.</summary>
    InFrontOf,

    /// <summary>Three in a row, the first between the second (left) and the third (right).</summary>
    Between,

    /// <summary>Three together, in a triangle.</summary>
    Together,
}

/// <summary>Size of a single object.</summary>
public enum SceneSize
{
    /// <summary>88 to 104 of 128 pixels, or as the relation requires.</summary>
    Normal,

    /// <summary>48 to 60 of 128 pixels.</summary>
    Small,

    /// <summary>112 to 124 of 128 pixels.</summary>
    Large,
}

/// <summary>Split of the scenes: training, held out, or both.</summary>
public enum SceneSplit
{
    /// <summary>Never a held-out pair of concepts, never a held-out pair of concept and style.</summary>
    Train,

    /// <summary>
    /// Several objects: held-out pairs only. Single objects: held-out pairs of concept and style, and plain ones from other random numbers
    /// than training ever uses.
    /// </summary>
    HeldOut,

    /// <summary>Anything.</summary>
    Any,
}

/// <summary>One object of a scene, in pixels of a 128 x 128 image.</summary>
/// <param name="Concept">Concept shown.</param>
/// <param name="X">Centre, from the left.</param>
/// <param name="Y">Centre, from the top.</param>
/// <param name="Size">Height of the glyph's cell, which the image in it nearly fills.</param>
/// <param name="Angle">Rotation in degrees, clockwise.</param>
public readonly record struct SceneObject(Concept Concept, double X, double Y, double Size, double Angle);

/// <summary>A described scene: all that rendering and captions need. The same seed and index always give the same scene.</summary>
public sealed record Scene
{
    /// <summary>Side of the image that positions and sizes refer to.</summary>
    public const int Side = 128;

    /// <summary>The world's seed.</summary>
    public required ulong Seed { get; init; }

    /// <summary>Number of the scene under its seed.</summary>
    public required long Index { get; init; }

    /// <summary>The split it was drawn for.</summary>
    public required SceneSplit Split { get; init; }

    /// <summary>The objects in the order of <see cref="Relation"/>; for a count, as many as there are.</summary>
    public required IReadOnlyList<SceneObject> Objects { get; init; }

    /// <summary>Relation of the objects.</summary>
    public required SceneRelation Relation { get; init; }

    /// <summary>The background's named colour; see <see cref="ShowsBackground"/>.</summary>
    public required Background Background { get; init; }

    /// <summary>The background's shade.</summary>
    public required Rgb Shade { get; init; }

    /// <summary>Rendering style.</summary>
    public required SceneStyle Style { get; init; }

    /// <summary>Size of a single object.</summary>
    public SceneSize Size { get; init; }

    /// <summary>Number of copies of one concept, 2 to 4; 1 if the scene is not a count.</summary>
    public int Count { get; init; } = 1;

    /// <summary>The concepts shown, each once.</summary>
    public IEnumerable<Concept> Concepts => Count > 1 ? [Objects[0].Concept] : Objects.Select(o => o.Concept);

    /// <summary>True if the background's colour is visible: not in styles without colour, at night or behind shapes.</summary>
    public bool ShowsBackground => Style is SceneStyle.Plain or SceneStyle.PixelArt or SceneStyle.Blurred;
}
