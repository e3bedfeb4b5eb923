using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Alebrije.Preprocessing.Tokenizers;

/// <summary>
/// Ids of recent words, for any number of threads without a lock: an entry never changes, it is only replaced.
/// The size is bounded; of two words with the same slot the newer one stays.
/// </summary>
internal sealed class WordCache
{
    /// <summary>Bytes that must be readable from the start of every word, whatever their value.</summary>
    public const int Padding = 16;

    /// <summary>Bytes of the longest cached word.</summary>
    public const int LongestWord = 64;

    private const int SlotBits = 16;

    private readonly Entry?[] slots = new Entry?[1 << SlotBits];

    /// <summary>Finds a word.</summary>
    /// <param name="text">Text with at least <see cref="Padding"/> bytes from the word's start on.</param>
    /// <param name="start">First byte of the word.</param>
    /// <param name="length">Bytes of the word, 1 to <see cref="LongestWord"/>.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Entry? Find(ReadOnlySpan<byte> text, int start, int length)
    {
        var (head, place) = Locate(text, start, length);
        ref var slot = ref Unsafe.Add(ref MemoryMarshal.GetArrayDataReference(slots), place);
        if (slot is { } first && first.Is(head, text, start, length)) return first;
        return Unsafe.Add(ref MemoryMarshal.GetArrayDataReference(slots), place ^ 1) is { } second
            && second.Is(head, text, start, length) ? second : null;
    }

    /// <summary>Adds a word that was not found.</summary>
    public void Add(ReadOnlySpan<byte> text, int start, int length, ReadOnlySpan<int> ids)
    {
        var (head, place) = Locate(text, start, length);
        if (slots[place] is { } older) slots[place ^ 1] = older;
        slots[place] = new Entry(head, text.Slice(start, length), ids);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (Vector128<byte> Head, int Place) Locate(ReadOnlySpan<byte> text, int start, int length)
    {
        ref var first = ref Unsafe.Add(ref MemoryMarshal.GetReference(text), start);
        var head = Vector128.LoadUnsafe(ref first);
        if (length < Padding) head &= Vector128.LoadUnsafe(ref MemoryMarshal.GetReference(Ones), (nuint)(Padding - length));
        var words = head.AsUInt64();
        var mixed = (words[0] ^ (ulong)length) * 0x9E3779B97F4A7C15 ^ words[1] * 0xC2B2AE3D27D4EB4F;
        if (length > Padding)
        {
            var tail = Vector128.LoadUnsafe(ref Unsafe.Add(ref first, length - Padding)).AsUInt64();
            mixed ^= (tail[0] * 0x165667B19E3779F9) + (tail[1] * 0x27D4EB2F165667C5);
        }

        mixed ^= mixed >> 29;
        return (head, (int)((mixed * 0x9E3779B97F4A7C15) >> (64 - SlotBits)));
    }

    /// <summary>Sixteen bytes of ones, then sixteen of zeros: from 16 - n on, a mask of the first n.</summary>
    private static ReadOnlySpan<byte> Ones =>
    [
        255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    ];

    /// <summary>A word and its ids.</summary>
    public sealed class Entry
    {
        private readonly Vector128<byte> head;
        private readonly int length;
        private readonly byte[]? whole;
        private readonly int[] ids;

        public Entry(Vector128<byte> head, ReadOnlySpan<byte> word, ReadOnlySpan<int> ids)
        {
            (this.head, length) = (head, word.Length);
            whole = length > Padding ? word.ToArray() : null;
            (First, this.ids) = (ids[0], ids.Length == 1 ? [] : ids.ToArray());
        }

        /// <summary>The first id, and the only one of most words.</summary>
        public int First { get; }

        /// <summary>All ids; empty if <see cref="First"/> is the only one.</summary>
        public ReadOnlySpan<int> Ids => ids;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public bool Is(Vector128<byte> other, ReadOnlySpan<byte> text, int start, int count) =>
            head == other && length == count && (whole is null || text.Slice(start, count).SequenceEqual(whole));
    }
}
