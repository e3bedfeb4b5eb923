using System.Buffers.Binary;
using System.Formats.Tar;
using System.IO.Compression;
using System.IO.Hashing;
using Alebrije.Preprocessing;

namespace Alebrije.Catalog;

/// <summary>
/// Files of a folder, an archive (.zip, .tar, .tar.gz, .tgz) or a checkpoint in one file, listed before any is written. Archives are not
/// trusted: a path outside, a link, a device, a duplicate name or a disproportionate unpacked size refuses the whole archive.
/// </summary>
internal sealed class ModelArchive
{
    private const int MostEntries = 100_000, LargestSmallFile = 64 << 20;

    /// <summary>Unpacked bytes that no archive is suspected for, and how often larger than packed they may be beyond.</summary>
    private const long Unsuspicious = 256L << 20, MostRatio = 50;

    private static readonly string[] TarEndings = [".tar", ".tar.gz", ".tgz"];
    private readonly string source;
    private readonly Dictionary<string, long> sizes = new(StringComparer.Ordinal);
    private readonly Dictionary<string, byte[]> small = new(StringComparer.Ordinal);
    private string top = "";

    private ModelArchive(string source) => this.source = source;

    /// <summary>Names with their sizes; a folder that everything lies in is left off.</summary>
    public IReadOnlyDictionary<string, long> Files => top.Length == 0 ? sizes
        : sizes.Where(pair => pair.Key.StartsWith(top, StringComparison.Ordinal))
        .ToDictionary(pair => pair.Key[top.Length..], pair => pair.Value, StringComparer.Ordinal);

    /// <summary>True if a path is a folder, has an archive's ending, or is a checkpoint in one file.</summary>
    public static bool IsOne(string path) => Directory.Exists(path)
        || (File.Exists(path) && (IsZip(path) || IsTar(path) || IsSingle(path)));

    /// <summary>The name without an archive's or a checkpoint's ending.</summary>
    public static string StemOf(string path)
    {
        var name = Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(path)));
        return Directory.Exists(path) ? name : IsSingle(path) ? Path.GetFileNameWithoutExtension(name)
            : TarEndings.Append(".zip").OrderByDescending(ending => ending.Length).FirstOrDefault(ending =>
                name.EndsWith(ending, StringComparison.OrdinalIgnoreCase)) is { } found ? name[..^found.Length] : name;
    }

    /// <summary>Lists a folder or an archive.</summary>
    /// <exception cref="HubException">It is damaged or refused.</exception>
    public static ModelArchive Open(string path, CancellationToken cancellation)
    {
        var archive = new ModelArchive(path);
        try
        {
            if (IsSingle(path))
            {
                foreach (var file in new[] { path, Path.ChangeExtension(path, ".yaml") }.Where(File.Exists))
                    archive.Add(Path.GetFileName(file), HubCache.SizeOf(file));
            }
            else if (Directory.Exists(path))
            {
                foreach (var (name, size) in FolderFiles.Of(path)) archive.Add(name, size);
            }
            else
            {
                archive.Walk((name, size, crc, stream) =>
                {
                    archive.Add(name, size);
                    if (!name.EndsWith(".json", StringComparison.Ordinal) || size > LargestSmallFile) return;
                    using var content = new MemoryStream();
                    archive.Copy(stream, content, size, crc, name, _ => { }, cancellation);
                    archive.small[name] = content.ToArray();
                }, cancellation);
            }
        }
        catch (Exception e) when (
            e is InvalidDataException or EndOfStreamException or FormatException or OverflowException or ArgumentException)
        {
            throw new HubException($"{path} is a damaged archive: {e.Message.TrimEnd('.')}.", e);
        }

        if (archive.sizes.Keys.All(name => name.Contains('/', StringComparison.Ordinal))
            && archive.sizes.Keys.Select(name => name.Split('/')[0]).Distinct().Take(2).ToArray() is [var only])
            archive.top = only + "/";
        return archive;
    }

    /// <summary>Reads one of the small files.</summary>
    public byte[] Read(string name) => Directory.Exists(source) ? RegularFile.ReadAllBytes(Path.Combine(source, top + name))
        : small.TryGetValue(top + name, out var content) ? content
        : throw new HubException($"{source}: {name} is too large for a file of settings.");

    /// <summary>Writes some of the files below a folder.</summary>
    /// <param name="chosen">Their names.</param>
    /// <param name="target">The folder.</param>
    /// <param name="onFile">Called with each file's name and bytes as they are written.</param>
    /// <param name="cancellation">Stops it.</param>
    public void Extract(IReadOnlyCollection<string> chosen, string target, Action<string, long> onFile, CancellationToken cancellation)
    {
        void Write(string name, long size, uint? crc, Stream from)
        {
            if (!name.StartsWith(top, StringComparison.Ordinal) || !chosen.Contains(name[top.Length..])) return;
            var path = Path.Combine(target, name[top.Length..]);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            using var to = new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.None);
            Copy(from, to, size, crc, name, bytes => onFile(name[top.Length..], bytes), cancellation);
        }

        try
        {
            if (!Directory.Exists(source) && !IsSingle(source))
            {
                Walk(Write, cancellation);
                return;
            }

            var root = IsSingle(source) ? Path.GetDirectoryName(Path.GetFullPath(source))! : source;
            foreach (var name in chosen)
            {
                using var from = RegularFile.Open(Path.Combine(root, top + name));
                Write(top + name, sizes[top + name], null, from);
            }
        }
        catch (Exception e) when (
            e is InvalidDataException or EndOfStreamException or FormatException or OverflowException or ArgumentException)
        {
            throw new HubException($"{source} is a damaged archive: {e.Message.TrimEnd('.')}.", e);
        }
    }

    private static bool IsSingle(string path) => File.Exists(path) && Weights.SingleFileLayout.HasEnding(path);

    private static bool IsZip(string path) => path.EndsWith(".zip", StringComparison.OrdinalIgnoreCase);

    private static bool IsTar(string path) => TarEndings.Any(ending => path.EndsWith(ending, StringComparison.OrdinalIgnoreCase));

    private void Add(string name, long size)
    {
        if (sizes.Count >= MostEntries) throw new HubException($"{source} has more than {MostEntries} files; a model has fewer.");
        if (!sizes.TryAdd(name, size)) throw new HubException($"{source} holds {name} twice; the archive is refused.");
    }

    private void Copy(Stream from, Stream to, long size, uint? crc, string name, Action<long> onBytes, CancellationToken cancellation)
    {
        var (buffer, sum) = (new byte[1 << 17], new Crc32());
        var written = 0L;
        while (from.Read(buffer) is > 0 and var read)
        {
            cancellation.ThrowIfCancellationRequested();
            written += read;
            if (written > size) throw new HubException(
                $"{source}: {name} unpacks to more than the {size} bytes that it declares; the archive is refused.");
            to.Write(buffer, 0, read);
            if (crc is not null) sum.Append(buffer.AsSpan(0, read));
            onBytes(read);
        }

        if (written < size) throw new HubException($"{source}: {name} ends after {written} of {size} bytes; the archive is damaged.");
        if (crc is { } expected && sum.GetCurrentHashAsUInt32() != expected)
            throw new HubException($"{source}: {name} does not have the checksum that the archive declares; the archive is damaged.");
    }

    private void Walk(Action<string, long, uint?, Stream> onFile, CancellationToken cancellation)
    {
        if (IsZip(source)) WalkZip(onFile, cancellation);
        else WalkTar(onFile, cancellation);
    }

    private void WalkZip(Action<string, long, uint?, Stream> onFile, CancellationToken cancellation)
    {
        const int kinds = 0xF000, regular = 0x8000, folder = 0x4000;
        using var archive = new ZipArchive(RegularFile.Open(source));
        var limit = Limit();
        var total = 0L;
        foreach (var entry in archive.Entries)
        {
            cancellation.ThrowIfCancellationRequested();
            var kind = entry.ExternalAttributes >> 16 & kinds;
            if (kind is not (0 or regular or folder)) throw Refused(entry.FullName, "is a link or a device");
            if (entry.FullName.EndsWith('/'))
            {
                Check(entry.FullName.TrimEnd('/'));
                continue;
            }

            var name = Check(entry.FullName);
            total += entry.Length;
            if (total > limit) throw Bomb(total);
            using var stream = entry.Open();
            onFile(name, entry.Length, entry.Crc32, stream);
        }
    }

    private void WalkTar(Action<string, long, uint?, Stream> onFile, CancellationToken cancellation)
    {
        using var file = RegularFile.Open(source);
        var packed = !source.EndsWith(".tar", StringComparison.OrdinalIgnoreCase);
        using Stream unpacked = packed ? new GZipStream(file, CompressionMode.Decompress) : file;
        using var counted = new LimitedStream(unpacked, packed ? Limit() : long.MaxValue, Bomb, cancellation);
        using var reader = new TarReader(counted);
        while (reader.GetNextEntry() is { } entry)
        {
            if (entry.EntryType is TarEntryType.GlobalExtendedAttributes) continue;
            var name = entry.Name.StartsWith("./", StringComparison.Ordinal) ? entry.Name[2..] : entry.Name;
            if (entry.EntryType is TarEntryType.Directory)
            {
                if (name.Trim('/', '.').Length > 0 || name.Contains("..", StringComparison.Ordinal)) Check(name.TrimEnd('/'));
                continue;
            }

            if (entry.EntryType is not (TarEntryType.RegularFile or TarEntryType.V7RegularFile))
                throw Refused(entry.Name, "is a link or a device");
            onFile(Check(name), entry.Length, null, entry.DataStream ?? Stream.Null);
        }
    }

    private string Check(string name) => RelativePath.IsSafe(name)
        ? name : throw Refused(name, "would lie outside the model's folder, or has a name that no file may have");

    private long Limit() => Math.Max(Unsuspicious, new FileInfo(source).Length * MostRatio);

    private HubException Refused(string name, string why) =>
        new($"{source} is refused: its entry '{new string([.. name.Take(80).Select(c => char.IsControl(c) ? '?' : c)])}' {why}.");

    private HubException Bomb(long bytes) =>
        new($"{source} is refused: it unpacks to more than {DiskSpace.Text(bytes)} "
            + $"from {DiskSpace.Text(new FileInfo(source).Length)}, which no model does.");

    /// <summary>A stream that is read once, forward, up to a number of bytes.</summary>
    private sealed class LimitedStream(Stream inner, long limit, Func<long, Exception> tooLong, CancellationToken cancellation) : Stream
    {
        private const int HeaderBytes = 512, TypeAt = 156, SizeAt = 124, SizeDigits = 12, BinaryTail = 8;
        private const byte Binary = 0x80;

        /// <summary>Limits of the size of metadata, 2 MiB.</summary>
        private const int MostOctalDigits = 7, MostMetadata = 1 << 21;

        private long count;

        public override bool CanRead => true;
        public override bool CanSeek => false;
        public override bool CanWrite => false;
        public override long Length => throw new NotSupportedException();
        public override long Position { get => count; set => throw new NotSupportedException(); }

        public override int Read(byte[] buffer, int offset, int length) => Read(buffer.AsSpan(offset, length));

        public override int Read(Span<byte> buffer)
        {
            cancellation.ThrowIfCancellationRequested();
            var read = buffer.Length == HeaderBytes ? inner.ReadAtLeast(buffer, HeaderBytes, throwOnEndOfStream: false)
                : inner.Read(buffer);
            if (read == HeaderBytes) CheckHeader(buffer);
            return (count += read) > limit ? throw tooLong(limit) : read;
        }

        /// <summary>The reader above allocates as much memory as a metadata header states, before it finds that the archive ends.</summary>
        private static void CheckHeader(ReadOnlySpan<byte> header)
        {
            if (header[TypeAt] is not ((byte)'x' or (byte)'g' or (byte)'L' or (byte)'K')) return;
            var size = header.Slice(SizeAt, SizeDigits);
            var digits = size.Trim("\0 "u8);

            // The size stands in octal digits or, marked, as a number; the reader itself refuses other forms.
            var isLarge = size[0] == Binary ? !size[1..BinaryTail].ContainsAnyExcept((byte)0)
                && BinaryPrimitives.ReadUInt32BigEndian(size[BinaryTail..]) >= MostMetadata
                : !digits.ContainsAnyExceptInRange((byte)'0', (byte)'7') && digits.TrimStart((byte)'0').Length > MostOctalDigits;
            if (isLarge)
                throw new InvalidDataException("an entry has more metadata than any name needs");
        }

        public override void Flush() { }
        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
        public override void SetLength(long value) => throw new NotSupportedException();
        public override void Write(byte[] buffer, int offset, int length) => throw new NotSupportedException();
    }
}
