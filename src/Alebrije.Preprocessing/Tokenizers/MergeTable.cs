using System.Numerics;

namespace Alebrije.Preprocessing.Tokenizers;

/// <summary>Merges by their pair of symbols: a flat hash table, one cache line a look-up.</summary>
internal sealed class MergeTable
{
    /// <summary>Rank of a pair without a merge.</summary>
    public const int NoRank = int.MaxValue;

    private const ulong Spread = 0x9E3779B97F4A7C15;
    private const int SymbolBits = 20, RankBits = 24;

    // The pair above the rank, which is counted from 1, so that 0 is an empty slot.
    private readonly ulong[] slots;
    private readonly int[] merged;
    private readonly int shift;

    /// <param name="merges">Left, right and merged symbol, the first to apply first; of a repeated pair the last counts.</param>
    /// <exception cref="InvalidDataException">More than a million symbols or sixteen million merges.</exception>
    public MergeTable(IReadOnlyList<(int Left, int Right, int Merged)> merges)
    {
        if (merges.Count >= 1 << RankBits || merges.Any(merge => Math.Max(merge.Left, merge.Right) >= 1 << SymbolBits))
            throw new InvalidDataException(
                $"The vocabulary has {merges.Count} merges or ids of {1 << SymbolBits} and more: larger than any byte-level BPE.");
        slots = new ulong[BitOperations.RoundUpToPowerOf2((uint)Math.Max(16, 2 * merges.Count))];
        shift = 64 - BitOperations.Log2((uint)slots.Length);
        merged = new int[merges.Count];
        for (var rank = 0; rank < merges.Count; rank++)
        {
            var (left, right, makes) = merges[rank];
            merged[rank] = makes;
            var key = Key(left, right);
            var place = Place(key);
            while (slots[place] != 0 && slots[place] >> RankBits != key) place = (place + 1) & (slots.Length - 1);
            slots[place] = (key << RankBits) | (uint)(rank + 1);
        }
    }

    /// <summary>Rank of the pair's merge, or <see cref="NoRank"/>.</summary>
    public int RankOf(int left, int right)
    {
        var (all, key) = (slots, Key(left, right));
        for (var place = Place(key); ; place = (place + 1) & (all.Length - 1))
        {
            var slot = all[place];
            if (slot >> RankBits == key && slot != 0) return (int)(slot & ((1 << RankBits) - 1)) - 1;
            if (slot == 0) return NoRank;
        }
    }

    /// <summary>Symbol that a merge makes.</summary>
    public int MergedOf(int rank) => merged[rank];

    private static ulong Key(int left, int right) => ((ulong)(uint)left << SymbolBits) | (uint)right;

    private int Place(ulong key) => (int)((key * Spread) >> shift);
}
