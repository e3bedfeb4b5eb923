using System.Buffers.Binary;
using System.IO.MemoryMappedFiles;
using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;
using Alebrije.Preprocessing;
using Microsoft.Win32.SafeHandles;

namespace Alebrije.Search.Vectors;

/// <summary>
/// Vectors of one width in a memory-mapped file that only grows. Rows begin at multiples of 64 bytes. The header counts the rows that
/// <see cref="Flush"/> published: rows behind them, such as a killed writer leaves, are not seen and are overwritten. One writer at a
/// time, with any number of readers in this and other processes; a reader sees published rows at its next call. Reading is thread-safe.
/// </summary>
public sealed partial class VectorFile : IDisposable
{
    private readonly SafeFileHandle handle;
    private readonly VectorHeader header;
    private readonly Lock gate = new();
    private readonly bool writable;
    private byte[] row = [];
    private long written;
    private MemoryMappedFile? map;
    private MemoryMappedViewAccessor? view;
    private long mapped;

    private VectorFile(string path, SafeFileHandle handle, VectorHeader header, bool writable)
    {
        (Path, this.handle, this.header, this.writable) = (path, handle, header, writable);
        written = Published();
    }

    /// <summary>Path of the file.</summary>
    public string Path { get; }

    /// <summary>Components of a vector.</summary>
    public int Width => header.Width;

    /// <summary>Type of the components.</summary>
    public VectorType Type => header.Type;

    /// <summary>Rows that can be read: of a reader the published ones, of the writer also those that it appended.</summary>
    public long Count => writable ? written : Published();

    /// <summary>Bytes from one row to the next.</summary>
    internal int Stride => header.Stride;

    /// <summary>
    /// True for the name of a file of vectors in the folder of an index or a store: a table that comes from elsewhere could name any path.
    /// </summary>
    internal static bool IsName(string file) => Name().IsMatch(file);

    [GeneratedRegex(@"\Avectors(-[0-9]{1,9}){2,3}\.bin\z", RegexOptions.CultureInvariant)]
    private static partial Regex Name();

    /// <summary>Creates an empty file; an existing one is replaced.</summary>
    /// <param name="path">The file.</param>
    /// <param name="width">Components of a vector, from 1 to 65,536.</param>
    /// <param name="type">Type of the components: half precision is enough for vectors of unit length.</param>
    /// <exception cref="ArgumentOutOfRangeException">The width is out of range.</exception>
    public static VectorFile Create(string path, int width, VectorType type = VectorType.Half)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentOutOfRangeException.ThrowIfLessThan(width, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(width, VectorHeader.MaxWidth);
        var header = new VectorHeader(width, type);
        var handle = File.OpenHandle(path, FileMode.Create, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
        Write(path, handle, header.ToBytes(), 0);
        return new VectorFile(path, handle, header, writable: true);
    }

    /// <summary>Opens a file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="writable">True for the one writer.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">It is not such a file, or it is damaged or of a later version.</exception>
    public static VectorFile Open(string path, bool writable = false)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (!File.Exists(path)) throw new FileNotFoundException($"There is no file of vectors {path}.", path);
        RegularFile.Require(path);
        var handle = File.OpenHandle(
            path, FileMode.Open, writable ? FileAccess.ReadWrite : FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        try
        {
            var bytes = new byte[VectorHeader.Bytes];
            var read = RandomAccess.Read(handle, bytes, 0);
            return new VectorFile(path, handle, VectorHeader.Parse(bytes.AsSpan(0, read), path), writable);
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    /// <summary>Appends a vector.</summary>
    /// <param name="vector">[<see cref="Width"/>]; finite, in half precision below 65,504.</param>
    /// <returns>Its row.</returns>
    /// <exception cref="ArgumentException">Another width, or a component that is not finite in the file's type.</exception>
    public long Append(ReadOnlySpan<float> vector)
    {
        if (!writable) throw new InvalidOperationException($"{Path} is open for reading; open it with writable: true.");
        if (vector.Length != Width)
            throw new ArgumentException($"The vector has {vector.Length} components; the rows of {Path} have {Width}.", nameof(vector));
        if (row.Length == 0) row = new byte[Stride];
        if (Type == VectorType.Single) MemoryMarshal.AsBytes(vector).CopyTo(row);
        else TensorPrimitives.ConvertToHalf(vector, MemoryMarshal.Cast<byte, Half>(row.AsSpan())[..Width]);
        if (!(Type == VectorType.Single ? TensorPrimitives.IsFiniteAll(vector)
            : TensorPrimitives.IsFiniteAll<Half>(MemoryMarshal.Cast<byte, Half>(row.AsSpan())[..Width])))
            throw new ArgumentException("The vector has components that are infinite or not numbers.", nameof(vector));
        Write(Path, handle, row, Offset(written));
        return written++;
    }

    /// <summary>Publishes the appended rows.</summary>
    /// <param name="durable">Waits for the disk: published rows then survive a loss of power, not only the end of the process.</param>
    public void Flush(bool durable = true)
    {
        if (!writable) throw new InvalidOperationException($"{Path} is open for reading; open it with writable: true.");
        if (durable) RandomAccess.FlushToDisk(handle);
        Span<byte> count = stackalloc byte[sizeof(long)];
        BinaryPrimitives.WriteInt64LittleEndian(count, written);
        Write(Path, handle, count, VectorHeader.CountOffset);
        if (durable) RandomAccess.FlushToDisk(handle);
    }

    /// <summary>Copies a row.</summary>
    /// <param name="index">From 0 to <see cref="Count"/> - 1.</param>
    /// <param name="vector">[<see cref="Width"/>].</param>
    public void Row(long index, Span<float> vector)
    {
        if (vector.Length != Width)
            throw new ArgumentException($"The vector has {vector.Length} components; the rows of {Path} have {Width}.", nameof(vector));
        using var rows = Map();
        if ((ulong)index >= (ulong)rows.Count)
            throw new ArgumentOutOfRangeException(nameof(index), index, $"{Path} has {rows.Count} rows; the first is row 0.");
        rows.Copy(index, vector);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (gate)
        {
            view?.Dispose();
            map?.Dispose();
            handle.Dispose();
        }
    }

    /// <summary>The rows in memory as of now; they stay mapped until the result is disposed.</summary>
    internal VectorRows Map()
    {
        lock (gate)
        {
            ObjectDisposedException.ThrowIf(handle.IsClosed, this);
            var count = Count;
            if (count > mapped || view is null)
            {
                view?.Dispose();
                map?.Dispose();
                (view, map, mapped) = (null, null, 0);
                var bytes = Offset(count);
                map = MemoryMappedFile.CreateFromFile(
                    handle, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: true);
                view = map.CreateViewAccessor(0, bytes, MemoryMappedFileAccess.Read);
                mapped = count;
            }

            return new VectorRows(view.SafeMemoryMappedViewHandle, VectorHeader.Bytes, count, header);
        }
    }

    /// <summary>Published rows that the file is long enough for.</summary>
    private long Published()
    {
        Span<byte> count = stackalloc byte[sizeof(long)];
        if (RandomAccess.Read(handle, count, VectorHeader.CountOffset) < sizeof(long)) return 0;
        var whole = (RandomAccess.GetLength(handle) - VectorHeader.Bytes) / Stride;
        return Math.Clamp(BinaryPrimitives.ReadInt64LittleEndian(count), 0, Math.Max(0, whole));
    }

    /// <exception cref="UnwritableFileException">The disk is full.</exception>
    private static void Write(string path, SafeFileHandle handle, ReadOnlySpan<byte> bytes, long offset)
    {
        try
        {
            RandomAccess.Write(handle, bytes, offset);
        }
        catch (IOException e)
        {
            throw WrittenFile.Refusal(path, e);
        }
    }

    private long Offset(long index) => VectorHeader.Bytes + (index * Stride);
}
