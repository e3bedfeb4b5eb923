using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace Alebrije.Preprocessing.Tokenizers.SentencePiece;

/// <summary>
/// Rules that replace runs of characters, in SentencePiece's compiled form: a double-array trie (Aoe, 1989; layout of darts-clone)
/// whose values are offsets into a list of replacements that each end in a zero byte.
/// </summary>
internal sealed class CharacterMap
{
    private readonly uint[] units;
    private readonly byte[] replacements;

    /// <summary>Reads compiled rules.</summary>
    /// <param name="compiled">The size of the trie in bytes, the trie, the replacements.</param>
    /// <exception cref="InvalidDataException">The sizes do not match.</exception>
    public CharacterMap(ReadOnlySpan<byte> compiled)
    {
        var size = compiled.Length < sizeof(uint) ? uint.MaxValue : BinaryPrimitives.ReadUInt32LittleEndian(compiled);
        if (size == 0 || size % sizeof(uint) != 0 || size >= compiled.Length - sizeof(uint))
            throw new InvalidDataException($"its {compiled.Length} bytes of normalisation rules cannot hold a trie of {size}");
        units = MemoryMarshal.Cast<byte, uint>(compiled.Slice(sizeof(uint), (int)size)).ToArray();
        if (!BitConverter.IsLittleEndian) BinaryPrimitives.ReverseEndianness(units, units);
        replacements = compiled[(sizeof(uint) + (int)size)..].ToArray();
    }

    /// <summary>The rule for the longest run at the beginning of a text.</summary>
    /// <param name="text">UTF-8.</param>
    /// <param name="replacement">Replacement of the run.</param>
    /// <returns>Length of the run in bytes; 0 if no rule applies.</returns>
    public int Match(ReadOnlySpan<byte> text, out ReadOnlySpan<byte> replacement)
    {
        var (length, value) = (0, 0u);
        var node = Offset(units[0]);
        for (var i = 0; i < text.Length; i++)
        {
            node ^= text[i];
            if (node >= units.Length) break;
            var unit = units[node];
            if ((unit & 0x8000_00FF) != text[i]) break;
            node ^= Offset(unit);
            if ((unit >> 8 & 1) == 0) continue;
            if (node >= units.Length) break;
            (length, value) = (i + 1, units[node] & 0x7FFF_FFFF);
        }

        replacement = value < replacements.Length ? replacements.AsSpan((int)value) : default;
        if (replacement.IndexOf((byte)0) is >= 0 and var end) replacement = replacement[..end];
        return length;
    }

    private static uint Offset(uint unit) => unit >> 10 << (int)((unit & 1u << 9) >> 6);
}
