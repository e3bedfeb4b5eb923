using System.Buffers.Binary;
using System.Globalization;
using System.Numerics;
using Microsoft.Win32.SafeHandles;

namespace Alebrije.Weights;

/// <summary>
/// A file of <c>torch.save</c> before PyTorch 1.6 (torch/serialization.py, _legacy_save): five consecutive pickles - a magic number, the
/// version of the format, sizes of the machine's types, the object, the keys of its storages - and then each storage, prefixed with its
/// length, little-endian.
/// </summary>
internal sealed class PickleStream : PickleContainer
{
    /// <summary>Version of the format, unchanged since 2016.</summary>
    private const long Version = 1001;

    private static readonly BigInteger Magic = BigInteger.Parse("1950a86a20f9469cfc6c",
        NumberStyles.HexNumber, CultureInfo.InvariantCulture);

    private readonly FileStream stream;

    /// <summary>Offset of each storage in the file, and its number of elements.</summary>
    private readonly Dictionary<string, (long At, long Count)> places = new(StringComparer.Ordinal);

    /// <param name="path">The file.</param>
    /// <param name="stream">The file, open.</param>
    public PickleStream(string path, FileStream stream) : base(path)
    {
        this.stream = stream;
        var start = new byte[(int)Math.Min(stream.Length, MaxPickle)];
        stream.ReadExactly(start);
        var at = 0;
        if (PickleMachine.Run(start, path, ref at) is not BigInteger magic || magic != Magic)
            throw new WeightsException($"{path} is a pickle, but not one of torch.save: its magic number is missing.");
        if (PickleMachine.Run(start, path, ref at) is not Version)
            throw new WeightsException($"{path} is in an unknown version of PyTorch's old format.");
        PickleMachine.Run(start, path, ref at);
        var storages = new List<PickledStorage>();
        Top = PickleMachine.Run(start, path, ref at, storages);
        if (PickleMachine.Run(start, path, ref at) is not List<object?> keys)
            throw new WeightsException($"{path} has no list of its storages; it is damaged.");
        PickleBytes = at;
        Locate(keys, storages, at);
    }

    private SafeFileHandle Handle => stream.SafeFileHandle;

    /// <inheritdoc/>
    public override void Check(string name, PickledStorage storage)
    {
        if (!places.ContainsKey(storage.Key)) throw new WeightsException(
            $"{Location} lacks the storage {Short(storage.Key)} "
            + $"that tensor '{name}' is kept in; it is truncated or damaged.");
    }

    /// <inheritdoc/>
    public override void CopyBytes(PickledStorage storage, long offset, Span<byte> destination)
    {
        for (var at = places[storage.Key].At + offset; !destination.IsEmpty;)
        {
            var read = RandomAccess.Read(Handle, destination, at);
            if (read == 0) throw new EndOfStreamException($"storage {storage.Key} is incomplete.");
            at += read;
            destination = destination[read..];
        }
    }

    /// <inheritdoc/>
    public override void Dispose() => stream.Dispose();

    private static string Short(string key) => PickleMachine.Short(key);

    private void Locate(List<object?> keys, List<PickledStorage> storages, long at)
    {
        var known = new Dictionary<string, PickledStorage>(StringComparer.Ordinal);
        foreach (var storage in storages)
            if (!known.TryAdd(storage.Key, storage) && (known[storage.Key].Type, known[storage.Key].Whole) != (storage.Type, storage.Whole))
                throw new WeightsException($"{Location} gives storage {Short(storage.Key)} two types or lengths; it is damaged.");
        Span<byte> length = stackalloc byte[sizeof(long)];
        foreach (var key in keys)
        {
            if (key is not string name || !known.TryGetValue(name, out var storage))
                throw new WeightsException($"{Location} lists a storage that no tensor lies in; it is damaged.");
            if (RandomAccess.Read(Handle, length, at) < length.Length)
                throw new WeightsException($"{Location} breaks off before storage {Short(name)}; it is truncated.");
            var count = BinaryPrimitives.ReadInt64LittleEndian(length);
            var bytes = storage.Whole * TensorTypes.SizeOf(storage.Type);
            at += length.Length;
            if (count != storage.Whole)
                throw new WeightsException($"{Location} claims {storage.Whole} elements for storage {Short(name)} but has {count} there.");
            if (bytes > stream.Length - at)
                throw new WeightsException($"{Location} breaks off in storage {Short(name)}, which has {bytes} bytes; it is truncated.");
            if (!places.TryAdd(name, (at, count)))
                throw new WeightsException($"{Location} lists storage {Short(name)} twice; it is damaged.");
            at += bytes;
        }
    }
}
