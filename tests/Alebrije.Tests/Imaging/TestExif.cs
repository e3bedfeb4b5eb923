using System.Buffers.Binary;
using System.Text;
using SkiaSharp;

namespace Alebrije.Tests.Imaging;

/// <summary>Image files with an EXIF orientation, assembled by hand.</summary>
internal static class TestExif
{
    public const int Width = 3, Height = 2;

    private static readonly (byte, byte, byte)[] Colours = [(0, 0, 0),
        (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (255, 0, 255), (0, 255, 255)];

    /// <summary>Six pixels of the colours 1 to 6, row by row.</summary>
    public static byte[] Pixels =>
        [.. Enumerable.Range(1, 6).SelectMany(i => new[] { Colours[i].Item1, Colours[i].Item2, Colours[i].Item3 })];

    /// <summary>Indices of the colours, row by row: "123/456".</summary>
    public static string Numbers(byte[] rgb, int width) => string.Join('/', rgb.Chunk(3)
        .Select(pixel => Array.FindIndex(Colours,
            c => Math.Abs(c.Item1 - pixel[0]) + Math.Abs(c.Item2 - pixel[1]) + Math.Abs(c.Item3 - pixel[2]) < 150))
        .Chunk(width).Select(row => string.Concat(row)));

    /// <summary>A TIFF block of one directory: another tag, then the orientation.</summary>
    public static byte[] Tiff(int orientation, bool bigEndian = false, ushort type = 3)
    {
        var block = new byte[8 + 2 + 24 + 4];
        (bigEndian ? "MM\0*"u8 : "II*\0"u8).CopyTo(block);
        Four(4, 8);
        Two(8, 2);
        Entry(10, 0x0100, 4, 640);
        Entry(22, 0x0112, type, (uint)orientation);
        return block;

        void Entry(int at, ushort tag, ushort kind, uint value)
        {
            Two(at, tag);
            Two(at + 2, kind);
            Four(at + 4, 1);
            if (kind == 3) Two(at + 8, (ushort)value);
            else Four(at + 8, value);
        }

        void Two(int at, ushort value)
        {
            if (bigEndian) BinaryPrimitives.WriteUInt16BigEndian(block.AsSpan(at), value);
            else BinaryPrimitives.WriteUInt16LittleEndian(block.AsSpan(at), value);
        }

        void Four(int at, uint value)
        {
            if (bigEndian) BinaryPrimitives.WriteUInt32BigEndian(block.AsSpan(at), value);
            else BinaryPrimitives.WriteUInt32LittleEndian(block.AsSpan(at), value);
        }
    }

    public static byte[] Xmp(int orientation) =>
        Encoding.UTF8.GetBytes($"<x:xmpmeta><rdf:Description tiff:Orientation=\"{orientation}\"/></x:xmpmeta>");

    public static byte[] Png(params (string Kind, byte[] Body)[] chunks)
    {
        var plain = TestPng.Encode(Width, Height, 8, 2, false, (x, y, c) => Pixels[(((y * Width) + x) * 3) + c]);
        return [.. plain[..33], .. TestPng.File(chunks)[8..], .. plain[33..]];
    }

    /// <summary>A JPEG of blocks of 16 x 16 pixels, so that compression keeps the colours.</summary>
    public static byte[] Jpeg(params byte[][] segments)
    {
        var plain = Encode(16, SKEncodedImageFormat.Jpeg);
        return [.. plain[..2], .. segments.SelectMany(body =>
            (byte[])[0xff, 0xe1, (byte)((body.Length + 2) >> 8), (byte)(body.Length + 2), .. body]), .. plain[2..]];
    }

    public static byte[] WebP(params (string Kind, byte[] Body)[] chunks)
    {
        var plain = Encode(1, SKEncodedImageFormat.Webp);
        byte[] extended = [0x08 | 0x04, 0, 0, 0, Width - 1, 0, 0, Height - 1, 0, 0];
        byte[] body = [.. "WEBP"u8, .. Chunk("VP8X", extended), .. plain[12..],
            .. chunks.SelectMany(chunk => Chunk(chunk.Kind, chunk.Body))];
        return [.. Chunk("RIFF", body)];

        static byte[] Chunk(string kind, byte[] body)
        {
            var length = new byte[4];
            BinaryPrimitives.WriteInt32LittleEndian(length, body.Length);
            return [.. Encoding.ASCII.GetBytes(kind), .. length, .. body, .. new byte[body.Length & 1]];
        }
    }

    private static byte[] Encode(int scale, SKEncodedImageFormat format)
    {
        using var bitmap = new SKBitmap(Width * scale, Height * scale, SKColorType.Rgba8888, SKAlphaType.Opaque);
        for (var y = 0; y < bitmap.Height; y++)
            for (var x = 0; x < bitmap.Width; x++)
            {
                var at = (((y / scale) * Width) + (x / scale)) * 3;
                bitmap.SetPixel(x, y, new SKColor(Pixels[at], Pixels[at + 1], Pixels[at + 2]));
            }

        using var pixmap = bitmap.PeekPixels()!;
        using var data = format == SKEncodedImageFormat.Webp
            ? pixmap.Encode(new SKWebpEncoderOptions(SKWebpEncoderCompression.Lossless, 75)) : pixmap.Encode(format, 95);
        return data!.ToArray();
    }
}
