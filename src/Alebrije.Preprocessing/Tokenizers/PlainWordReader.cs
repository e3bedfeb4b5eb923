using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Alebrije.Preprocessing.Tokenizers;

/// <summary>
/// Splits plain text (<see cref="Cleaning.PlainAlphabet"/>) in lower case and UTF-8 into the words of <see cref="ClipWordReader"/>:
/// beyond ASCII it has letters only, so that sixteen bytes are classified at once.
/// </summary>
/// <param name="text">The text, followed by <see cref="WordCache.Padding"/> zero bytes.</param>
/// <param name="length">Bytes of the text.</param>
internal ref struct PlainWordReader(ReadOnlySpan<byte> text, int length)
{
    private readonly ReadOnlySpan<byte> text = text;
    private readonly int length = length;
    private int end;

    /// <summary>First byte of the last word found.</summary>
    public int Start { get; private set; }

    /// <summary>Bytes of the last word found.</summary>
    public readonly int Length => end - Start;

    /// <summary>Converts ASCII capitals to lower case; other bytes stay.</summary>
    /// <param name="padded">A multiple of sixteen bytes, or the text with more bytes after it.</param>
    /// <param name="length">Bytes of the text; up to fifteen more are read.</param>
    public static void Lower(Span<byte> padded, int length)
    {
        ref var first = ref MemoryMarshal.GetReference(padded);
        for (var place = 0; place < length; place += Vector128<byte>.Count)
        {
            var units = Vector128.LoadUnsafe(ref first, (nuint)place);
            var capitals = Vector128.LessThanOrEqual(units - Vector128.Create((byte)'A'), Vector128.Create((byte)25));
            (units | (capitals & Vector128.Create((byte)0x20))).StoreUnsafe(ref first, (nuint)place);
        }
    }

    /// <summary>Moves to the next word; false if there is none.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool MoveNext()
    {
        var place = end;
        while (place < length && text[place] is (byte)' ' or (byte)'\n' or (byte)'\t') place++;
        Start = end = place;
        if (place >= length) return false;
        var letters = LettersAt(place);
        if (letters is > 0 and < 16) end = place + letters;
        else if (letters == 0) ReadOther();
        else ReadLetters();
        return true;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private readonly int LettersAt(int place)
    {
        var units = Vector128.LoadUnsafe(ref MemoryMarshal.GetReference(text), (nuint)place);
        var ascii = Vector128.LessThanOrEqual(units - Vector128.Create((byte)'a'), Vector128.Create((byte)25));
        return BitOperations.TrailingZeroCount(~(ascii | units).ExtractMostSignificantBits());
    }

    private void ReadLetters()
    {
        int more;
        do
        {
            more = Math.Min(LettersAt(end), 16);
            end += more;
        }
        while (more == 16 && end < length);
    }

    private void ReadOther()
    {
        if (char.IsAsciiDigit((char)text[end]))
        {
            end++;
            return;
        }

        if (text[end] == '\'' && Contraction(text[(end + 1)..length]) is > 0 and var letters)
        {
            end += 1 + letters;
            return;
        }

        do end++;
        while (end < length && IsOther(text[end]));
    }

    private static bool IsOther(byte unit) => unit is > (byte)' ' and < 0x7F && !char.IsAsciiLetterOrDigit((char)unit);

    private static int Contraction(ReadOnlySpan<byte> after) => after switch
    {
        [(byte)'s' or (byte)'t' or (byte)'m' or (byte)'d', ..] => 1,
        [(byte)'r' or (byte)'v', (byte)'e', ..] or [(byte)'l', (byte)'l', ..] => 2,
        _ => 0,
    };
}
