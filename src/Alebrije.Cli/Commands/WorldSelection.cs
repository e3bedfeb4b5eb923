using System.Text.Json;
using Alebrije.Catalog;
using Alebrije.Datasets;

namespace Alebrije.Cli.Commands;

/// <summary>Scenes of <c>world</c>, and their file names.</summary>
internal static class WorldSelection
{
    /// <summary>Styles by their names in JSON.</summary>
    public static IReadOnlyDictionary<string, SceneStyle> StyleNames { get; } = Enum.GetValues<SceneStyle>()
        .ToDictionary(style => System.Text.Json.JsonNamingPolicy.SnakeCaseLower.ConvertName(style.ToString()),
            StringComparer.OrdinalIgnoreCase);

    /// <summary>The selected concepts.</summary>
    /// <exception cref="UsageException">A name is unknown, or there is none.</exception>
    public static Concept[] Chosen(EmojiWorld world, string[] lists, bool given, Words words)
    {
        var names = Listed(lists);
        if (names.Length == 0 && given)
            throw new UsageException(words["world.no-concepts"]);
        return [.. names.Select(name => world.Find(name) ?? throw new UsageException(Unknown(world, name, words))).Distinct()];
    }

    /// <summary>Names separated by commas or given one by one.</summary>
    public static string[] Listed(string[]? lists) =>
        [.. (lists ?? []).SelectMany(list => list.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))];

    /// <summary>The split, and the given styles in equal parts.</summary>
    public static SceneOptions Mixture(string split, string[] styles)
    {
        var mixture = new SceneOptions { Split = split == "heldout" ? SceneSplit.HeldOut : SceneSplit.Train };
        var chosen = styles.Select(name => StyleNames[name]).Distinct().ToArray();
        var others = chosen.Where(style => style != SceneStyle.Plain).ToArray();
        return chosen.Length == 0 ? mixture : mixture with { StyleShare = (double)others.Length / chosen.Length,
            Styles = others.Length == 0 ? null : others };
    }

    private static string Unknown(EmojiWorld world, string name, Words words)
    {
        var near = world.Concepts.SelectMany(c => new[] { c.Name(Language.English), c.Name(Language.Spanish) })
            .Distinct(StringComparer.Ordinal)
            .Where(known => known.Contains(name, StringComparison.OrdinalIgnoreCase)
                || Spelling.Distance(known, name) <= Math.Max(1, name.Length / 3))
            .OrderBy(known => Spelling.Distance(known, name)).Take(5).ToArray();
        var hint = near.Length > 0
            ? words["world.concepts-near", string.Join(", ", near)]
            : words["world.concept-examples", world.Concepts.Count];
        return words["world.concept-unknown", name, hint];
    }

    /// <summary>Options by scene: scene i uses entry i modulo their number, so that single objects alternate.</summary>
    public static IReadOnlyList<SceneOptions> Options(Concept[] concepts, int? objects, SceneOptions mixture, Words words)
    {
        if (objects is null && concepts.Length > 0) objects = 1;
        if (concepts.Length > 0 && concepts.Length < objects)
            throw new UsageException(words["world.objects-and-concepts", objects, concepts.Length]);
        if (objects is { } n)
            mixture = mixture with { OneObject = n == 1 ? 1 : 0, TwoObjects = n == 2 ? 1 : 0, ThreeObjects = n == 3 ? 1 : 0, Counts = 0 };
        if (concepts.Length == 0) return [mixture];
        return objects == 1 ? [.. concepts.Select(concept => mixture with { Concepts = [concept] })]
            : [mixture with { Concepts = concepts }];
    }

    /// <summary>"0003-lion.png", "0004-koala-riding-motorcycle.png", "0005-3-banana.png".</summary>
    public static string FileName(int number, Scene scene)
    {
        string[] names = [.. scene.Concepts.Select(c => Slug(c.Name(Language.English)))];
        var what = scene.Count > 1 ? $"{scene.Count}-{names[0]}"
            : names.Length == 2 ? $"{names[0]}-{Slug(JsonNamingPolicy.KebabCaseLower.ConvertName(scene.Relation.ToString()))}-{names[1]}"
            : string.Join('-', names);
        return $"{number:D4}-{what}.png";
    }

    private static string Slug(string name) =>
        string.Join('-', string.Concat(name.ToLowerInvariant().Select(c => char.IsAsciiLetterOrDigit(c) ? c : ' '))
            .Split(' ', StringSplitOptions.RemoveEmptyEntries));
}
