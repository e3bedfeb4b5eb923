namespace Alebrije.Datasets.Words;

/// <summary>English articles and plurals for the noun phrases of the world.</summary>
internal static class English
{
    private static readonly HashSet<string> LinkWords = new(StringComparer.Ordinal)
    {
        "of", "with", "without", "in", "on", "at", "behind", "for", "from", "over", "under", "and", "showing", "making", "doing", "holding",
        "raising", "wearing", "getting", "taking", "rowing", "bouncing", "playing", "lifting", "pointing", "facing", "gesturing", "tipping",
        "kneeling", "standing", "walking", "running", "climbing", "biking",
        "swimming", "surfing", "golfing", "juggling", "shrugging", "bowing",
        "frowning", "pouting", "facepalming", "dancing", "blowing", "savoring", "screaming", "vomiting", "breastfeeding", "kissing",
        "meditating", "wrestling", "hugging", "being", "landing", "fencing", "to", "tilted", "fluttering",
        "rolling", "crossed",
    };

    private static readonly Dictionary<string, string> Irregular = new(StringComparer.Ordinal)
    {
        ["mouse"] = "mice", ["goose"] = "geese", ["moose"] = "moose", ["foot"] = "feet", ["tooth"] = "teeth", ["sheep"] = "sheep",
        ["deer"] = "deer", ["fish"] = "fish", ["jellyfish"] = "jellyfish", ["blowfish"] = "blowfish", ["pufferfish"] = "pufferfish",
        ["ox"] = "oxen", ["leaf"] = "leaves", ["knife"] = "knives", ["loaf"] = "loaves", ["wolf"] = "wolves", ["elf"] = "elves",
        ["scarf"] = "scarves", ["man"] = "men", ["woman"] = "women", ["child"] = "children", ["person"] = "people", ["snowman"] = "snowmen",
        ["cactus"] = "cacti", ["bison"] = "bison", ["shrimp"] = "shrimp", ["squid"] = "squid", ["aircraft"] = "aircraft", ["die"] = "dice",
        ["bacterium"] = "bacteria", ["potato"] = "potatoes", ["tomato"] = "tomatoes", ["mango"] = "mangoes", ["buffalo"] = "buffaloes",
        ["mosquito"] = "mosquitoes", ["volcano"] = "volcanoes", ["tornado"] = "tornadoes", ["superhero"] = "superheroes",
        ["domino"] = "dominoes", ["sari"] = "saris", ["axe"] = "axes",
            ["trousers"] = "trousers", ["pickaxe"] = "pickaxes", ["sheaf"] = "sheaves",
        ["merperson"] = "merpeople", ["bunch"] = "bunches",
    };

    // Singular nouns that end in s, and plural ones that do not look like it.
    private static readonly HashSet<string> SingularInS = new(StringComparer.Ordinal) { "tennis",
        "iris", "canvas", "gas", "ibis", "chess", "rhinoceros" };
    private static readonly HashSet<string> PluralWords = new(StringComparer.Ordinal)
        { "people", "women", "men", "children", "skis", "eyes", "feet", "arts", "thumbs", "palms", "leaves", "headphones" };
    private static readonly HashSet<string> TakesThe = new(StringComparer.Ordinal) { "Statue of Liberty", "Milky Way", "Kaaba" };
    private static readonly string[] SilentH = ["hour", "honest", "heir", "herb"];
    private static readonly string[] ConsonantSound =
        ["uni", "use", "euro", "one", "ukulele", "ufo", "utens", "u.s"];
    private static readonly string[] LettersWithVowelSound = ["X-ray", "x-ray", "SUV"];

    /// <summary>Reads a phrase with its marks: <c>~</c> mass, <c>!</c> proper.</summary>
    public static Term Parse(string marked)
    {
        var text = marked.TrimEnd('~', '!').Replace('’', '\'');
        if (marked.EndsWith('~'))
            return new Term(text, NounKind.Mass, text);
        if (marked.EndsWith('!'))
            return new Term(text, NounKind.Proper, text);
        if (text.IndexOf('/', StringComparison.Ordinal) is > 0 and var slash)
            return new Term(text[..slash], NounKind.Count, text[(slash + 1)..]);
        var words = text.Split(' ');
        var head = HeadIndex(words);
        if (IsPlural(words[head]))
            return new Term(text, NounKind.Plural, text);
        var plural = (string[])words.Clone();
        plural[head] = Pluralise(words[head]);
        for (var i = 0; i < head; i++)
            plural[i] = words[i] switch { "man's" => "men's", "woman's" => "women's", _ => words[i] };
        if (words.Length == head + 3 && words[head + 1] == "and" && !IsPlural(words[head + 2]))
            plural[head + 2] = Pluralise(words[head + 2]);
        return new Term(text, NounKind.Count, string.Join(' ', plural));
    }

    /// <summary>"a lion", "an owl", "bread", "grapes", with a size word where given: "a small owl".</summary>
    public static string Indefinite(Term term, string? size, bool some)
    {
        var phrase = size is null ? term.Text : $"{size} {term.Text}";
        return term.Kind switch
        {
            NounKind.Count => $"{Article(phrase)} {phrase}",
            NounKind.Plural or NounKind.Mass when some && size is null => $"some {phrase}",
            NounKind.Proper when size is not null || TakesThe.Contains(term.Text) => size is null ? $"the {phrase}" : $"a {phrase}",
            _ => phrase,
        };
    }

    /// <summary>"the lion", "Mount Fuji".</summary>
    public static string Definite(Term term) =>
        term.Kind == NounKind.Proper && !TakesThe.Contains(term.Text) ? term.Text : $"the {term.Text}";

    public static string Article(string phrase)
    {
        if (LettersWithVowelSound.Any(p => phrase.StartsWith(p, StringComparison.Ordinal)))
            return "an";
        var lower = phrase.ToLowerInvariant();
        if (SilentH.Any(p => lower.StartsWith(p, StringComparison.Ordinal)))
            return "an";
        if (ConsonantSound.Any(p => lower.StartsWith(p, StringComparison.Ordinal)))
            return "a";
        return "aeiou8".Contains(lower[0], StringComparison.Ordinal) ? "an" : "a";
    }

    // The noun that takes the plural stands before the first link word: "ear of corn", "person running".
    private static int HeadIndex(string[] words)
    {
        if (words[0] == "person")
            return 0;
        // In "slightly frowning face" the participle belongs to the noun behind it.
        var link = Array.FindIndex(words, 1, LinkWords.Contains);
        if (link > 0 && words[link - 1].EndsWith("ly", StringComparison.Ordinal))
            link = -1;
        return link < 0 ? words.Length - 1 : link - 1;
    }

    private static bool IsPlural(string word)
    {
        if (PluralWords.Contains(word))
            return true;
        return word.Length > 3 && word.EndsWith('s') && !SingularInS.Contains(word)
            && !word.EndsWith("ss", StringComparison.Ordinal) && !word.EndsWith("us", StringComparison.Ordinal)
            && !word.EndsWith("is", StringComparison.Ordinal)
            && !word.EndsWith("'s", StringComparison.Ordinal);
    }

    private static string Pluralise(string word)
    {
        if (Irregular.TryGetValue(word, out var plural))
            return plural;
        if (word.EndsWith('y') && word.Length > 2 && !"aeiou".Contains(word[^2], StringComparison.Ordinal))
            return word[..^1] + "ies";
        if (word.EndsWith('s') || word.EndsWith('x') || word.EndsWith('z')
            || word.EndsWith("ch", StringComparison.Ordinal) || word.EndsWith("sh", StringComparison.Ordinal))
            return word + "es";
        return word + "s";
    }
}
