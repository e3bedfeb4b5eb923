using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.RegularExpressions;

namespace Alebrije.Preprocessing.Imaging;

/// <summary>An array of a .npy file.</summary>
/// <param name="Shape">Sizes of the axes, the outermost first; empty for a scalar.</param>
/// <param name="Values">float[], long[] or byte[], the last axis running fastest.</param>
public sealed record NpyArray(IReadOnlyList<int> Shape, Array Values)
{
    /// <summary>The values as float32.</summary>
    public float[] ToSingle() => Values switch
    {
        float[] floats => floats,
        long[] longs => Array.ConvertAll(longs, v => (float)v),
        byte[] bytes => Array.ConvertAll(bytes, v => (float)v),
        _ => throw new InvalidOperationException($"Values of {Values.GetType().Name} are not from a .npy file."),
    };
}

/// <summary>NumPy's .npy files, version 1.0 and 2.0, of float32, int64 and uint8, little-endian, in C order.</summary>
public static partial class Npy
{
    private static ReadOnlySpan<byte> Magic => [0x93, (byte)'N', (byte)'U', (byte)'M', (byte)'P', (byte)'Y'];

    /// <summary>Writes float32 values; an existing file is replaced.</summary>
    /// <exception cref="ArgumentException">The shape does not match the number of values.</exception>
    public static void Write(string path, ReadOnlySpan<float> values, params ReadOnlySpan<int> shape)
        => WriteFile(path, "<f4", MemoryMarshal.AsBytes(values), values.Length, shape);

    /// <summary>Writes int64 values; an existing file is replaced.</summary>
    /// <exception cref="ArgumentException">The shape does not match the number of values.</exception>
    public static void Write(string path, ReadOnlySpan<long> values, params ReadOnlySpan<int> shape)
        => WriteFile(path, "<i8", MemoryMarshal.AsBytes(values), values.Length, shape);

    /// <summary>Writes uint8 values; an existing file is replaced.</summary>
    /// <exception cref="ArgumentException">The shape does not match the number of values.</exception>
    public static void Write(string path, ReadOnlySpan<byte> values, params ReadOnlySpan<int> shape)
        => WriteFile(path, "|u1", values, values.Length, shape);

    /// <summary>Reads an array of float32, int64 or uint8.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">Not a .npy file, of another type, in Fortran order, or cut short.</exception>
    public static NpyArray Read(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        var file = RegularFile.ReadAllBytes(path);
        if (!file.AsSpan().StartsWith(Magic) || file.Length < 12)
            throw new InvalidDataException($"{path} is not a .npy file.");
        var (start, length) = file[6] switch
        {
            1 => (10L, file[8] | (long)file[9] << 8),
            2 or 3 => (12L, BitConverter.ToUInt32(file, 8)),
            var version => throw new InvalidDataException($"{path} is of .npy version {version}, and 1 to 3 can be read."),
        };
        if (start + length > file.Length)
            throw new InvalidDataException($"{path} is cut short: its header needs {length} bytes.");
        var header = Encoding.Latin1.GetString(file, (int)start, (int)length);
        var fields = HeaderPattern().Match(header);
        if (!fields.Success)
            throw new InvalidDataException($"{path} has an invalid header: {header.Trim()}");
        if (fields.Groups["fortran"].Value == "True" && fields.Groups["shape"].Value.Count(c => c == ',') > 1)
            throw new InvalidDataException($"{path} is in Fortran order: save it with numpy.ascontiguousarray first.");
        var shape = Shape(path, fields.Groups["shape"].Value);
        var count = shape.Aggregate(1L, (a, b) => a * b);
        var body = file.AsSpan((int)(start + length));
        return new NpyArray(shape, fields.Groups["type"].Value switch
        {
            "<f4" => Values<float>(path, body, count),
            "<i8" => Values<long>(path, body, count),
            "|u1" => Values<byte>(path, body, count),
            var type => throw new InvalidDataException(
                $"{path} holds values of type {type}: only float32, int64 and uint8 (<f4, <i8, |u1) can be read."),
        });
    }

    private static int[] Shape(string path, string text)
    {
        var sizes = text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        var shape = new int[sizes.Length];
        for (var i = 0; i < sizes.Length; i++)
        {
            if (!int.TryParse(sizes[i], NumberStyles.None, CultureInfo.InvariantCulture, out shape[i]))
                throw new InvalidDataException($"{path} has an invalid shape: ({text}).");
        }
        return shape;
    }

    private static T[] Values<T>(string path, ReadOnlySpan<byte> body, long count) where T : unmanaged
    {
        var bytes = count * Marshal.SizeOf<T>();
        if (count < 0 || bytes > body.Length)
            throw new InvalidDataException($"{path} is cut short: its header states {count} values and {body.Length} bytes are there.");
        return MemoryMarshal.Cast<byte, T>(body[..(int)bytes]).ToArray();
    }

    private static void WriteFile(string path, string type, ReadOnlySpan<byte> bytes, int count, ReadOnlySpan<int> shape)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        var product = 1L;
        foreach (var size in shape)
            product *= size;
        if (product != count)
            throw new ArgumentException($"A shape of [{string.Join(", ", shape.ToArray())}] holds {product} values, not {count}.",
                nameof(shape));
        var sizes = shape.Length == 1 ? $"{shape[0]}," : string.Join(", ", shape.ToArray());
        var header = $"{{'descr': '{type}', 'fortran_order': False, 'shape': ({sizes}), }}";
        // NumPy pads so that the values start at a multiple of 64.
        var padded = (10 + header.Length + 1 + 63) / 64 * 64 - 10;
        WrittenFile.Write(path, bytes, (file, values) =>
        {
            file.Write(Magic);
            file.Write([1, 0, (byte)padded, (byte)(padded >> 8)]);
            file.Write(Encoding.Latin1.GetBytes(header.PadRight(padded - 1) + "\n"));
            file.Write(values);
        });
    }

    [GeneratedRegex(@"^\{\s*'descr':\s*'(?<type>[^']*)',\s*'fortran_order':\s*(?<fortran>True|False),\s*"
        + @"'shape':\s*\((?<shape>[^)]*)\),?\s*\}\s*$")]
    private static partial Regex HeaderPattern();
}
