using System.Buffers;
using System.Collections.Concurrent;
using System.Text;

namespace Alebrije.Preprocessing.Tokenizers;

/// <summary>
/// Byte-level BPE of one word: bytes become symbols, the last one marked <c>&lt;/w&gt;</c>, then the pair whose merge was learnt
/// first is joined until no pair is left that was learnt. Remembers short words; safe to call from many threads.
/// </summary>
internal sealed class BytePairEncoder
{
    private const int RememberedLength = 32, RememberedWords = 1 << 16, ScannedLength = 128;
    private const int NoRank = int.MaxValue;

    private readonly int[] inner = new int[256], last = new int[256];
    private readonly Dictionary<(int Left, int Right), (int Rank, int Merged)> merges;
    private readonly ConcurrentDictionary<string, int[]> remembered = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, int[]>.AlternateLookup<ReadOnlySpan<char>> lookup;
    private int rememberedCount;

    /// <param name="vocabulary">Symbols and their ids.</param>
    /// <param name="learnt">Merges, the first to apply first.</param>
    /// <param name="unknown">Id of a byte that has no symbol.</param>
    /// <exception cref="InvalidDataException">A merge joins or makes a symbol that the vocabulary lacks.</exception>
    public BytePairEncoder(IReadOnlyDictionary<string, int> vocabulary, IReadOnlyList<(string Left, string Right)> learnt, int unknown)
    {
        for (var value = 0; value < 256; value++)
        {
            var symbol = ByteSymbols.Of((byte)value).ToString();
            inner[value] = vocabulary.GetValueOrDefault(symbol, unknown);
            last[value] = vocabulary.GetValueOrDefault(symbol + ByteSymbols.EndOfWord, unknown);
        }
        merges = new(learnt.Count);
        for (var rank = 0; rank < learnt.Count; rank++)
        {
            var (left, right) = learnt[rank];
            merges[(Find(left), Find(right))] = (rank, Find(left + right));
        }
        lookup = remembered.GetAlternateLookup<ReadOnlySpan<char>>();

        int Find(string symbol) => vocabulary.TryGetValue(symbol, out var id) ? id : throw new InvalidDataException(
            $"A merge needs the symbol '{symbol}', which the vocabulary does not have; merges.txt and vocab.json must come from one training.");
    }

    /// <summary>Fixes the ids of one word, as for a special token that counts wherever it is spelled.</summary>
    public void Remember(string word, int[] ids) => remembered[word] = ids;

    /// <summary>Appends the ids of one word; a lone surrogate counts as U+FFFD.</summary>
    public void Encode(ReadOnlySpan<char> word, List<int> ids)
    {
        if (lookup.TryGetValue(word, out var known))
        {
            ids.AddRange(known);
            return;
        }
        var bytes = Encoding.UTF8.GetByteCount(word);
        var rented = ArrayPool<byte>.Shared.Rent(bytes);
        var symbols = ArrayPool<int>.Shared.Rent(bytes);
        Encoding.UTF8.GetBytes(word, rented);
        for (var i = 0; i < bytes; i++)
            symbols[i] = i == bytes - 1 ? last[rented[i]] : inner[rented[i]];

        var count = bytes <= ScannedLength ? MergeByScanning(symbols.AsSpan(0, bytes)) : MergeByQueue(symbols.AsSpan(0, bytes));
        var result = symbols.AsSpan(0, count);
        ids.AddRange(result);
        if (word.Length <= RememberedLength && rememberedCount < RememberedWords && remembered.TryAdd(word.ToString(), result.ToArray()))
            Interlocked.Increment(ref rememberedCount);
        ArrayPool<byte>.Shared.Return(rented);
        ArrayPool<int>.Shared.Return(symbols);
    }

    /// <summary>Joins in place, looking through all pairs for every merge: quickest for words as people write them.</summary>
    /// <returns>How many symbols are left, from the front.</returns>
    internal int MergeByScanning(Span<int> symbols)
    {
        Span<int> ranks = stackalloc int[ScannedLength];
        var count = symbols.Length;
        for (var i = 0; i + 1 < count; i++)
            ranks[i] = RankOf(symbols[i], symbols[i + 1]);
        while (count > 1)
        {
            var (place, best) = (-1, NoRank);
            for (var i = 0; i + 1 < count; i++)
            {
                if (ranks[i] < best)
                    (place, best) = (i, ranks[i]);
            }
            if (place < 0)
                break;
            symbols[place] = merges[(symbols[place], symbols[place + 1])].Merged;
            symbols[(place + 2)..count].CopyTo(symbols[(place + 1)..]);
            ranks[(place + 1)..(count - 1)].CopyTo(ranks[place..]);
            count--;
            if (place > 0)
                ranks[place - 1] = RankOf(symbols[place - 1], symbols[place]);
            if (place + 1 < count)
                ranks[place] = RankOf(symbols[place], symbols[place + 1]);
        }
        return count;
    }

    /// <summary>Joins in place with a queue of pairs, so that a word of a million letters takes no time to speak of.</summary>
    /// <returns>How many symbols are left, from the front.</returns>
    internal int MergeByQueue(Span<int> symbols)
    {
        var (next, previous) = (new int[symbols.Length], new int[symbols.Length]);
        var queue = new PriorityQueue<(int Place, int Left, int Right), (int Rank, int Place)>();
        for (var i = 0; i < symbols.Length; i++)
            (next[i], previous[i]) = (i + 1, i - 1);
        for (var i = 0; i + 1 < symbols.Length; i++)
            Offer(symbols, i, i + 1);

        while (queue.TryDequeue(out var pair, out _))
        {
            var right = next[pair.Place];
            if (symbols[pair.Place] != pair.Left || right >= symbols.Length || symbols[right] != pair.Right)
                continue;
            symbols[pair.Place] = merges[(pair.Left, pair.Right)].Merged;
            symbols[right] = -1;
            next[pair.Place] = next[right];
            if (next[right] < symbols.Length)
                previous[next[right]] = pair.Place;
            if (previous[pair.Place] >= 0)
                Offer(symbols, previous[pair.Place], pair.Place);
            if (next[pair.Place] < symbols.Length)
                Offer(symbols, pair.Place, next[pair.Place]);
        }

        var count = 0;
        for (var i = 0; i < symbols.Length; i = next[i])
            symbols[count++] = symbols[i];
        return count;

        void Offer(Span<int> all, int left, int right)
        {
            if (RankOf(all[left], all[right]) is var rank && rank != NoRank)
                queue.Enqueue((left, all[left], all[right]), (rank, left));
        }
    }

    private int RankOf(int left, int right) => merges.TryGetValue((left, right), out var merge) ? merge.Rank : NoRank;
}
