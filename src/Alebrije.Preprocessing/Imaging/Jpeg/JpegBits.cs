namespace Alebrije.Preprocessing.Imaging;

/// <summary>A Huffman code of a JPEG file (ITU T.81, annex C and F.2.2.3).</summary>
internal sealed class JpegHuffman
{
    private readonly int[] largest = new int[18], offset = new int[18];
    private readonly byte[] values;

    /// <param name="counts">Count of codes of each length from 1 to 16 bits.</param>
    /// <param name="values">Values of the codes, the shortest codes first.</param>
    public JpegHuffman(ReadOnlySpan<byte> counts, byte[] values)
    {
        this.values = values;
        var (code, index) = (0, 0);
        for (var bits = 1; bits <= 16; bits++, code <<= 1)
        {
            offset[bits] = index - code;
            (code, index) = (code + counts[bits - 1], index + counts[bits - 1]);
            largest[bits] = counts[bits - 1] == 0 ? -1 : code - 1;
        }
    }

    /// <summary>The next value, or 0 if the bits are not a code: damaged data gives wrong pixels, as in libjpeg.</summary>
    public int Next(ref JpegBits bits)
    {
        var code = 0;
        for (var length = 1; length <= 16; length++)
        {
            code = code << 1 | bits.Bit();
            if (code <= largest[length])
                return values[Math.Clamp(code + offset[length], 0, values.Length - 1)];
        }
        return 0;
    }
}

/// <summary>Reads the bits between two markers; zeros after the next marker, as in libjpeg.</summary>
internal ref struct JpegBits
{
    private readonly ReadOnlySpan<byte> file;
    private int current, left;

    public JpegBits(ReadOnlySpan<byte> file, int position)
    {
        this.file = file;
        Position = position;
    }

    /// <summary>The next byte to read; the marker once it is reached.</summary>
    public int Position { get; private set; }

    /// <summary>True if the file ended before the data did.</summary>
    public bool Ended { get; private set; }

    public int Bit()
    {
        if (left == 0)
        {
            (current, left) = (0, 8);
            if (Position >= file.Length)
                Ended = true;
            else if (file[Position] != 0xff)
                current = file[Position++];
            else if (Position + 1 < file.Length && file[Position + 1] == 0)
                (current, Position) = (0xff, Position + 2);
        }
        return current >> --left & 1;
    }

    public int Bits(int count)
    {
        var value = 0;
        for (; count > 0; count--)
            value = value << 1 | Bit();
        return value;
    }

    /// <summary>A signed number of <paramref name="size"/> bits; the first bit is the sign (ITU T.81, F.2.2.1).</summary>
    public int Signed(int size)
    {
        var value = Bits(size);
        return size > 0 && value < 1 << (size - 1) ? value - (1 << size) + 1 : value;
    }

    /// <summary>Drops the rest of the byte and skips a restart marker if there is one.</summary>
    public void Restart()
    {
        left = 0;
        if (Position + 1 < file.Length && file[Position] == 0xff && file[Position + 1] is >= 0xd0 and <= 0xd7)
            Position += 2;
    }
}
