using System.Buffers;
using System.Runtime.CompilerServices;
using System.Text;

namespace Alebrije.Preprocessing.Tokenizers;

/// <summary>
/// Byte-level BPE of one word: bytes become symbols, in CLIP the last one marked <c>&lt;/w&gt;</c>, then the pair with the lowest rank
/// is merged until no learnt pair is left. Caches short words; safe to call from many threads.
/// </summary>
internal sealed class BytePairEncoder
{
    private const int ScannedLength = 128, StackBytes = 256;

    private readonly int[] inner = new int[256], last = new int[256];
    private readonly MergeTable merges;
    private readonly WordCache remembered = new();
    private readonly Dictionary<string, int[]> given = new(StringComparer.Ordinal);

    /// <param name="vocabulary">Symbols and their ids.</param>
    /// <param name="learnt">Merges, the first to apply first.</param>
    /// <param name="unknown">Id of a byte without a symbol.</param>
    /// <param name="marksEnd">True for CLIP, whose words end in a symbol of their own.</param>
    /// <exception cref="InvalidDataException">A symbol of a merge is missing from the vocabulary.</exception>
    public BytePairEncoder(
        IReadOnlyDictionary<string, int> vocabulary, IReadOnlyList<(string Left, string Right)> learnt, int unknown, bool marksEnd = true)
    {
        for (var value = 0; value < 256; value++)
        {
            var symbol = ByteSymbols.Of((byte)value).ToString();
            inner[value] = vocabulary.GetValueOrDefault(symbol, unknown);
            last[value] = marksEnd ? vocabulary.GetValueOrDefault(symbol + ByteSymbols.EndOfWord, unknown) : inner[value];
        }
        merges = new MergeTable([.. learnt.Select(pair => (Find(pair.Left), Find(pair.Right), Find(pair.Left + pair.Right)))]);

        int Find(string symbol) => vocabulary.TryGetValue(symbol, out var id) ? id : throw new InvalidDataException(
            $"A merge needs the symbol '{symbol}', which the vocabulary "
                + $"does not have; merges.txt and vocab.json must come from one training.");
    }

    /// <summary>Fixes the ids of one word, for a special token that is valid wherever it is spelled. Call before the first text.</summary>
    public void Remember(string word, int[] ids) => given[word] = ids;

    /// <summary>Appends the ids of one word; a lone surrogate counts as U+FFFD.</summary>
    [SkipLocalsInit]
    public void Encode(scoped ReadOnlySpan<char> word, scoped ref IdBuffer ids)
    {
        if (given.Count > 0 && given.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(word, out var known))
        {
            ids.AddRange(known);
            return;
        }
        var size = Encoding.UTF8.GetMaxByteCount(word.Length) + WordCache.Padding;
        var rented = size > StackBytes ? ArrayPool<byte>.Shared.Rent(size) : null;
        var bytes = rented ?? stackalloc byte[StackBytes];
        var length = Encoding.UTF8.GetBytes(word, bytes);
        Encode(bytes, 0, length, ref ids);
        if (rented is not null) ArrayPool<byte>.Shared.Return(rented);
    }

    /// <summary>Appends the ids of one word in UTF-8.</summary>
    /// <param name="text">Text with at least <see cref="WordCache.Padding"/> bytes from the word's start on.</param>
    /// <param name="start">First byte of the word.</param>
    /// <param name="length">Bytes of the word, at least 1.</param>
    /// <param name="ids">Buffer to append to.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Encode(scoped ReadOnlySpan<byte> text, int start, int length, scoped ref IdBuffer ids)
    {
        if (length > WordCache.LongestWord || remembered.Find(text, start, length) is not { } known)
            EncodeNew(text, start, length, ref ids);
        else if (known.Ids.Length == 0) ids.Add(known.First);
        else ids.AddRange(known.Ids);
    }

    private void EncodeNew(scoped ReadOnlySpan<byte> text, int start, int length, scoped ref IdBuffer ids)
    {
        var rented = length > ScannedLength ? ArrayPool<int>.Shared.Rent(length) : null;
        var symbols = rented is not null ? rented.AsSpan(0, length) : stackalloc int[length];
        for (var i = 0; i < length; i++)
            symbols[i] = i == length - 1 ? last[text[start + i]] : inner[text[start + i]];
        var found = symbols[..(rented is null ? MergeByScanning(symbols) : MergeByQueue(symbols))];
        ids.AddRange(found);
        if (length <= WordCache.LongestWord) remembered.Add(text, start, length, found);
        if (rented is not null) ArrayPool<int>.Shared.Return(rented);
    }

    /// <summary>Merges in place, scanning all pairs for every merge: fastest for ordinary words.</summary>
    /// <returns>Number of symbols left, from the front.</returns>
    [SkipLocalsInit]
    internal int MergeByScanning(Span<int> symbols)
    {
        // Each entry holds the rank of its pair above its own position, so that the minimum is the first of the best pairs.
        const long NoPair = long.MaxValue;
        const int PlaceBits = 8;
        Span<long> pairs = stackalloc long[ScannedLength];
        Span<byte> next = stackalloc byte[ScannedLength + 1], previous = stackalloc byte[ScannedLength + 1];
        pairs = pairs[..symbols.Length];
        for (var i = 0; i < symbols.Length; i++)
            (pairs[i], next[i], previous[i]) = (i + 1 < symbols.Length ? PairOf(symbols, i, i + 1) : NoPair, (byte)(i + 1), (byte)(i - 1));
        while (true)
        {
            var best = NoPair;
            foreach (var pair in pairs)
                best = Math.Min(best, pair);
            if (best == NoPair)
                break;
            var place = (int)best & ((1 << PlaceBits) - 1);
            var right = next[place];
            var behind = next[right];
            symbols[place] = merges.MergedOf((int)(best >> PlaceBits));
            pairs[right] = NoPair;
            next[place] = behind;
            previous[behind] = (byte)place;
            pairs[place] = behind < symbols.Length ? PairOf(symbols, place, behind) : NoPair;
            if (place > 0)
                pairs[previous[place]] = PairOf(symbols, previous[place], place);
        }

        var count = 0;
        for (var i = 0; i < symbols.Length; i = next[i])
            symbols[count++] = symbols[i];
        return count;

        long PairOf(Span<int> all, int left, int right) =>
            merges.RankOf(all[left], all[right]) is var rank && rank == MergeTable.NoRank ? NoPair : ((long)rank << PlaceBits) | (uint)left;
    }

    /// <summary>Merges in place with a priority queue of pairs, for words of up to a million letters.</summary>
    /// <returns>Number of symbols left, from the front.</returns>
    internal int MergeByQueue(Span<int> symbols)
    {
        var (next, previous) = (new int[symbols.Length], new int[symbols.Length]);
        var queue = new PriorityQueue<(int Place, int Left, int Right, int Rank), (int Rank, int Place)>();
        for (var i = 0; i < symbols.Length; i++)
            (next[i], previous[i]) = (i + 1, i - 1);
        for (var i = 0; i + 1 < symbols.Length; i++)
            Offer(symbols, i, i + 1);

        while (queue.TryDequeue(out var pair, out _))
        {
            var right = next[pair.Place];
            if (symbols[pair.Place] != pair.Left || right >= symbols.Length || symbols[right] != pair.Right)
                continue;
            symbols[pair.Place] = merges.MergedOf(pair.Rank);
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
            if (merges.RankOf(all[left], all[right]) is var rank && rank != MergeTable.NoRank)
                queue.Enqueue((left, all[left], all[right], rank), (rank, left));
        }
    }
}
