using Alebrije.Preprocessing;

namespace Alebrije.Datasets;

/// <summary>Draws scenes by number under one set of options. Immutable once made, so any number of threads may use it.</summary>
internal sealed class SceneComposer
{
    private const int Attempts = 20_000;
    private const uint TrainPurpose = 1, HeldOutPurpose = 2, AnyPurpose = 3;

    // A random pair is rarely a rider and a mount; without this share "riding" would hardly be learnt.
    private const double RidingShare = 0.08;

    internal static readonly string[] MountNames =
    [
        "motorcycle", "motor scooter", "bicycle", "kick scooter", "skateboard",
            "horse", "elephant", "camel", "two-hump camel", "donkey", "sled",
        "tractor", "racing car", "unicorn", "dolphin", "canoe", "rocket",
    ];

    private static readonly SceneRelation[] Relations =
    [
        SceneRelation.LeftOf, SceneRelation.RightOf, SceneRelation.Above, SceneRelation.Below, SceneRelation.OnTopOf, SceneRelation.Inside,
        SceneRelation.InFrontOf,
    ];

    private static readonly SceneStyle[] AllStyles =
    [
        SceneStyle.PencilSketch, SceneStyle.BlackAndWhite, SceneStyle.PixelArt,
            SceneStyle.Blurred, SceneStyle.Night, SceneStyle.BusyBackground,
    ];

    private readonly SceneOptions options;
    private readonly Concept[] all, core, other, countable, riders, mounts;
    private readonly IReadOnlyList<SceneStyle> styles;
    private readonly IReadOnlyList<Background> backgrounds;
    private readonly IReadOnlyList<SceneRelation> relations;
    private readonly bool wantsRiding;
    private readonly double[] weights;
    private readonly Func<int, Sprite> sprites;

    /// <exception cref="ArgumentException">The options leave nothing to draw.</exception>
    public SceneComposer(IReadOnlyList<Concept> concepts, Func<int, Sprite> sprites, SceneOptions options)
    {
        options.Check();
        this.sprites = sprites;
        this.options = options;
        all = [.. options.Concepts ?? concepts];
        core = [.. all.Where(concept => concept.IsCore)];
        other = [.. all.Where(concept => !concept.IsCore)];
        countable = [.. all.Where(concept => concept.IsCountable)];
        riders = [.. all.Where(IsRider)];
        mounts = [.. all.Where(concept => Array.IndexOf(MountNames, concept.Name(Language.English)) >= 0)];
        styles = options.Styles ?? AllStyles;
        backgrounds = options.Backgrounds ?? Backgrounds.All;
        relations = [.. (options.Relations ?? Relations).Where(relation => relation != SceneRelation.Riding)];
        wantsRiding = options.Relations?.Contains(SceneRelation.Riding) ?? true;
        var distinct = all.Distinct().Count();
        weights = [options.OneObject, distinct < 2 ? 0 : options.TwoObjects,
            distinct < 3 ? 0 : options.ThreeObjects, countable.Length == 0 ? 0 : options.Counts];
        if (weights.Sum() == 0)
            throw new ArgumentException($"Scenes of several objects need "
                + $"as many different concepts, of which {distinct} can be drawn; name more concepts, or choose one object.");
        if (relations.Count == 0 && (riders.Length == 0 || mounts.Length == 0))
            throw new ArgumentException("Riding needs someone who rides (an animal or a person) and something to ride among the concepts.");
    }

    /// <exception cref="InvalidOperationException">No scene of the split exists under these options.</exception>
    public Scene Compose(ulong seed, long index)
    {
        var random = new SeededRandom(seed, index, options.Split switch
        {
            SceneSplit.Train => TrainPurpose,
            SceneSplit.HeldOut => HeldOutPurpose,
            _ => AnyPurpose,
        });
        var kind = Kind(ref random);
        var background = random.Pick(backgrounds);
        var shade = Shade(background, ref random);
        var style = random.Chance(options.StyleShare) ? random.Pick(styles) : SceneStyle.Plain;
        var scene = new Scene
        {
            Seed = seed, Index = index, Split = options.Split, Background = background, Shade = shade, Style = style,
            Relation = SceneRelation.None, Objects = [],
        };
        return kind switch
        {
            0 => Single(scene, ref random),
            1 => Two(scene, ref random),
            2 => Three(scene, ref random),
            _ => Several(scene, ref random),
        };
    }

    private int Kind(ref SeededRandom random)
    {
        var at = random.Unit() * weights.Sum();
        for (var kind = 0; kind < 3; kind++)
        {
            if (at < weights[kind])
                return kind;
            at -= weights[kind];
        }
        return weights[3] > 0 ? 3 : Array.FindLastIndex(weights, weight => weight > 0);
    }

    private Scene Single(Scene scene, ref SeededRandom random)
    {
        var (concept, style) = Alone(scene.Style, all, ref random);
        var word = !random.Chance(options.SizeShare) ? SceneSize.Normal : random.Chance(0.5) ? SceneSize.Small : SceneSize.Large;
        var (middle, spread) = word switch { SceneSize.Small => (54.0, 6.0), SceneSize.Large => (118.0, 6.0), _ => (96.0, 8.0) };
        var place = word == SceneSize.Large ? 3 : 8;
        return scene with
        {
            Style = style, Size = word,
            Objects = [Put(concept, 64, 64, middle, spread, place, 10, ref random)],
        };
    }

    private Scene Several(Scene scene, ref SeededRandom random)
    {
        var (concept, style) = Alone(scene.Style, countable, ref random);
        var count = 2 + random.Below(3);
        ReadOnlySpan<(int X, int Y)> places = count switch
        {
            2 => [(34, 64), (94, 64)],
            3 => [(35, 37), (93, 37), (64, 91)],
            _ => [(35, 35), (93, 35), (35, 93), (93, 93)],
        };
        var size = count == 2 ? 57 : 51;
        var objects = new SceneObject[count];
        for (var i = 0; i < count; i++)
            objects[i] = Put(concept, places[i].X, places[i].Y, size, 3, 4, 10, ref random);
        return scene with { Style = style, Count = count, Objects = objects };
    }

    private Scene Two(Scene scene, ref SeededRandom random)
    {
        var canRide = wantsRiding && riders.Length > 0 && mounts.Length > 0;
        var ride = canRide && (relations.Count == 0 || random.Chance(RidingShare));
        for (var attempt = 0; attempt < Attempts; attempt++)
        {
            var (a, b) = ride ? (random.Pick(riders), random.Pick(mounts)) : (Draw(ref random), Draw(ref random));
            if (!Allowed(a, b, scene.Style))
                continue;
            if (ride)
                return Place(scene with { Relation = SceneRelation.Riding }, a, b, ref random);
            var relation = random.Pick(relations);
            if (relation == SceneRelation.OnTopOf && wantsRiding && IsRider(a) && Array.IndexOf(mounts, b) >= 0)
                relation = SceneRelation.Riding;
            return Place(scene with { Relation = relation }, a, b, ref random);
        }
        throw Nothing("two objects");
    }

    private Scene Three(Scene scene, ref SeededRandom random)
    {
        for (var attempt = 0; attempt < Attempts; attempt++)
        {
            var (a, b) = (Draw(ref random), Draw(ref random));
            if (!Allowed(a, b, scene.Style))
                continue;
            // The third has to fit both; held-out triples are one in a hundred, so search longer for it than for a new pair.
            for (var third = 0; third < 400; third++)
            {
                var c = Draw(ref random);
                attempt++;
                if (Allowed(a, c, scene.Style) && Allowed(b, c, scene.Style))
                    return PlaceThree(scene, a, b, c, ref random);
            }
        }
        throw Nothing("three objects");
    }

    private Scene Place(Scene scene, Concept a, Concept b, ref SeededRandom random)
    {
        SceneObject[] objects = scene.Relation switch
        {
            SceneRelation.LeftOf => [Put(a, 34, 64, 58, 4, 5, 8, ref random), Put(b, 94, 64, 58, 4, 5, 8, ref random)],
            SceneRelation.RightOf => [Put(a, 94, 64, 58, 4, 5, 8, ref random), Put(b, 34, 64, 58, 4, 5, 8, ref random)],
            SceneRelation.Above => [Put(a, 64, 33, 56, 4, 4, 8, ref random), Put(b, 64, 95, 56, 4, 4, 8, ref random)],
            SceneRelation.Below => [Put(a, 64, 95, 56, 4, 4, 8, ref random), Put(b, 64, 33, 56, 4, 4, 8, ref random)],
            SceneRelation.OnTopOf or SceneRelation.Riding =>
                Stacked(Put(a, 64, 64, 60, 4, 4, 6, ref random), Put(b, 64, 64, 76, 4, 4, 4, ref random)),
            SceneRelation.Inside => [Put(a, 64, 66, 42, 3, 4, 8, ref random), Put(b, 64, 64, 117, 4, 3, 6, ref random)],
            _ => [Put(a, 84, 84, 62, 4, 4, 8, ref random), Put(b, 52, 52, 84, 4, 4, 6, ref random)],
        };
        return scene with { Objects = objects };
    }

    // Many glyphs do not fill their cell: what is seen of the upper has to touch what is seen of the lower, and both stay in the middle.
    private SceneObject[] Stacked(SceneObject upper, SceneObject lower)
    {
        const double overlap = 0.2;
        var (above, below) = (sprites(upper.Concept.Index), sprites(lower.Concept.Index));
        var (topOfUpper, bottomOfUpper) = ((above.Top - 0.5) * upper.Size, (above.Bottom - 0.5) * upper.Size);
        var (topOfLower, bottomOfLower) = ((below.Top - 0.5) * lower.Size, (below.Bottom - 0.5) * lower.Size);
        var down = bottomOfUpper - topOfLower - overlap * (bottomOfUpper - topOfUpper);
        var middle = (topOfUpper + down + bottomOfLower) / 2;
        return [upper with { Y = upper.Y - middle }, lower with { Y = upper.Y + down - middle }];
    }

    private Scene PlaceThree(Scene scene, Concept a, Concept b, Concept c, ref SeededRandom random)
    {
        if (random.Chance(0.5))
            return scene with
            {
                Relation = SceneRelation.Between,
                Objects =
                [
                    Put(a, 64, 64, 41, 2, 3, 8, ref random), Put(b, 22, 64, 41, 2, 3, 8, ref random),
                        Put(c, 106, 64, 41, 2, 3, 8, ref random),
                ],
            };
        return scene with
        {
            Relation = SceneRelation.Together,
            Objects =
            [
                Put(a, 35, 37, 50, 3, 4, 8, ref random), Put(b, 93, 37, 50, 3, 4, 8, ref random), Put(c, 64, 91, 50, 3, 4, 8, ref random),
            ],
        };
    }

    private SceneObject Put(
        Concept concept, double x, double y, double size, double spread, double stray, double turn, ref SeededRandom random) => new(
        concept,
        x + options.Jitter * random.Between(-stray, stray),
        y + options.Jitter * random.Between(-stray, stray),
        size + options.Jitter * random.Between(-spread, spread),
        options.Jitter * random.Between(-turn, turn));

    // A concept that may be shown alone in the style; held out, a style other than plain has to be one that training never showed with it.
    private (Concept Concept, SceneStyle Style) Alone(SceneStyle style, Concept[] pool, ref SeededRandom random)
    {
        for (var attempt = 0; attempt < Attempts / 10; attempt++)
        {
            var concept = Draw(pool, ref random);
            var fits = style == SceneStyle.Plain || options.Split switch
            {
                SceneSplit.Train => !HeldOut.Styled(concept, style),
                SceneSplit.HeldOut => HeldOut.Styled(concept, style),
                _ => true,
            };
            if (fits)
                return (concept, style);
        }
        // A short list of concepts may have none: plain scenes are always allowed.
        return (Draw(pool, ref random), SceneStyle.Plain);
    }

    private bool Allowed(Concept a, Concept b, SceneStyle style)
    {
        if (a == b)
            return false;
        return options.Split switch
        {
            SceneSplit.Train => !HeldOut.Pair(a.CodePoint, b.CodePoint) && !HeldOut.Styled(a, style) && !HeldOut.Styled(b, style),
            SceneSplit.HeldOut => HeldOut.Pair(a.CodePoint, b.CodePoint),
            _ => true,
        };
    }

    private Concept Draw(ref SeededRandom random) => Draw(all, ref random);

    private Concept Draw(Concept[] pool, ref SeededRandom random)
    {
        if (options.CoreShare is not double share || core.Length == 0 || other.Length == 0)
            return random.Pick(pool);
        if (pool == all)
            return random.Pick(random.Chance(share) ? core : other);
        // The smaller pool keeps the shares by refusing the wrong kind.
        var wantsCore = random.Chance(share);
        for (var attempt = 0; attempt < 200; attempt++)
        {
            var concept = random.Pick(pool);
            if (concept.IsCore == wantsCore)
                return concept;
        }
        return random.Pick(pool);
    }

    private Rgb Shade(Background background, ref SeededRandom random)
    {
        const double spread = 10;
        var colour = background.TrueColour();
        var light = options.Jitter * random.Between(-spread, spread);
        return new Rgb(Stray(colour.R, ref random), Stray(colour.G, ref random), Stray(colour.B, ref random));

        byte Stray(byte value, ref SeededRandom random) =>
            (byte)Math.Clamp(value + light + options.Jitter * random.Between(-spread / 2, spread / 2), 0, 255);
    }

    private static bool IsRider(Concept concept) =>
        concept.Subgroup is "animal-mammal" or "animal-bird" or "animal-amphibian" or "animal-reptile"
             or "person" or "person-role" or "person-fantasy"
        && concept.Name(Language.English) is not ("paw prints" or "pig nose" or "feather" or "wing" or "elephant" or "whale");

    private InvalidOperationException Nothing(string what) => new(
        $"No scene of {what} in the split {options.Split} was found "
            + $"among {all.Length} concepts; name more concepts, or take another split.");
}
