using System.Numerics.Tensors;
using System.Runtime.InteropServices;

namespace Alebrije.Search.Vectors;

/// <summary>Mapped rows of a file of vectors; valid until disposed, also where the file grows or is closed meanwhile.</summary>
internal readonly unsafe ref struct VectorRows
{
    private readonly SafeBuffer buffer;
    private readonly VectorHeader header;

    public VectorRows(SafeBuffer buffer, int offset, long count, VectorHeader header)
    {
        (this.buffer, this.header, Count) = (buffer, header, count);
        byte* pointer = null;
        buffer.AcquirePointer(ref pointer);
        First = pointer + offset;
    }

    /// <summary>Rows.</summary>
    public long Count { get; }

    /// <summary>Address of row 0.</summary>
    public byte* First { get; }

    /// <summary>Bytes from one row to the next.</summary>
    public int Stride => header.Stride;

    /// <summary>Copies a row.</summary>
    public void Copy(long index, Span<float> vector)
    {
        var row = First + (index * Stride);
        if (header.Type == VectorType.Single) new ReadOnlySpan<float>(row, header.Width).CopyTo(vector);
        else TensorPrimitives.ConvertToSingle(new ReadOnlySpan<Half>(row, header.Width), vector);
    }

    public void Dispose() => buffer.ReleasePointer();
}
