using Alebrije.Preprocessing;

namespace Alebrije.Weights;

/// <summary>A file of <c>torch.save</c>: the pickled object, and the bytes of its tensors' storages. Thread-safe.</summary>
/// <param name="path">The file.</param>
internal abstract class PickleContainer(string path) : IDisposable
{
    /// <summary>Maximum bytes of a pickle without its storages: ten times those of the largest checkpoints.</summary>
    protected const int MaxPickle = 32 << 20;

    /// <summary>The file, for messages.</summary>
    protected string Location { get; } = path;

    /// <summary>The saved object, as <see cref="PickleMachine"/> returns it.</summary>
    public object? Top { get; protected init; }

    /// <summary>Bytes of the pickles, without the tensors.</summary>
    public long PickleBytes { get; protected init; }

    /// <summary>True for a TorchScript archive.</summary>
    public bool IsScript { get; protected init; }

    /// <summary>Opens a file of either format: a zip archive (PyTorch 1.6 or later), or consecutive pickles (earlier).</summary>
    /// <exception cref="WeightsException">The file has neither format.</exception>
    public static PickleContainer Open(string path)
    {
        if (!File.Exists(path)) throw new CheckpointNotFoundException($"there is no file {path}.");
        var stream = RegularFile.Open(path);
        try
        {
            Span<byte> start = stackalloc byte[4];
            var read = stream.ReadAtLeast(start, start.Length, throwOnEndOfStream: false);
            stream.Position = 0;
            if (read == start.Length && start.SequenceEqual("PK\u0003\u0004"u8)) return new PickleArchive(path, stream);
            return read >= 2 && start[0] == 0x80 ? new PickleStream(path, stream)
                : throw new WeightsException(
                    $"{path} is neither a zip archive nor a pickle as torch.save writes them; it is damaged or of another kind.");
        }
        catch
        {
            stream.Dispose();
            throw;
        }
    }

    /// <summary>Checks that the file contains all bytes of a tensor's storage.</summary>
    /// <exception cref="WeightsException">It contains fewer.</exception>
    public abstract void Check(string name, PickledStorage storage);

    /// <summary>Copies bytes of a storage from an offset.</summary>
    public abstract void CopyBytes(PickledStorage storage, long offset, Span<byte> destination);

    /// <summary>Closes the file.</summary>
    public abstract void Dispose();
}
