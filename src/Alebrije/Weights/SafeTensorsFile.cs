using Alebrije.Preprocessing;

namespace Alebrije.Weights;

/// <summary>
/// A safetensors file, read with positions and not mapped: mapped pages would count in addition to the weights. Thread-safe.
/// </summary>
internal sealed class SafeTensorsFile : TensorSource
{
    private readonly SafeTensorsHeader header;
    private readonly FileStream stream;

    /// <summary>Opens a file and checks its header.</summary>
    /// <exception cref="CheckpointNotFoundException">There is no such file.</exception>
    /// <exception cref="WeightsException">It is not a valid safetensors file.</exception>
    public SafeTensorsFile(string path)
    {
        Location = path;
        if (!File.Exists(path)) throw new CheckpointNotFoundException($"there is no file {path}.");
        try
        {
            stream = RegularFile.Open(path, bufferSize: 0);
            var size = stream.Length;
            var start = new byte[8];
            var length = SafeTensorsHeader.ReadLength(start.AsSpan(0, stream.ReadAtLeast(start, 8, throwOnEndOfStream: false)), size, path);
            var json = new byte[length];
            stream.ReadExactly(json);
            header = SafeTensorsHeader.Parse(json, size, path);
        }
        catch (Exception e)
        {
            stream?.Dispose();
            if (e is IOException or UnauthorizedAccessException) throw new WeightsException($"{path} cannot be read: {e.Message}", e);
            throw;
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
    protected internal override void CopyBytes(string name, long offset, Span<byte> destination)
    {
        var at = Find(name).Offset + offset;
        try
        {
            while (destination.Length > 0)
            {
                var read = RandomAccess.Read(stream.SafeFileHandle, destination, at);
                if (read == 0) throw new WeightsException($"{Location} has become shorter while it was read; fetch or copy it again.");
                at += read;
                destination = destination[read..];
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new WeightsException($"{Location} cannot be read: {e.Message}", e);
        }
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing) stream.Dispose();
        base.Dispose(disposing);
    }

    private (TensorEntry Entry, long Offset) Find(string name) => header.TryGet(name, out var found)
        ? found
        : throw new WeightsException($"{Location} holds no tensor '{name}' among its {header.Names.Count}.");
}
