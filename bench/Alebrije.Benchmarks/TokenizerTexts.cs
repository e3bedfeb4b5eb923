using Alebrije.Datasets;
using Alebrije.Embeddings;

namespace Alebrije.Benchmarks;

/// <summary>Texts of one kind: the same in every round, or new ones in each.</summary>
internal sealed record TextSet(string Name, IReadOnlyList<IReadOnlyList<string>> Rounds)
{
    public IReadOnlyList<string> Of(int round) => Rounds[round % Rounds.Count];
}

/// <summary>Typical captions and prompts of CLIP, and invented words that are in no cache.</summary>
internal static class TokenizerTexts
{
    private const int Captions = 4000, Prompts = 8000, NewTexts = 1000, Joined = 5;
    private const ulong Seed = 5;

    public static IEnumerable<TextSet> All(int rounds)
    {
        var prompts = ZeroShotPrompts();
        yield return new TextSet("zero-shot prompts", [prompts]);
        yield return new TextSet("zero-shot prompts, long", [Join(prompts)]);
        if (new WorldFiles().Missing().Count == 0)
        {
            var world = EmojiWorld.Open();
            string[] captions = [.. Enumerable.Range(0, Captions)
                .Select(i => world.Caption(world.Scene(Seed, i), i % 4 == 3 ? Language.Spanish : Language.English))];
            string[] english = [.. captions.Where((_, i) => i % 4 != 3)], spanish = [.. captions.Where((_, i) => i % 4 == 3)];
            yield return new TextSet("captions, English", [english]);
            yield return new TextSet("captions, English, long", [Join(english)]);
            yield return new TextSet("captions, Spanish", [spanish]);
            yield return new TextSet("captions, Spanish, long", [Join(spanish)]);
            yield return new TextSet("captions to be cleaned", [[.. captions.Select(Untidy)]]);
        }
        else
        {
            Console.Error.WriteLine(
                "Captions of EmojiWorld are left out: apt-get install fonts-noto-color-emoji unicode-cldr-core unicode-data.");
        }

        yield return new TextSet("new words in every round", [.. Enumerable.Range(0, rounds).Select(NewWords)]);
    }

    private static string[] ZeroShotPrompts()
    {
        var all = ZeroShotSet.All.SelectMany(set => set.Classes.SelectMany(name =>
            set.Templates.Select(template => template.Replace("{}", name, StringComparison.Ordinal)))).ToArray();
        var step = Math.Max(1, all.Length / Prompts);
        return [.. all.Where((_, i) => i % step == 0).Take(Prompts)];
    }

    private static string[] Join(IReadOnlyList<string> texts) =>
        [.. texts.Chunk(Joined).Select(few => string.Join(". ", few.Select(text => text.TrimEnd('.'))))];

    /// <summary>Captions of web pages: curly quotes, entities, emoji, accented capitals; not cleaned by the other side.</summary>
    private static string Untidy(string caption, int place) => (place % 4) switch
    {
        0 => $"“{caption}”",
        1 => $"{caption} &amp; more",
        2 => $"\U0001F981 {caption} \U0001F60A",
        _ => $"¡{caption.ToUpperInvariant()}! \u2019",
    };

    /// <summary>Eight invented words of two to four syllables per text, which no cache contains.</summary>
    private static string[] NewWords(int round)
    {
        string[] syllables = ["ka", "lu", "men", "tor", "zi", "pra",
            "osh", "bel", "qui", "dra", "fen", "gol", "ynt", "wes", "jar", "xio", "cre", "hum", "vath", "plo"];
        var random = new Random((int)Seed + round);
        return [.. Enumerable.Range(0, NewTexts).Select(_ => string.Join(' ', Enumerable.Range(0, 8).Select(_ =>
            string.Concat(Enumerable.Range(0, random.Next(3, 6)).Select(_ => syllables[random.Next(syllables.Length)])))))];
    }
}
