using System.Buffers.Text;
using System.Globalization;
using System.Text;

namespace Alebrije.Datasets;

/// <summary>A regular file inside an archive. Its name is a label and never a path on the disk.</summary>
/// <param name="Name">As the archive has it.</param>
/// <param name="Offset">Where its bytes begin.</param>
/// <param name="Length">How many they are.</param>
internal readonly record struct TarEntry(string Name, long Offset, long Length);

/// <summary>
/// Lists the files of a tar archive by its headers (POSIX.1-1988 ustar, GNU's long names, pax), one at a time and without reading their bytes.
/// Folders, links and devices are passed over. Nothing is ever written to the disk.
/// </summary>
internal static class TarReader
{
    private const int Block = 512;

    /// <summary>Bytes of a long name or of a pax header; archives that say more are refused before memory is taken.</summary>
    private const long LongestName = 1 << 16;

    /// <exception cref="InvalidDataException">A header is damaged, or says more than the file holds; the message has the file and the place.</exception>
    public static IEnumerable<TarEntry> Entries(string path)
    {
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 1 << 12);
        var (total, at, header) = (stream.Length, 0L, new byte[Block]);
        string? longName = null;
        long? longSize = null;
        while (at < total)
        {
            if (total - at < Block) throw Damaged(path, at, "the archive ends within a header; it was cut short");
            stream.Position = at;
            stream.ReadExactly(header);
            if (!header.AsSpan().ContainsAnyExcept((byte)0)) yield break;
            if (!HasChecksum(header)) throw Damaged(path, at, "this is no header of a tar archive (its checksum is wrong)");
            var type = (char)header[156];
            var size = longSize is { } said && IsFile(type) ? said : Number(header.AsSpan(124, 12)) ?? throw Damaged(path, at, "the size is no number");
            var start = at + Block;
            if (size < 0 || size > total - start)
                throw Damaged(path, at, $"an entry says {size:N0} bytes, and {total - start:N0} are left; the archive was cut short or is damaged");
            if (type is 'L' or 'x')
            {
                if (size > LongestName) throw Damaged(path, at, $"a name of {size:N0} bytes is longer than the {LongestName:N0} that are read");
                var text = new byte[size];
                stream.ReadExactly(text);
                if (type == 'L') longName = Text(text);
                else (longName, longSize) = Pax(text, longName, longSize) ?? throw Damaged(path, at, "the extended header is damaged");
            }
            else
            {
                if (IsFile(type)) yield return new TarEntry(longName ?? Name(header), start, size);
                if (type is not ('g' or 'K')) (longName, longSize) = (null, null);
            }

            at = start + ((size + Block - 1) / Block * Block);
        }

        throw Damaged(path, total, "the archive does not end as one does, with a block of zeros; it was cut short");
    }

    private static bool IsFile(char type) => type is '0' or '\0' or '7';

    private static string Name(ReadOnlySpan<byte> header)
    {
        var name = Text(header[..100]);
        var prefix = header.Slice(257, 6).SequenceEqual("ustar\0"u8) ? Text(header.Slice(345, 155)) : "";
        return prefix.Length > 0 ? $"{prefix}/{name}" : name;
    }

    private static string Text(ReadOnlySpan<byte> bytes) => Encoding.UTF8.GetString(bytes.IndexOf((byte)0) is >= 0 and var end ? bytes[..end] : bytes);

    /// <summary>An octal number, or GNU's binary one with its high bit set.</summary>
    private static long? Number(ReadOnlySpan<byte> field)
    {
        if ((field[0] & 0x80) != 0)
        {
            if (field[0] != 0x80 || field[1..4].ContainsAnyExcept((byte)0) || field[4] > 0x7F) return null;
            var large = 0L;
            foreach (var b in field[4..]) large = (large << 8) | b;
            return large;
        }

        var digits = field.Trim(" \0"u8);
        var value = 0L;
        foreach (var digit in digits)
        {
            if (digit is < (byte)'0' or > (byte)'7') return null;
            value = (value << 3) | (uint)(digit - '0');
        }

        return value;
    }

    /// <summary>The sum of all bytes, those of the checksum itself counted as spaces; old programs added signed bytes.</summary>
    private static bool HasChecksum(ReadOnlySpan<byte> header)
    {
        var (unsigned, signed) = (0L, 0L);
        for (var i = 0; i < Block; i++)
        {
            var b = i is >= 148 and < 156 ? (byte)' ' : header[i];
            (unsigned, signed) = (unsigned + b, signed + (sbyte)b);
        }

        return Number(header.Slice(148, 8)) is { } said && (said == unsigned || said == signed);
    }

    /// <summary>Reads records <c>LENGTH KEY=VALUE\n</c>.</summary>
    /// <returns>Name and size, as they were or as a record says; null when a record is damaged.</returns>
    private static (string? Name, long? Size)? Pax(ReadOnlySpan<byte> records, string? name, long? size)
    {
        while (records.Length > 0)
        {
            if (!Utf8Parser.TryParse(records, out int length, out var digits) || length <= digits + 1 || length > records.Length || records[digits] != ' ') return null;
            var record = records[(digits + 1)..length].TrimEnd((byte)'\n');
            var equals = record.IndexOf((byte)'=');
            if (equals < 0) return null;
            var value = Encoding.UTF8.GetString(record[(equals + 1)..]);
            if (record[..equals].SequenceEqual("path"u8)) name = value;
            if (record[..equals].SequenceEqual("size"u8))
            {
                if (!long.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var said)) return null;
                size = said;
            }

            records = records[length..];
        }

        return (name, size);
    }

    private static InvalidDataException Damaged(string path, long at, string what) => new($"{path}, byte {at}: {what}.");
}
