using System.IO.MemoryMappedFiles;
using Alebrije.Preprocessing;

namespace Alebrije.Weights;

/// <summary>A memory-mapped safetensors file. Thread-safe.</summary>
internal sealed class SafeTensorsFile : TensorSource
{
    private readonly SafeTensorsHeader header;
    private readonly MemoryMappedFile map;
    private readonly MemoryMappedViewAccessor view;

    /// <summary>Opens a file and checks its header.</summary>
    /// <exception cref="CheckpointNotFoundException">There is no such file.</exception>
    /// <exception cref="WeightsException">It is not a valid safetensors file.</exception>
    public SafeTensorsFile(string path)
    {
        Location = path;
        if (!File.Exists(path)) throw new CheckpointNotFoundException($"there is no file {path}.");
        try
        {
            using var stream = RegularFile.Open(path, bufferSize: 0);
            var size = stream.Length;
            var start = new byte[8];
            var length = SafeTensorsHeader.ReadLength(start.AsSpan(0, stream.ReadAtLeast(start, 8, throwOnEndOfStream: false)), size, path);
            var json = new byte[length];
            stream.ReadExactly(json);
            header = SafeTensorsHeader.Parse(json, size, path);
            map = MemoryMappedFile.CreateFromFile(stream, null, size, MemoryMappedFileAccess.Read,
                HandleInheritability.None, leaveOpen: true);
            view = map.CreateViewAccessor(0, size, MemoryMappedFileAccess.Read);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new WeightsException($"{path} cannot be read: {e.Message}", e);
        }
    }

    /// <inheritdoc/>
    public override string Location { get; }

    /// <inheritdoc/>
    public override IReadOnlyCollection<string> Names => header.Names;

    /// <summary>Free text of the writer in the header.</summary>
    public IReadOnlyDictionary<string, string> Metadata => header.Metadata;

    /// <inheritdoc/>
    public override bool Contains(string name) => header.TryGet(name, out _);

    /// <inheritdoc/>
    public override TensorEntry Describe(string name) => Find(name).Entry;

    /// <inheritdoc/>
    protected internal override unsafe void CopyBytes(string name, long offset, Span<byte> destination)
    {
        var start = Find(name).Offset + offset;
        byte* pointer = null;
        view.SafeMemoryMappedViewHandle.AcquirePointer(ref pointer);
        try
        {
            new ReadOnlySpan<byte>(pointer + view.PointerOffset + start, destination.Length).CopyTo(destination);
        }
        finally
        {
            view.SafeMemoryMappedViewHandle.ReleasePointer();
        }
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            view.Dispose();
            map.Dispose();
        }

        base.Dispose(disposing);
    }

    private (TensorEntry Entry, long Offset) Find(string name) => header.TryGet(name, out var found)
        ? found
        : throw new WeightsException($"{Location} holds no tensor '{name}' among its {header.Names.Count}.");
}
