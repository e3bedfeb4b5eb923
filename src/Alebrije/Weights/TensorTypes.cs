using static TorchSharp.torch;

namespace Alebrije.Weights;

/// <summary>The element types that files may hold, under the names that safetensors gives them.</summary>
internal static class TensorTypes
{
    private static readonly (string Name, ScalarType Type, int Size)[] Known =
    [
        ("F64", ScalarType.Float64, 8), ("F32", ScalarType.Float32, 4), ("F16", ScalarType.Float16, 2), ("BF16", ScalarType.BFloat16, 2),
        ("I64", ScalarType.Int64, 8), ("I32", ScalarType.Int32, 4), ("I16", ScalarType.Int16, 2), ("I8", ScalarType.Int8, 1),
        ("U8", ScalarType.Byte, 1), ("BOOL", ScalarType.Bool, 1),
    ];

    /// <summary>All names, for messages.</summary>
    public static string Names => string.Join(", ", Known.Select(type => type.Name));

    /// <summary>The type of that name, or null.</summary>
    public static ScalarType? Parse(string name)
    {
        foreach (var known in Known)
            if (known.Name == name) return known.Type;
        return null;
    }

    /// <summary>The name that safetensors gives to a type.</summary>
    /// <exception cref="WeightsException">Files cannot hold this type.</exception>
    public static string NameOf(ScalarType type) => Find(type).Name;

    /// <summary>Bytes of an element.</summary>
    /// <exception cref="WeightsException">Files cannot hold this type.</exception>
    public static int SizeOf(ScalarType type) => Find(type).Size;

    /// <summary>Whether elements are floating-point numbers.</summary>
    public static bool IsFloating(ScalarType type) =>
        type is ScalarType.Float64 or ScalarType.Float32 or ScalarType.Float16 or ScalarType.BFloat16;

    private static (string Name, ScalarType Type, int Size) Find(ScalarType type)
    {
        foreach (var known in Known)
            if (known.Type == type) return known;
        throw new WeightsException($"tensors of type {type} cannot be kept in a file; convert them to one of {Names}.");
    }
}
