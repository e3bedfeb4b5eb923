using System.Buffers.Binary;
using System.IO.Compression;
using System.IO.Hashing;

namespace Alebrije.Preprocessing.Imaging;

/// <summary>The chunk layer of PNG files (W3C PNG, section 5): length, name, bytes, CRC-32.</summary>
internal static class Png
{
    public static ReadOnlySpan<byte> Signature => [0x89, (byte)'P', (byte)'N', (byte)'G', 0x0d, 0x0a, 0x1a, 0x0a];

    /// <summary>Reads the chunk at <paramref name="offset"/>, checks its CRC and moves past it.</summary>
    /// <exception cref="ImageFormatException">The file ends inside the chunk, or the CRC is wrong.</exception>
    public static PngChunk ReadChunk(ReadOnlySpan<byte> file, ref int offset, string name)
    {
        if (file.Length - offset < 12)
            throw new ImageFormatException($"{name} is cut short: the PNG file ends at byte {file.Length}, before its end mark.");
        var length = BinaryPrimitives.ReadUInt32BigEndian(file[offset..]);
        var kind = BinaryPrimitives.ReadUInt32BigEndian(file[(offset + 4)..]);
        if (length > file.Length - offset - 12)
            throw new ImageFormatException(
                $"{name} is cut short: a part of the PNG file needs {length} bytes and {file.Length - offset - 12} are left.");
        var start = offset + 8;
        var crc = BinaryPrimitives.ReadUInt32BigEndian(file[(start + (int)length)..]);
        if (crc != Crc32.HashToUInt32(file.Slice(offset + 4, 4 + (int)length)))
            throw new ImageFormatException($"{name} is damaged: the checksum at byte {start + (int)length} does not fit.");
        offset = start + (int)length + 4;
        return new PngChunk(kind, start, (int)length);
    }

    public static void WriteChunk(Stream stream, ReadOnlySpan<byte> kind, ReadOnlySpan<byte> body)
    {
        Span<byte> number = stackalloc byte[4];
        BinaryPrimitives.WriteInt32BigEndian(number, body.Length);
        stream.Write(number);
        stream.Write(kind);
        stream.Write(body);
        var sum = new Crc32();
        sum.Append(kind);
        sum.Append(body);
        BinaryPrimitives.WriteUInt32BigEndian(number, sum.GetCurrentHashAsUInt32());
        stream.Write(number);
    }

    public static uint Kind(ReadOnlySpan<byte> name) => BinaryPrimitives.ReadUInt32BigEndian(name);

    /// <summary>Unpacks a zlib stream into <paramref name="target"/>; returns the number of bytes written.</summary>
    /// <exception cref="InvalidDataException">The stream is damaged.</exception>
    public static int Inflate(Stream packed, Span<byte> target)
    {
        using var zlib = new ZLibStream(packed, CompressionMode.Decompress);
        return zlib.ReadAtLeast(target, target.Length, throwOnEndOfStream: false);
    }

    public static byte[] Deflate(ReadOnlySpan<byte> bytes)
    {
        using var packed = new MemoryStream();
        using (var zlib = new ZLibStream(packed, CompressionLevel.Optimal, leaveOpen: true))
            zlib.Write(bytes);
        return packed.ToArray();
    }
}

/// <summary>Kind and position of a chunk's bytes in the file.</summary>
internal readonly record struct PngChunk(uint Kind, int Start, int Length);
