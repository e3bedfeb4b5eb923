using System.IO.Compression;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Weights;

/// <summary>
/// Tensors of a file written by <c>torch.save</c> (PyTorch 1.6 or later): a zip archive of <c>data.pkl</c> and <c>data/0</c>, <c>data/1</c> ... .
/// Only dictionaries of plain tensors are read, or a short list of them whose places are their names; dictionaries within dictionaries give names joined by dots; numbers and texts beside the
/// tensors are passed over. Of a TorchScript archive (<c>torch.jit.save</c>) the modules' tensors are read likewise; its code never runs.
/// Safe for several threads.
/// </summary>
internal sealed class PickleFile : TensorSource
{
    private const long MaxPickle = 32 << 20;
    private const int MaxDepth = 8, MaxTensors = 1_000_000, MaxName = 1024, MaxTop = 100;
    private readonly Lock gate = new();
    private readonly ZipArchive archive;
    private readonly Dictionary<string, ZipArchiveEntry> entries = new(StringComparer.Ordinal);
    private readonly Dictionary<string, PickledTensor> tensors = new(StringComparer.Ordinal);
    private readonly string root;

    /// <summary>Opens a file and reads its list of tensors.</summary>
    /// <exception cref="CheckpointNotFoundException">There is no such file.</exception>
    /// <exception cref="WeightsException">It is damaged, of an older format, or holds something other than tensors.</exception>
    public PickleFile(string path)
    {
        Location = path;
        archive = Open(path);
        try
        {
            foreach (var entry in archive.Entries)
                if (!entries.TryAdd(entry.FullName, entry)) throw new WeightsException($"{path} holds two files named {entry.FullName}.");
            root = FindRoot();
            if (entries.TryGetValue(root + "byteorder", out var order) && ReadSmall(order, 64) is var text && !text.AsSpan().SequenceEqual("little"u8))
                throw new WeightsException($"{path} was written on a big-endian machine, which is not supported; convert it to safetensors there.");
            var scripted = entries.Keys.Any(name => name.StartsWith(root + "code/", StringComparison.Ordinal));
            var top = PickleMachine.Run(ReadSmall(entries[root + "data.pkl"], MaxPickle), path, scripted);
            if (top is IReadOnlyList<object?> { Count: <= MaxTop } items) top = items.Select((item, i) => ((object)(long)i, item)).ToDictionary(pair => pair.Item1, pair => pair.item);
            if (top is not Dictionary<object, object?> map)
                throw new WeightsException($"{path} does not hold a dictionary of tensors at its top.");
            Collect(map, "", 0);
            foreach (var (name, tensor) in tensors) Check(name, tensor);
        }
        catch (Exception e)
        {
            archive.Dispose();
            if (IsDamage(e)) throw Damaged(e);
            throw;
        }
    }

    /// <inheritdoc/>
    public override string Location { get; }

    /// <inheritdoc/>
    public override IReadOnlyCollection<string> Names => tensors.Keys;

    /// <inheritdoc/>
    public override bool Contains(string name) => tensors.ContainsKey(name);

    /// <inheritdoc/>
    public override TensorEntry Describe(string name)
    {
        var tensor = Find(name);
        return new TensorEntry(tensor.Storage.Type, tensor.Shape);
    }

    /// <inheritdoc/>
    public override Tensor Read(string name)
    {
        if (CanFill(name)) return base.Read(name);
        var tensor = Find(name);
        var length = 1 + tensor.Shape.Select((size, axis) => (size - 1) * tensor.Strides[axis]).Sum();
        using var window = empty(length, tensor.Storage.Type, torch.CPU);
        var size = TensorTypes.SizeOf(tensor.Storage.Type);
        CopyFrom(tensor.Storage, tensor.Offset * size, window);
        using var view = window.as_strided(tensor.Shape, tensor.Strides);
        return view.contiguous();
    }

    /// <inheritdoc/>
    protected override bool CanFill(string name)
    {
        var tensor = Find(name);
        var stride = 1L;
        for (var axis = tensor.Shape.Length - 1; axis >= 0; axis--)
        {
            if (tensor.Shape[axis] > 1 && tensor.Strides[axis] != stride) return tensor.Shape.Contains(0);
            stride *= tensor.Shape[axis];
        }

        return true;
    }

    /// <inheritdoc/>
    protected override void CopyBytes(string name, long offset, Span<byte> destination)
    {
        var tensor = Find(name);
        CopyBytes(tensor.Storage, (tensor.Offset * TensorTypes.SizeOf(tensor.Storage.Type)) + offset, destination);
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing) archive.Dispose();
        base.Dispose(disposing);
    }

    private static ZipArchive Open(string path)
    {
        if (!File.Exists(path)) throw new CheckpointNotFoundException($"there is no file {path}.");
        FileStream? stream = null;
        try
        {
            stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete);
            Span<byte> start = stackalloc byte[4];
            var read = stream.ReadAtLeast(start, 4, throwOnEndOfStream: false);
            stream.Position = 0;
            if (read < 4 || !start.SequenceEqual("PK\u0003\u0004"u8))
                throw new WeightsException(read >= 2 && start[0] == 0x80
                    ? $"{path} is in the format of PyTorch before 1.6, which is not read; load and save it with a newer PyTorch, or convert it to safetensors."
                    : $"{path} is no zip archive as torch.save writes it; it is damaged or of another kind.");
            return new ZipArchive(stream, ZipArchiveMode.Read);
        }
        catch (Exception e)
        {
            stream?.Dispose();
            if (IsDamage(e)) throw new WeightsException($"{path} is damaged or truncated: {e.Message}", e);
            throw;
        }
    }

    private string FindRoot()
    {
        var roots = entries.Keys.Where(name => name.EndsWith("/data.pkl", StringComparison.Ordinal)).Select(name => name[..^8]).ToList();
        if (roots.Count != 1) throw new WeightsException($"{Location} is a zip archive without exactly one data.pkl; it was not written by torch.save.");
        return roots[0];
    }

    private void Collect(Dictionary<object, object?> map, string prefix, int depth)
    {
        if (depth > MaxDepth) throw new WeightsException($"{Location} nests dictionaries deeper than {MaxDepth}.");
        foreach (var (key, value) in map)
        {
            if (value is not (PickledTensor or Dictionary<object, object?>)) continue;
            var name = string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{prefix}{key}");
            if (name.Length > MaxName || tensors.Count >= MaxTensors) throw new WeightsException($"{Location} has more or longer names than any checkpoint.");
            if (value is Dictionary<object, object?> inner) Collect(inner, name + ".", depth + 1);
            else if (!tensors.TryAdd(name, (PickledTensor)value)) throw new WeightsException($"{Location} names tensor '{name}' twice.");
        }
    }

    private void Check(string name, PickledTensor tensor)
    {
        var storage = tensor.Storage;
        if (!entries.TryGetValue($"{root}data/{storage.Key}", out var entry))
            throw new WeightsException($"{Location} lacks the file data/{storage.Key} that tensor '{name}' is kept in; it is truncated or damaged.");
        if (entry.Length != entry.CompressedLength)
            throw new WeightsException($"{Location} compresses its tensors, which torch.save never does; unpack and pack it without compression.");
        if (storage.Count > entry.Length / TensorTypes.SizeOf(storage.Type))
            throw new WeightsException($"{Location} claims {storage.Count} elements for tensor '{name}' but has {entry.Length} bytes of them.");
    }

    private void CopyFrom(PickledStorage storage, long offset, Tensor target)
    {
        var size = target.element_size();
        const int step = 1 << 26;
        for (var done = 0L; done < target.numel(); done += step)
        {
            using var part = target.narrow(0, done, Math.Min(step, target.numel() - done));
            CopyBytes(storage, offset + (done * size), part.bytes);
        }
    }

    private void CopyBytes(PickledStorage storage, long offset, Span<byte> destination)
    {
        try
        {
            lock (gate)
            {
                using var stream = entries[$"{root}data/{storage.Key}"].Open();
                Skip(stream, offset);
                stream.ReadExactly(destination);
            }
        }
        catch (Exception e) when (IsDamage(e))
        {
            throw Damaged(e);
        }
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

    private byte[] ReadSmall(ZipArchiveEntry entry, long limit)
    {
        if (entry.Length > limit || entry.Length != entry.CompressedLength)
            throw new WeightsException($"{Location} has {entry.FullName} of {entry.Length} bytes, compressed or larger than any checkpoint's.");
        using var stream = entry.Open();
        using var bytes = new MemoryStream();
        stream.CopyTo(bytes);
        return bytes.Length == entry.Length ? bytes.ToArray() : throw new InvalidDataException($"{entry.FullName} is incomplete.");
    }

    private PickledTensor Find(string name) => tensors.TryGetValue(name, out var tensor)
        ? tensor
        : throw new WeightsException($"{Location} holds no tensor '{name}' among its {tensors.Count}.");

    private WeightsException Damaged(Exception e) => new($"{Location} is damaged or truncated: {e.Message}", e);

    /// <summary>What the zip reader throws at damaged archives.</summary>
    private static bool IsDamage(Exception e) =>
        e is InvalidDataException or IOException or UnauthorizedAccessException or NotSupportedException or ArgumentException or OverflowException;
}
