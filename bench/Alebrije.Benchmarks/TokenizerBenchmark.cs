using System.Globalization;
using System.Text.RegularExpressions;
using Alebrije.Preprocessing.Tokenizers;
using Microsoft.ML.Tokenizers;

namespace Alebrije.Benchmarks;

/// <summary>
/// Tokenization with CLIP's vocabulary: <see cref="ClipTokenizer"/> in OpenAI's dialect with its full cleaning, against
/// Microsoft.ML.Tokenizers set up as CLIP's BPE, which only converts to lower case.
/// </summary>
internal static partial class TokenizerBenchmark
{
    public static void Run(int rounds)
    {
        var (ours, theirs) = (ClipTokenizer.OpenAi(), Theirs());
        Console.WriteLine($"{rounds} rounds, both in turns; microseconds a text and ratio: median (p10-p90)");
        Console.WriteLine($"{"texts",-28}{"number",8}{"tokens",8}{"same ids",10}{"ours",20}"
            + $"{"Microsoft.ML",24}{"ratio",22}{"bytes a text, both",22}");
        foreach (var set in TokenizerTexts.All(rounds + 8))
        {
            var texts = set.Rounds[0];
            var ids = texts.Select(ours.Encode).ToArray();
            var same = ids.Where((row, i) => theirs.EncodeToIds(texts[i]).SequenceEqual(row)).Count();
            var repeats = set.Rounds.Count > 1 ? 1 : Math.Max(1, 40_000 / texts.Count);
            var result = Comparison.Run(rounds, round => Ours(set.Of(round), repeats), round => Other(set.Of(round), repeats));
            var scale = 1e6 / (texts.Count * repeats);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{set.Name,-28}{texts.Count,8}{ids.Average(row => row.Length),8:0.0}{same,10}"
                    + $"{Scaled(result.Ours, scale),20}{Scaled(result.Theirs, scale),24}{result.Ratio,22}"
                        + $"{Allocated(() => Ours(texts, 1)) / texts.Count,12} {Allocated(() => Other(texts, 1)) / texts.Count,8}"));
        }

        void Ours(IReadOnlyList<string> texts, int repeats)
        {
            for (var r = 0; r < repeats; r++)
                for (var i = 0; i < texts.Count; i++)
                    Keep(ours.Encode(texts[i]).Length);
        }

        void Other(IReadOnlyList<string> texts, int repeats)
        {
            for (var r = 0; r < repeats; r++)
                for (var i = 0; i < texts.Count; i++)
                    Keep(theirs.EncodeToIds(texts[i]).Count);
        }
    }

    /// <summary>Sink of results, against dead-code elimination.</summary>
    private static void Keep(int value) => kept += value;

    private static long kept;

    private static Spread Scaled(Spread seconds, double scale) => new(seconds.Low * scale, seconds.Median * scale, seconds.High * scale);

    private static long Allocated(Action work)
    {
        var before = GC.GetAllocatedBytesForCurrentThread();
        work();
        return GC.GetAllocatedBytesForCurrentThread() - before;
    }

    private static BpeTokenizer Theirs()
    {
        var vocabulary = BpeVocabulary.OpenAi();
        var specials = new Dictionary<string, int> { ["<|startoftext|>"] = vocabulary.Tokens.Count - 2,
            ["<|endoftext|>"] = vocabulary.Tokens.Count - 1 };
        return BpeTokenizer.Create(
            new BpeOptions(vocabulary.Tokens.Select((token, id) => KeyValuePair.Create(token, id)).DistinctBy(pair => pair.Key))
        {
            Merges = vocabulary.Merges.Select(merge => $"{merge.Left} {merge.Right}"),
            ByteLevel = true,
            EndOfWordSuffix = "</w>",
            Normalizer = LowerCaseNormalizer.Instance,
            PreTokenizer = new RegexPreTokenizer(Words(), specials),
            SpecialTokens = specials,
            UnknownToken = "<|endoftext|>",
            BeginningOfSentenceToken = "<|startoftext|>",
            EndOfSentenceToken = "<|endoftext|>",
        });
    }

    [GeneratedRegex(@"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+", RegexOptions.IgnoreCase)]
    private static partial Regex Words();
}
