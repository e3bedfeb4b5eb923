using System.IO.Compression;

namespace Alebrije.Weights;

/// <summary>
/// A file of <c>torch.save</c> since PyTorch 1.6, or of <c>torch.jit.save</c>: a zip archive of <c>data.pkl</c>, <c>data/0</c>,
/// <c>data/1</c> ... .
/// </summary>
internal sealed class PickleArchive : PickleContainer
{
    private readonly Lock gate = new();
    private readonly ZipArchive archive;
    private readonly Dictionary<string, ZipArchiveEntry> entries = new(StringComparer.Ordinal);
    private readonly string root;

    /// <param name="path">The file.</param>
    /// <param name="stream">The file, open; the archive closes it.</param>
    public PickleArchive(string path, Stream stream) : base(path)
    {
        archive = new ZipArchive(stream, ZipArchiveMode.Read);
        foreach (var entry in archive.Entries)
            if (!entries.TryAdd(entry.FullName, entry)) throw new WeightsException($"{path} holds two files named {entry.FullName}.");
        root = FindRoot();
        if (entries.TryGetValue(root + "byteorder", out var order) && ReadSmall(order, 64) is var text
            && !text.AsSpan().SequenceEqual("little"u8))
            throw new WeightsException(
                $"{path} was written on a big-endian machine, which is not supported; convert it to safetensors there.");
        IsScript = entries.Keys.Any(name => name.StartsWith(root + "code/", StringComparison.Ordinal));
        var pickle = ReadSmall(entries[root + "data.pkl"], MaxPickle);
        PickleBytes = pickle.Length;
        Top = PickleMachine.Run(pickle, path, IsScript);
    }

    /// <inheritdoc/>
    public override void Check(string name, PickledStorage storage)
    {
        if (!entries.TryGetValue($"{root}data/{storage.Key}", out var entry))
            throw new WeightsException(
                $"{Location} lacks the file data/{PickleMachine.Short(storage.Key)} "
                    + $"that tensor '{name}' is kept in; it is truncated or damaged.");
        if (entry.Length != entry.CompressedLength)
            throw new WeightsException(
                $"{Location} compresses its tensors, which torch.save never does; unpack and pack it without compression.");
        if (storage.Whole > entry.Length / TensorTypes.SizeOf(storage.Type))
            throw new WeightsException(
                $"{Location} claims {storage.Whole} elements for tensor '{name}' but has {entry.Length} bytes of them.");
    }

    /// <inheritdoc/>
    public override void CopyBytes(PickledStorage storage, long offset, Span<byte> destination)
    {
        lock (gate)
        {
            using var stream = entries[$"{root}data/{storage.Key}"].Open();
            Skip(stream, offset);
            stream.ReadExactly(destination);
        }
    }

    /// <inheritdoc/>
    public override void Dispose() => archive.Dispose();

    private string FindRoot()
    {
        var roots = entries.Keys.Where(name => name.EndsWith("/data.pkl", StringComparison.Ordinal)).Select(name => name[..^8]).ToList();
        return roots.Count == 1 ? roots[0]
            : throw new WeightsException($"{Location} is a zip archive without exactly one data.pkl; it was not written by torch.save.");
    }

    private byte[] ReadSmall(ZipArchiveEntry entry, long limit)
    {
        if (entry.Length > limit || entry.Length != entry.CompressedLength)
            throw new WeightsException(
                $"{Location} has {entry.FullName} of {entry.Length} bytes, compressed or larger than any checkpoint's.");
        using var stream = entry.Open();
        using var bytes = new MemoryStream();
        stream.CopyTo(bytes);
        return bytes.Length == entry.Length ? bytes.ToArray() : throw new InvalidDataException($"{entry.FullName} is incomplete.");
    }

    private static void Skip(Stream stream, long count)
    {
        if (stream.CanSeek)
        {
            stream.Seek(count, SeekOrigin.Current);
            return;
        }

        var buffer = new byte[(int)Math.Min(count, 1 << 20)];
        for (; count > 0; count -= Math.Min(count, buffer.Length)) stream.ReadExactly(buffer, 0, (int)Math.Min(count, buffer.Length));
    }
}
