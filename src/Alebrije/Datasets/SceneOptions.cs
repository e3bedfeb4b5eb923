namespace Alebrije.Datasets;

/// <summary>Distribution of the scenes drawn. Weights need not sum to one.</summary>
public sealed record SceneOptions
{
    /// <summary>Training scenes of the usual mixture.</summary>
    public static SceneOptions Default { get; } = new();

    /// <summary>Training scenes of one object each, with the usual styles and sizes.</summary>
    public static SceneOptions SingleObjects { get; } = new() { TwoObjects = 0, ThreeObjects = 0, Counts = 0 };

    /// <summary>Training, held out or any.</summary>
    public SceneSplit Split { get; init; } = SceneSplit.Train;

    /// <summary>Weight of scenes with one object.</summary>
    public double OneObject { get; init; } = 0.5;

    /// <summary>Weight of scenes with two objects.</summary>
    public double TwoObjects { get; init; } = 0.3;

    /// <summary>Weight of scenes with three objects.</summary>
    public double ThreeObjects { get; init; } = 0.1;

    /// <summary>Weight of scenes with two to four of one concept.</summary>
    public double Counts { get; init; } = 0.1;

    /// <summary>Share of objects that are core concepts, 0 to 1; null draws every concept equally often.</summary>
    public double? CoreShare { get; init; }

    /// <summary>The concepts to draw; null for all.</summary>
    public IReadOnlyList<Concept>? Concepts { get; init; }

    /// <summary>Share of scenes in another style than plain, 0 to 1.</summary>
    public double StyleShare { get; init; } = 0.3;

    /// <summary>The styles other than plain to draw; null for all six.</summary>
    public IReadOnlyList<SceneStyle>? Styles { get; init; }

    /// <summary>The backgrounds to draw; null for all twelve.</summary>
    public IReadOnlyList<Background>? Backgrounds { get; init; }

    /// <summary>The relations of two objects to draw; null for all.</summary>
    public IReadOnlyList<SceneRelation>? Relations { get; init; }

    /// <summary>Share of single objects with a size of its own, small or large in equal parts.</summary>
    public double SizeShare { get; init; } = 0.2;

    /// <summary>Jitter of positions, sizes, angles and shades: 0 none, 1 as designed.</summary>
    public double Jitter { get; init; } = 1;

    /// <exception cref="ArgumentException">A value is out of its range.</exception>
    internal void Check()
    {
        Share(StyleShare, nameof(StyleShare));
        Share(SizeShare, nameof(SizeShare));
        Share(Jitter, nameof(Jitter));
        Share(CoreShare ?? 0, nameof(CoreShare));
        foreach (var (weight, name) in new[]
            { (OneObject, nameof(OneObject)), (TwoObjects, nameof(TwoObjects)),
                (ThreeObjects, nameof(ThreeObjects)), (Counts, nameof(Counts)) })
        {
            if (!(weight >= 0 && double.IsFinite(weight)))
                throw new ArgumentException($"{name} is {weight}; a weight is zero or more.");
        }
        if (OneObject + TwoObjects + ThreeObjects + Counts == 0)
            throw new ArgumentException(
                "All weights of object numbers are zero; give OneObject, TwoObjects, ThreeObjects or Counts a weight.");
        if (Concepts is { Count: 0 } || Backgrounds is { Count: 0 } || Relations is { Count: 0 })
            throw new ArgumentException(
                "An empty list of concepts, backgrounds or relations leaves nothing to draw; leave it out for all of them.");
        if (Styles is not null && (Styles.Contains(SceneStyle.Plain) || (Styles.Count == 0 && StyleShare > 0)))
            throw new ArgumentException("Styles lists the styles other than plain, at least one; StyleShare 0 draws plain scenes only.");
        foreach (var relation in Relations ?? [])
        {
            if (relation is SceneRelation.None or SceneRelation.Between or SceneRelation.Together)
                throw new ArgumentException($"{relation} is not a relation of two objects; Relations lists LeftOf to InFrontOf.");
        }

        static void Share(double value, string name)
        {
            if (!(value is >= 0 and <= 1))
                throw new ArgumentException($"{name} is {value}; it has to lie between 0 and 1.");
        }
    }
}
