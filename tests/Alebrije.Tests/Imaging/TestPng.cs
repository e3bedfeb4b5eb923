using System.Buffers.Binary;
using System.IO.Compression;

namespace Alebrije.Tests.Imaging;

/// <summary>
/// Writes PNG files of every kind from raw samples (sample: the value of column x, row y, channel c, within the depth), independently of
/// the product's code.
/// </summary>
internal static class TestPng
{
    public static byte[] Encode(int width, int height, int depth, int type, bool interlaced, Func<int, int, int, int> sample,
        byte[]? palette = null, byte[]? transparency = null)
    {
        var channels = type switch { 0 or 3 => 1, 4 => 2, 2 => 3, _ => 4 };
        using var rows = new MemoryStream();
        var passes = interlaced
            ? new[] { (0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2) } : [(0, 0, 1, 1)];
        foreach (var (x0, y0, stepX, stepY) in passes)
        {
            var columns = Enumerable.Range(0, width).Where(x => x >= x0 && (x - x0) % stepX == 0).ToArray();
            if (columns.Length == 0)
                continue;
            byte[] above = new byte[(columns.Length * channels * depth + 7) / 8];
            for (var y = y0; y < height; y += stepY)
            {
                var bits = columns.SelectMany(x => Enumerable.Range(0, channels)
                    .SelectMany(c => Enumerable.Range(0, depth).Select(b => sample(x, y, c) >> (depth - 1 - b) & 1))).ToList();
                var line = bits.Chunk(8).Select(eight => (byte)eight.Select((bit, i) => bit << (7 - i)).Sum()).ToArray();
                // Every filter in turn.
                var filter = (y / stepY + x0) % 5;
                rows.WriteByte((byte)filter);
                var step = Math.Max(1, channels * depth / 8);
                for (var i = 0; i < line.Length; i++)
                {
                    int left = i < step ? 0 : line[i - step], up = above[i], corner = i < step ? 0 : above[i - step];
                    var p = left + up - corner;
                    var paeth = new[] { left, up, corner }.MinBy(v => Math.Abs(p - v));
                    rows.WriteByte((byte)(line[i] - filter switch { 0 => 0, 1 => left, 2 => up, 3 => (left + up) / 2, _ => paeth }));
                }
                above = line;
            }
        }
        using var packed = new MemoryStream();
        using (var zlib = new ZLibStream(packed, CompressionLevel.Fastest, leaveOpen: true))
            zlib.Write(rows.ToArray());
        var header = new byte[13];
        BinaryPrimitives.WriteInt32BigEndian(header, width);
        BinaryPrimitives.WriteInt32BigEndian(header.AsSpan(4), height);
        (header[8], header[9], header[12]) = ((byte)depth, (byte)type, interlaced ? (byte)1 : (byte)0);
        var data = packed.ToArray();
        return File([("IHDR", header), .. palette is null ? Array.Empty<(string, byte[])>() : [("PLTE", palette)],
            .. transparency is null ? Array.Empty<(string, byte[])>() : [("tRNS", transparency)],
            // In two pieces, as large files are.
            ("IDAT", data[..(data.Length / 2)]), ("IDAT", data[(data.Length / 2)..]), ("IEND", [])]);
    }

    public static byte[] File(params (string Kind, byte[] Body)[] chunks)
    {
        using var file = new MemoryStream();
        file.Write([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
        foreach (var (kind, body) in chunks)
        {
            var bytes = kind.Select(c => (byte)c).Concat(body).ToArray();
            var number = new byte[4];
            BinaryPrimitives.WriteInt32BigEndian(number, body.Length);
            file.Write(number);
            file.Write(bytes);
            BinaryPrimitives.WriteUInt32BigEndian(number, Crc(bytes));
            file.Write(number);
        }
        return file.ToArray();
    }

    /// <summary>CRC-32 bit by bit.</summary>
    public static uint Crc(ReadOnlySpan<byte> bytes)
    {
        var crc = uint.MaxValue;
        foreach (var b in bytes)
        {
            crc ^= b;
            for (var i = 0; i < 8; i++)
                crc = (crc & 1) != 0 ? crc >> 1 ^ 0xedb88320 : crc >> 1;
        }
        return ~crc;
    }
}
