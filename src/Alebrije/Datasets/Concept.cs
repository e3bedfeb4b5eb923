using Alebrije.Datasets.Words;

namespace Alebrije.Datasets;

/// <summary>One thing of the world: an emoji with its names in both languages.</summary>
public sealed class Concept
{
    internal Concept(int index, int codePoint, string group, string subgroup, ConceptTerms english, ConceptTerms spanish)
    {
        (Index, CodePoint, Group, Subgroup) = (index, codePoint, group, subgroup);
        (English, Spanish) = (english, spanish);
        IsCore = Group is "Animals & Nature" or "Food & Drink" || Subgroup.StartsWith("transport-", StringComparison.Ordinal)
            || Subgroup is "place-building" or "place-geographic" or "musical-instrument" or "sport" or "household" or "tool" or "clothing";
    }

    /// <summary>Place among all concepts, from 0, in the order of emoji-test.txt.</summary>
    public int Index { get; }

    /// <summary>The emoji's code point, without variation selector.</summary>
    public int CodePoint { get; }

    /// <summary>The emoji as text.</summary>
    public string Emoji => char.ConvertFromUtf32(CodePoint);

    /// <summary>Group in emoji-test.txt, such as "Animals &amp; Nature".</summary>
    public string Group { get; }

    /// <summary>Subgroup in emoji-test.txt, such as "animal-mammal".</summary>
    public string Subgroup { get; }

    /// <summary>
    /// True if the default model is expected to draw it well first: animals, plants, food, transport, buildings, tools and the like.
    /// </summary>
    public bool IsCore { get; }

    /// <summary>True if it has a count noun in both languages: a lion, but not grapes, bread or Mount Fuji.</summary>
    public bool IsCountable => English.All[0].Kind == NounKind.Count && Spanish.All[0].Kind == NounKind.Count;

    /// <summary>Its classes: "wild animal", "vehicle", "fruit".</summary>
    public IReadOnlyList<Supercategory> Supercategories { get; internal set; } = [];

    internal ConceptTerms English { get; }

    internal ConceptTerms Spanish { get; }

    /// <summary>The name without article, unique in its language: "lion", "león".</summary>
    public string Name(Language language) => Terms(language).All[0].Text;

    /// <summary>The name with its article, as in a caption: "a lion", "grapes", "bread", "un águila".</summary>
    public string Label(Language language) => language == Language.English
        ? Words.English.Indefinite(English.All[0], null, some: false)
        : Words.Spanish.Indefinite(Spanish.All[0], null, some: false);

    /// <summary>Other words for the thing itself, without article.</summary>
    public IEnumerable<string> Synonyms(Language language) => Terms(language).All.Skip(1).Select(term => term.Text);

    /// <summary>CLDR's keywords, unchanged: names of the thing, but also its associations and actions.</summary>
    public IReadOnlyList<string> Keywords(Language language) => Terms(language).Keywords;

    /// <inheritdoc/>
    public override string ToString() => $"{Emoji} {Name(Language.English)}";

    internal ConceptTerms Terms(Language language) => language == Language.English ? English : Spanish;
}

/// <summary>A concept's words in one language: the name first, then synonyms; and CLDR's keywords.</summary>
internal sealed record ConceptTerms(IReadOnlyList<Term> All, IReadOnlyList<string> Keywords);
