using System.Buffers.Binary;

namespace Alebrije.Preprocessing.Tokenizers.SentencePiece;

/// <summary>
/// Reads the fields of one protocol-buffer message in turn: numbers, 4- and 8-byte values and runs of bytes, which may be nested messages.
/// Nothing is copied, and every length is checked before use.
/// </summary>
/// <param name="message">The message.</param>
internal ref struct ProtobufReader(ReadOnlySpan<byte> message)
{
    private const int LongestVarint = 10;

    private ReadOnlySpan<byte> rest = message;

    /// <summary>Number of the last field read.</summary>
    public int Field { get; private set; }

    /// <summary>The field's bytes; empty for a number.</summary>
    public ReadOnlySpan<byte> Bytes { get; private set; }

    /// <summary>The field as a number, or the bits of a 4- or 8-byte value; 0 for a run of bytes.</summary>
    public ulong Number { get; private set; }

    /// <summary>The field as a single-precision number.</summary>
    public readonly float Single => BitConverter.UInt32BitsToSingle((uint)Number);

    /// <summary>Moves to the next field; false at the end.</summary>
    /// <exception cref="InvalidDataException">The message is damaged.</exception>
    public bool Next()
    {
        if (rest.IsEmpty) return false;
        var tag = Varint();
        (Field, Number) = ((int)(tag >> 3 & 0x1FFF_FFFF), 0);
        Bytes = default;
        switch (tag & 7)
        {
            case 0:
                Number = Varint();
                break;
            case 1:
                Number = BinaryPrimitives.ReadUInt64LittleEndian(Take(sizeof(ulong)));
                break;
            case 2:
                Bytes = Take(Varint());
                break;
            case 5:
                Number = BinaryPrimitives.ReadUInt32LittleEndian(Take(sizeof(uint)));
                break;
            default:
                throw new InvalidDataException($"field {Field} is of the wire type {tag & 7}, which no such file has");
        }

        return true;
    }

    private ReadOnlySpan<byte> Take(ulong length)
    {
        if (length > (ulong)rest.Length)
            throw new InvalidDataException($"field {Field} should be {length} bytes long and {rest.Length} are left");
        var taken = rest[..(int)length];
        rest = rest[(int)length..];
        return taken;
    }

    private ulong Varint()
    {
        var value = 0UL;
        for (var i = 0; i < LongestVarint && i < rest.Length; i++)
        {
            value |= (ulong)(rest[i] & 0x7F) << (7 * i);
            if (rest[i] >= 0x80) continue;
            rest = rest[(i + 1)..];
            return value;
        }

        throw new InvalidDataException($"a number behind field {Field} does not end");
    }
}
