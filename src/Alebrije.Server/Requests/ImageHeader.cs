using System.Buffers.Binary;
using SkiaSharp;

namespace Alebrije.Server.Requests;

/// <summary>Size of an image from its first bytes, before anything is decoded.</summary>
internal static class ImageHeader
{
    /// <summary>Columns and rows of a PNG, JPEG, GIF, BMP or WebP file; null for other bytes.</summary>
    public static (long Width, long Height)? Size(ReadOnlySpan<byte> file)
    {
        if (file.Length >= 24 && file.StartsWith((ReadOnlySpan<byte>)[0x89, (byte)'P', (byte)'N', (byte)'G', 0x0d, 0x0a, 0x1a, 0x0a]))
            return (BinaryPrimitives.ReadUInt32BigEndian(file[16..]), BinaryPrimitives.ReadUInt32BigEndian(file[20..]));
        if (file.Length >= 10 && (file.StartsWith("GIF87a"u8) || file.StartsWith("GIF89a"u8)))
            return (BinaryPrimitives.ReadUInt16LittleEndian(file[6..]), BinaryPrimitives.ReadUInt16LittleEndian(file[8..]));
        if (file.Length >= 26 && file.StartsWith("BM"u8)) return Bitmap(file);
        if (file.StartsWith((ReadOnlySpan<byte>)[0xff, 0xd8, 0xff])
            || (file.Length >= 12 && file.StartsWith("RIFF"u8) && file[8..12].SequenceEqual("WEBP"u8))) return Skia(file);
        return null;
    }

    private static (long Width, long Height)? Bitmap(ReadOnlySpan<byte> file) =>
        BinaryPrimitives.ReadUInt32LittleEndian(file[14..]) == 12
        ? (BinaryPrimitives.ReadUInt16LittleEndian(file[18..]), BinaryPrimitives.ReadUInt16LittleEndian(file[20..]))
        : (BinaryPrimitives.ReadInt32LittleEndian(file[18..]), Math.Abs((long)BinaryPrimitives.ReadInt32LittleEndian(file[22..])));

    private static (long Width, long Height)? Skia(ReadOnlySpan<byte> file)
    {
        using var data = SKData.CreateCopy(file);
        using var codec = SKCodec.Create(data);
        return codec is null ? null : (codec.Info.Width, codec.Info.Height);
    }
}
