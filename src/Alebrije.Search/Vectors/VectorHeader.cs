using System.Buffers.Binary;
using System.IO.Hashing;

namespace Alebrije.Search.Vectors;

/// <summary>Type of the components of stored vectors.</summary>
public enum VectorType
{
    /// <summary>float32, 4 bytes.</summary>
    Single = 1,

    /// <summary>float16, 2 bytes.</summary>
    Half = 2,
}

/// <summary>
/// First 64 bytes of a file of vectors, little-endian: magic (8), version (4), width (4), type (4), bytes of a row (4), CRC-32 of these
/// (4), unused (4), published rows (8), unused.
/// </summary>
internal sealed record VectorHeader(int Width, VectorType Type)
{
    public const int Bytes = 64;
    public const int CountOffset = 32;
    public const int MaxWidth = 65536;
    private const int Version = 1;
    private const int Checked = 24;

    /// <summary>Bytes from one row to the next: the width in whole cache lines.</summary>
    public int Stride { get; } = ((Width * (Type == VectorType.Half ? 2 : 4)) + 63) / 64 * 64;

    private static ReadOnlySpan<byte> Magic => "ALBVECT\n"u8;

    public byte[] ToBytes()
    {
        var bytes = new byte[Bytes];
        Magic.CopyTo(bytes);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(8), Version);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(12), Width);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(16), (int)Type);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(20), Stride);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(Checked), Crc32.HashToUInt32(bytes.AsSpan(0, Checked)));
        return bytes;
    }

    public static VectorHeader Parse(ReadOnlySpan<byte> bytes, string path)
    {
        if (bytes.Length < Bytes || !bytes.StartsWith(Magic))
            throw new InvalidDataException($"{path} is not a file of vectors; build it again.");
        if (BinaryPrimitives.ReadUInt32LittleEndian(bytes[Checked..]) != Crc32.HashToUInt32(bytes[..Checked]))
            throw new InvalidDataException($"The header of {path} is damaged; build the file again.");
        var version = BinaryPrimitives.ReadInt32LittleEndian(bytes[8..]);
        if (version != Version)
            throw new InvalidDataException($"{path} has version {version} of the format, this program reads {Version}; update it.");
        var (width, type) = (BinaryPrimitives.ReadInt32LittleEndian(bytes[12..]), BinaryPrimitives.ReadInt32LittleEndian(bytes[16..]));
        if (width is < 1 or > MaxWidth || !Enum.IsDefined((VectorType)type))
            throw new InvalidDataException($"{path} states vectors of width {width} and type {type}, which are invalid; build it again.");
        var header = new VectorHeader(width, (VectorType)type);
        var stride = BinaryPrimitives.ReadInt32LittleEndian(bytes[20..]);
        return stride == header.Stride ? header
            : throw new InvalidDataException($"{path} states rows of {stride} bytes; width {width} has {header.Stride}. Build it again.");
    }
}
