using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Weights;

/// <summary>Type and shape of one tensor, available without reading it.</summary>
/// <param name="Type">Type of its elements.</param>
/// <param name="Shape">Sizes of its axes; empty for a scalar.</param>
internal sealed record TensorEntry(ScalarType Type, long[] Shape)
{
    /// <summary>Number of elements.</summary>
    public long Count => Shape.Aggregate(1L, (product, size) => checked(product * size));

    /// <summary>Type and shape for display: <c>Float32[2, 3]</c>.</summary>
    public override string ToString() => $"{Type}[{string.Join(", ", Shape)}]";
}

/// <summary>Named tensors in one or several files: described without reading, and read one by one.</summary>
internal abstract class TensorSource : IDisposable
{
    /// <summary>Bytes per read: spans end at 2 GiB, tensors do not.</summary>
    private const int ChunkBytes = 1 << 28;

    /// <summary>File or folder, for messages.</summary>
    public abstract string Location { get; }

    /// <summary>True for a TorchScript archive.</summary>
    public virtual bool IsScript => false;

    /// <summary>Text at the top level of the file, next to the tensors; null if there is none of this name.</summary>
    public virtual string? Text(string name) => null;

    /// <summary>Elements of all tensors, at most as many as the files have bytes: several tensors may share theirs.</summary>
    public virtual double Elements => Names.Sum(name => (double)Describe(name).Count);

    /// <summary>Names, in the order of fastest reading.</summary>
    public abstract IReadOnlyCollection<string> Names { get; }

    /// <summary>True if a tensor has this name.</summary>
    public abstract bool Contains(string name);

    /// <summary>Type and shape of a tensor.</summary>
    /// <exception cref="WeightsException">There is no such tensor.</exception>
    public abstract TensorEntry Describe(string name);

    /// <summary>Reads a tensor onto the CPU, in the file's type. The caller owns it.</summary>
    /// <exception cref="WeightsException">There is no such tensor, or its bytes cannot be read.</exception>
    public virtual Tensor Read(string name)
    {
        var entry = Describe(name);
        var tensor = empty(entry.Shape, entry.Type, torch.CPU);
        try
        {
            Fill(name, tensor);
            return tensor;
        }
        catch
        {
            tensor.Dispose();
            throw;
        }
    }

    /// <summary>Reads a tensor into an existing one of the same shape, converting the type where it differs.</summary>
    public void ReadInto(string name, Tensor target)
    {
        var entry = Describe(name);
        if (!entry.Shape.AsSpan().SequenceEqual(target.shape))
            throw new WeightsException(
                $"{Location}: {name} is {entry}, but a tensor of shape [{string.Join(", ", target.shape)}] is needed.");
        using var guard = no_grad();
        using var detached = target.detach();
        if (CanFill(name) && target.dtype == entry.Type && target.device_type == DeviceType.CPU && target.is_contiguous())
        {
            Fill(name, detached);
            return;
        }

        using var read = Read(name);
        detached.copy_(read);
    }

    /// <summary>True if <see cref="CopyBytes"/> gives this tensor's bytes in row-major order.</summary>
    protected internal virtual bool CanFill(string name) => true;

    /// <summary>Copies bytes of a tensor, row-major and little-endian, from an offset.</summary>
    protected internal abstract void CopyBytes(string name, long offset, Span<byte> destination);

    /// <summary>Closes the files.</summary>
    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Closes the files; tensors already read stay valid.</summary>
    protected virtual void Dispose(bool disposing) { }

    private void Fill(string name, Tensor target)
    {
        if (target.numel() == 0) return;
        var size = target.element_size();
        using var flat = target.view(-1);
        for (long done = 0, step = ChunkBytes / size; done < flat.numel(); done += step)
        {
            using var part = flat.narrow(0, done, Math.Min(step, flat.numel() - done));
            CopyBytes(name, done * size, part.bytes);
        }
    }
}
