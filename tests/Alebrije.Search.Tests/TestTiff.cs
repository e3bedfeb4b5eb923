using System.Buffers.Binary;

namespace Alebrije.Search.Tests;

/// <summary>TIFF files of a test, one strip without compression, written byte by byte.</summary>
internal static class TestTiff
{
    private const int Head = 8, EntryBytes = 12;

    /// <summary>A file of whole samples.</summary>
    /// <param name="width">Columns.</param>
    /// <param name="height">Rows; the strip may hold fewer.</param>
    /// <param name="bands">Samples of a pixel: 1 is grey, 3 is RGB.</param>
    /// <param name="bits">Bits of a sample, 8 or 16.</param>
    /// <param name="strip">The samples, little-endian.</param>
    /// <param name="orientation">As in EXIF, 1 to 8.</param>
    /// <param name="taken">As in EXIF, 19 characters, or null.</param>
    public static byte[] Of(int width, int height, int bands, int bits, byte[] strip, int orientation = 1, string? taken = null)
    {
        const int shortType = 3, longType = 4, textType = 2;
        (int Tag, int Type, int Count, int Value)[] entries =
        [
            (256, longType, 1, width), (257, longType, 1, height), (258, shortType, 1, bits), (259, shortType, 1, 1),
            (262, shortType, 1, bands == 1 ? 1 : 2), (273, longType, 1, 0), (274, shortType, 1, orientation),
            (277, shortType, 1, bands), (278, longType, 1, height), (279, longType, 1, strip.Length),
            .. taken is null ? [] : ((int, int, int, int)[])[(306, textType, 20, 0)],
        ];
        var directory = 2 + (entries.Length * EntryBytes) + 4;
        var text = Head + directory;
        var bitsAt = text + 20;
        var pixels = bitsAt + 8;
        var file = new byte[pixels + strip.Length];
        "II*\0"u8.CopyTo(file);
        BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(4), Head);
        BinaryPrimitives.WriteInt16LittleEndian(file.AsSpan(Head), (short)entries.Length);
        foreach (var (i, (tag, type, count, value)) in entries.Index())
        {
            var at = file.AsSpan(Head + 2 + (i * EntryBytes), EntryBytes);
            BinaryPrimitives.WriteInt16LittleEndian(at, (short)tag);
            BinaryPrimitives.WriteInt16LittleEndian(at[2..], (short)type);
            BinaryPrimitives.WriteInt32LittleEndian(at[4..], tag == 258 ? bands : count);
            BinaryPrimitives.WriteInt32LittleEndian(at[8..], tag switch
            {
                258 when bands > 2 => bitsAt,
                273 => pixels,
                306 => text,
                _ => value,
            });
        }

        if (taken is not null) System.Text.Encoding.ASCII.GetBytes(taken, file.AsSpan(text));
        for (var i = 0; i < bands; i++) BinaryPrimitives.WriteInt16LittleEndian(file.AsSpan(bitsAt + (2 * i)), (short)bits);
        strip.CopyTo(file, pixels);
        return file;
    }
}
