using System.Formats.Tar;
using Alebrije.Preprocessing;

namespace Alebrije.Datasets;

/// <summary>A regular file inside an archive. Its name is a label and never a path on the disk.</summary>
/// <param name="Name">As the archive has it.</param>
/// <param name="Offset">First of its bytes in the archive.</param>
/// <param name="Length">Bytes.</param>
internal readonly record struct TarFile(string Name, long Offset, long Length);

/// <summary>
/// Files of a tar archive, listed by its headers (ustar, GNU's long names, pax), one at a time and without reading their bytes. Folders,
/// links and devices are passed over. Nothing is ever written to the disk.
/// </summary>
internal static class TarFiles
{
    private const int Block = 512;

    /// <exception cref="InvalidDataException">A header is damaged, or gives a size that the file does not hold; the message has the file
    /// and the offset.</exception>
    public static IEnumerable<TarFile> Of(string path)
    {
        RegularFile.Require(path);
        using var stream = new CheckedHeaders(path);
        using var reader = new TarReader(stream);
        var at = 0L;
        while (Next(reader, stream, at) is { } entry)
        {
            at = entry.DataOffset + ((entry.Length + Block - 1) / Block * Block);
            if (entry.EntryType is TarEntryType.RegularFile or TarEntryType.V7RegularFile or TarEntryType.ContiguousFile)
                yield return new TarFile(entry.Name, entry.DataOffset, entry.Length);
        }

        if (stream.Position < at + Block)
            throw Damaged(path, at, "the archive does not end with a block of zeros; it was cut short");
    }

    private static TarEntry? Next(TarReader reader, CheckedHeaders stream, long at)
    {
        try
        {
            var entry = reader.GetNextEntry();
            return entry is null || entry.DataOffset + entry.Length <= stream.Length ? entry : throw new EndOfStreamException();
        }
        catch (EndOfStreamException e)
        {
            throw Damaged(stream.Name, at, "an entry goes beyond the end of the file; the archive was cut short or is damaged", e);
        }
        catch (Exception e) when (
            e is InvalidDataException or InvalidOperationException or FormatException or OverflowException or ArgumentException)
        {
            throw Damaged(stream.Name, at, "this is not a header of a tar archive: its checksum or one of its numbers is wrong", e);
        }
    }

    private static InvalidDataException Damaged(string path, long at, string what, Exception? cause = null) =>
        new($"{path}, byte {at}: {what}.", cause);

    /// <summary>
    /// The archive, refusing headers that <see cref="TarReader"/> accepts: of a wrong checksum, or with more metadata than any name needs.
    /// </summary>
    private sealed class CheckedHeaders(string path) : FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 1 << 12)
    {
        /// <summary>Bytes of a long name or of a pax header; the reader allocates as much memory as a metadata header states.</summary>
        private const long LongestName = 1 << 16;

        private long next;

        public override int Read(Span<byte> buffer)
        {
            var at = Position;
            var read = base.Read(buffer);
            if (buffer.Length == Block && read == Block && at >= next) next = at + Block + Metadata(buffer);
            return read;
        }

        /// <summary>Bytes of metadata behind a header; 0 for a file and for the end.</summary>
        private static long Metadata(ReadOnlySpan<byte> header)
        {
            if (!header.ContainsAnyExcept((byte)0)) return 0;
            var (sum, signed) = (0L, 0L); // Bytes of the checksum itself count as spaces; old programs added signed bytes.
            for (var i = 0; i < Block; i++)
            {
                var b = i is >= 148 and < 156 ? (byte)' ' : header[i];
                (sum, signed) = (sum + b, signed + (sbyte)b);
            }

            if (Octal(header.Slice(148, 8)) is not { } written || (written != sum && written != signed))
                throw new InvalidDataException("wrong checksum");
            if (header[156] is not ((byte)'L' or (byte)'K' or (byte)'x' or (byte)'g')) return 0;
            return Octal(header.Slice(124, 12)) is { } size and <= LongestName ? size : throw new InvalidDataException("too much metadata");
        }

        private static long? Octal(ReadOnlySpan<byte> field)
        {
            var value = 0L;
            foreach (var digit in field.Trim(" \0"u8))
            {
                if (digit is < (byte)'0' or > (byte)'7') return null;
                value = (value << 3) | (uint)(digit - '0');
            }

            return value;
        }
    }
}
