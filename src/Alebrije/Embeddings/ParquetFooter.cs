using System.Buffers.Binary;

namespace Alebrije.Embeddings;

/// <summary>
/// Checks a Parquet file's footer before the library reads it. The library trusts its counts: it would loop over a list of two
/// billion entries, or seek to a footer before the file. The footer is one Thrift compact structure (thrift-compact-protocol.md).
/// </summary>
internal static class ParquetFooter
{
    private const int Tail = 8, MostDepth = 32, LongestFooter = 1 << 28;

    private static ReadOnlySpan<byte> Magic => "PAR1"u8;

    /// <exception cref="FormatException">No Parquet file, or its footer is damaged; the message completes "is not readable:".</exception>
    public static void Check(Stream stream)
    {
        Span<byte> ends = stackalloc byte[Tail];
        if (stream.Length < Magic.Length + Tail || !Read(stream, 0, ends[..Magic.Length]).SequenceEqual(Magic))
            throw new FormatException("it is not a Parquet file.");
        if (!Read(stream, stream.Length - Tail, ends)[4..].SequenceEqual(Magic))
            throw new FormatException("it was cut short: it does not end as a Parquet file does.");
        var length = BinaryPrimitives.ReadUInt32LittleEndian(ends);
        if (length == 0 || length > LongestFooter || length > stream.Length - Magic.Length - Tail)
            throw new FormatException(
                $"it is not a Parquet file, or it is damaged: it states a footer of {length} bytes, and has {stream.Length} in all.");
        var walk = new Walk(Read(stream, stream.Length - Tail - length, new byte[length]));
        if (!walk.Structure(0)) throw new FormatException("its footer is damaged.");
        stream.Position = 0;
    }

    private static ReadOnlySpan<byte> Read(Stream stream, long at, Span<byte> into)
    {
        stream.Position = at;
        stream.ReadExactly(into);
        return into;
    }

    /// <summary>Steps over values; false where one would not fit into what is left.</summary>
    private ref struct Walk(ReadOnlySpan<byte> bytes)
    {
        private const int True = 1, False = 2, Byte = 3, I16 = 4, I64 = 6,
        Double = 7, Binary = 8, List = 9, Set = 10, Map = 11, Struct = 12;
        private ReadOnlySpan<byte> left = bytes;

        /// <summary>Fields up to the byte 0: a type, and how much the number of the field has grown or the number itself.</summary>
        public bool Structure(int depth)
        {
            while (depth < MostDepth && left.Length > 0)
            {
                var head = left[0];
                left = left[1..];
                if (head == 0) return true;
                if (head >> 4 == 0 && !Number(out _)) return false;
                if ((head & 15) is not (True or False) && !Value(head & 15, depth)) return false;
            }

            return false;
        }

        private bool Value(int type, int depth) => type switch
        {
            True or False or Byte => Skip(1),
            >= I16 and <= I64 => Number(out _),
            Double => Skip(8),
            Binary => Number(out var length) && Skip(length),
            List or Set => Entries(depth),
            Map => Pairs(depth),
            Struct => Structure(depth + 1),
            _ => false,
        };

        private bool Entries(int depth)
        {
            if (left.Length == 0) return false;
            var head = left[0];
            left = left[1..];
            var count = (ulong)(head >> 4);
            return (count < 15 || Number(out count)) && Each(count, head & 15, 0, depth);
        }

        private bool Pairs(int depth)
        {
            if (!Number(out var count)) return false;
            if (count == 0) return true;
            if (left.Length == 0) return false;
            var types = left[0];
            left = left[1..];
            return Each(count, types >> 4, types & 15, depth);
        }

        /// <summary>Every entry takes a byte at least.</summary>
        private bool Each(ulong count, int type, int second, int depth)
        {
            if (count > (ulong)left.Length || depth + 1 >= MostDepth) return false;
            for (var i = 0UL; i < count; i++)
                if (!Value(type, depth + 1) || (second != 0 && !Value(second, depth + 1))) return false;
            return true;
        }

        /// <summary>Seven bits a byte, the lowest first.</summary>
        private bool Number(out ulong number)
        {
            number = 0;
            for (var shift = 0; shift < 64 && left.Length > 0; shift += 7)
            {
                var part = left[0];
                left = left[1..];
                number |= (ulong)(part & 127) << shift;
                if (part < 128) return true;
            }

            return false;
        }

        private bool Skip(ulong count)
        {
            if (count > (ulong)left.Length) return false;
            left = left[(int)count..];
            return true;
        }
    }
}
