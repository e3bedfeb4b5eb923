using System.Buffers.Binary;
using System.IO.Hashing;
using System.Text;
using Alebrije.Preprocessing.Imaging;

namespace Alebrije.Search.Tests;

/// <summary>PNG files with metadata of a camera, assembled by hand.</summary>
internal static class TestExifPng
{
    /// <summary>A PNG with an eXIf chunk behind its header.</summary>
    public static byte[] With(RgbImage image, int orientation = 1, string? taken = null, string? maker = null, string? model = null,
        (double Latitude, double Longitude)? place = null)
    {
        var (plain, exif) = (image.ToPng(), Tiff(orientation, taken, maker, model, place));
        byte[] body = [.. "eXIf"u8, .. exif];
        var (length, check) = (new byte[4], new byte[4]);
        BinaryPrimitives.WriteInt32BigEndian(length, exif.Length);
        BinaryPrimitives.WriteUInt32BigEndian(check, Crc32.HashToUInt32(body));
        return [.. plain[..33], .. length, .. body, .. check, .. plain[33..]];
    }

    private static byte[] Tiff(int orientation, string? taken, string? maker, string? model, (double Latitude, double Longitude)? place)
    {
        var main = new List<(ushort Tag, ushort Kind, byte[] Data)>();
        if (maker is not null) main.Add((0x010f, 2, Ascii(maker)));
        if (model is not null) main.Add((0x0110, 2, Ascii(model)));
        main.Add((0x0112, 3, [(byte)orientation, 0]));
        if (taken is not null) main.Add((0x0132, 2, Ascii(taken)));
        var gps = place is not { } at ? [] : new List<(ushort, ushort, byte[])>
        {
            (1, 2, Ascii(at.Latitude < 0 ? "S" : "N")), (2, 5, Degrees(at.Latitude)),
            (3, 2, Ascii(at.Longitude < 0 ? "W" : "E")), (4, 5, Degrees(at.Longitude)),
        };
        if (gps.Count > 0) main.Add((0x8825, 4, new byte[4]));
        var whole = new List<byte>("II*\0\u0008\0\0\0"u8.ToArray());
        var (bytes, pointer) = Directory(main, 8);
        whole.AddRange(bytes);
        if (gps.Count == 0) return [.. whole];
        var result = whole.ToArray();
        BinaryPrimitives.WriteInt32LittleEndian(result.AsSpan(pointer), result.Length);
        return [.. result, .. Directory(gps, result.Length).Bytes];
    }

    /// <summary>A directory at an offset, and the offset of the value of its last entry.</summary>
    private static (byte[] Bytes, int LastValue) Directory(List<(ushort Tag, ushort Kind, byte[] Data)> entries, int offset)
    {
        var (head, tail, last) = (new byte[2 + (12 * entries.Count) + 4], new List<byte>(), 0);
        BinaryPrimitives.WriteUInt16LittleEndian(head, (ushort)entries.Count);
        foreach (var (i, (tag, kind, data)) in entries.Index())
        {
            var at = 2 + (12 * i);
            BinaryPrimitives.WriteUInt16LittleEndian(head.AsSpan(at), tag);
            BinaryPrimitives.WriteUInt16LittleEndian(head.AsSpan(at + 2), kind);
            BinaryPrimitives.WriteInt32LittleEndian(head.AsSpan(at + 4), data.Length / (kind == 5 ? 8 : kind == 4 ? 4 : kind == 3 ? 2 : 1));
            if (data.Length > 4) BinaryPrimitives.WriteInt32LittleEndian(head.AsSpan(at + 8), offset + head.Length + tail.Count);
            else data.CopyTo(head, at + 8);
            if (data.Length > 4) tail.AddRange(data);
            last = offset + at + 8;
        }

        return ([.. head, .. tail], last);
    }

    private static byte[] Ascii(string text) => [.. Encoding.ASCII.GetBytes(text), 0];

    /// <summary>Degrees, minutes and seconds as fractions.</summary>
    private static byte[] Degrees(double value)
    {
        var bytes = new byte[24];
        value = Math.Abs(value);
        var minutes = (value - Math.Floor(value)) * 60;
        foreach (var (i, number) in new[] { Math.Floor(value), Math.Floor(minutes), (minutes - Math.Floor(minutes)) * 60 }.Index())
        {
            BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(8 * i), (int)Math.Round(number * 10000));
            BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan((8 * i) + 4), 10000);
        }

        return bytes;
    }
}
