using System.Runtime.InteropServices;
using System.Text;
using Alebrije.Preprocessing.Tokenizers.Cleaning;

namespace Alebrije.Preprocessing.Tokenizers;

/// <summary>
/// Learns a CLIP-style byte-level BPE (Sennrich et al., 2016, algorithm 1): the most frequent pair of neighbours repeatedly
/// becomes a symbol. The same counts always give the same vocabulary: of equally frequent pairs the one with the smaller ids wins.
/// </summary>
public static class BpeTrainer
{
    /// <summary>Learns from texts, cleaned and split into words as <see cref="ClipTokenizer"/> does in the transformers dialect.</summary>
    /// <param name="texts">Any number of texts; read once.</param>
    /// <param name="vocabularySize">Symbols wanted, at least <see cref="BpeVocabulary.SmallestSize"/>.</param>
    /// <param name="minimumCount">Pairs seen less often are not merged.</param>
    /// <returns>A vocabulary of the size wanted, or a smaller one when no pair is left that is frequent enough.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The size is below the smallest, or the count below 1.</exception>
    public static BpeVocabulary Train(IEnumerable<string> texts, int vocabularySize, int minimumCount = 2)
    {
        ArgumentNullException.ThrowIfNull(texts);
        var counts = new Dictionary<string, long>(StringComparer.Ordinal);
        foreach (var text in texts)
        {
            var words = new ClipWordReader(ClipCleaning.Clean(text, ClipDialect.Transformers), ClipWordRules.Transformers);
            while (words.MoveNext())
                CollectionsMarshal.GetValueRefOrAddDefault(counts, words.Current.ToString(), out _)++;
        }
        return Train(counts, vocabularySize, minimumCount);
    }

    /// <summary>Learns from words and their counts; words are used as they are.</summary>
    /// <inheritdoc cref="Train(IEnumerable{string}, int, int)"/>
    /// <param name="wordCounts">Words, cleaned, with their counts; a count below 1 is ignored.</param>
    /// <param name="vocabularySize">Symbols wanted, at least <see cref="BpeVocabulary.SmallestSize"/>.</param>
    /// <param name="minimumCount">Pairs seen less often are not merged.</param>
    public static BpeVocabulary Train(IEnumerable<KeyValuePair<string, long>> wordCounts, int vocabularySize, int minimumCount = 2)
    {
        ArgumentNullException.ThrowIfNull(wordCounts);
        if (vocabularySize < BpeVocabulary.SmallestSize)
            throw new ArgumentOutOfRangeException(nameof(vocabularySize), vocabularySize,
                $"A vocabulary holds at least {BpeVocabulary.SmallestSize} symbols: 512 for bytes, start and end.");
        ArgumentOutOfRangeException.ThrowIfLessThan(minimumCount, 1);

        return new BpeVocabulary(Merges(wordCounts, vocabularySize - BpeVocabulary.SmallestSize, minimumCount, marksEnd: true));
    }

    /// <summary>Learns merges from words and their counts.</summary>
    /// <param name="wordCounts">Words with their counts; a count below 1 is ignored.</param>
    /// <param name="most">Merges wanted; fewer when no pair is left that is frequent enough.</param>
    /// <param name="minimumCount">Pairs seen less often are not merged.</param>
    /// <param name="marksEnd">True for CLIP, whose words end in a symbol of their own.</param>
    /// <returns>The merges in order, as symbols of bytes.</returns>
    internal static List<(string Left, string Right)> Merges(
        IEnumerable<KeyValuePair<string, long>> wordCounts, int most, int minimumCount, bool marksEnd)
    {
        var corpus = new Corpus(wordCounts, marksEnd);
        var merges = new List<(string, string)>(most);
        while (merges.Count < most && corpus.MostFrequentPair(minimumCount) is { } pair)
        {
            merges.Add((corpus.Symbols[pair.Left], corpus.Symbols[pair.Right]));
            corpus.Merge(pair);
        }

        return merges;
    }

    /// <summary>The words as symbols, and the positions of every pair of neighbours.</summary>
    private sealed class Corpus
    {
        private readonly List<(int[] Symbols, long Count)> words = [];
        private readonly Dictionary<(int Left, int Right), long> pairCounts = [];
        private readonly Dictionary<(int Left, int Right), HashSet<int>> pairWords = [];
        private readonly HashSet<string> known;

        public Corpus(IEnumerable<KeyValuePair<string, long>> wordCounts, bool marksEnd)
        {
            Symbols = [.. new BpeVocabulary([]).Tokens.Take(512)];
            known = [.. Symbols];
            var place = new int[256];
            for (var i = 0; i < 256; i++)
                place[ByteSymbols.InOrder[i]] = i;

            foreach (var (word, count) in wordCounts.Where(entry => entry.Key.Length > 0 && entry.Value > 0)
                .OrderBy(entry => entry.Key, StringComparer.Ordinal))
            {
                int[] symbols = [.. Encoding.UTF8.GetBytes(word).Select(value => place[value])];
                if (marksEnd) symbols[^1] += 256;
                words.Add((symbols, count));
                CountPairs(words.Count - 1, +1);
            }
        }

        public List<string> Symbols { get; }

        /// <summary>
        /// A pair whose merge would spell an existing symbol is skipped: each symbol is made by one merge, so that the order of merges
        /// alone decides how a word is cut.
        /// </summary>
        public (int Left, int Right)? MostFrequentPair(int minimumCount)
        {
            while (true)
            {
                (int Left, int Right)? best = null;
                var bestCount = minimumCount - 1L;
                foreach (var (pair, count) in pairCounts)
                {
                    if (count > bestCount || (count == bestCount && best is { } other && pair.CompareTo(other) < 0))
                        (best, bestCount) = (pair, count);
                }
                if (best is not { } found || !known.Contains(Symbols[found.Left] + Symbols[found.Right]))
                    return best;
                pairCounts[found] = long.MinValue;
            }
        }

        public void Merge((int Left, int Right) pair)
        {
            var merged = Symbols.Count;
            Symbols.Add(Symbols[pair.Left] + Symbols[pair.Right]);
            known.Add(Symbols[^1]);
            foreach (var word in pairWords[pair].ToArray())
            {
                CountPairs(word, -1);
                words[word] = (Join(words[word].Symbols, pair, merged), words[word].Count);
                CountPairs(word, +1);
            }
        }

        private void CountPairs(int word, int sign)
        {
            var (symbols, count) = words[word];
            for (var i = 0; i + 1 < symbols.Length; i++)
            {
                var pair = (symbols[i], symbols[i + 1]);
                ref var total = ref CollectionsMarshal.GetValueRefOrAddDefault(pairCounts, pair, out _);
                if (total != long.MinValue)
                    total += sign * count;
                if (total == 0)
                {
                    pairCounts.Remove(pair);
                    pairWords.Remove(pair);
                    continue;
                }
                ref var places = ref CollectionsMarshal.GetValueRefOrAddDefault(pairWords, pair, out _);
                places ??= [];
                if (sign > 0)
                    places.Add(word);
                else
                    places.Remove(word);
            }
        }

        private static int[] Join(int[] symbols, (int Left, int Right) pair, int merged)
        {
            var joined = new List<int>(symbols.Length);
            for (var i = 0; i < symbols.Length; i++)
            {
                var here = i + 1 < symbols.Length && (symbols[i], symbols[i + 1]) == pair;
                joined.Add(here ? merged : symbols[i]);
                if (here)
                    i++;
            }
            return [.. joined];
        }
    }
}
