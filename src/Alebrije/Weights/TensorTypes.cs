using static TorchSharp.torch;

namespace Alebrije.Weights;

/// <summary>Element types of files, by their names in safetensors.</summary>
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

    /// <summary>Finds the type of a name; null if there is none.</summary>
    public static ScalarType? Parse(string name)
    {
        foreach (var known in Known)
            if (known.Name == name) return known.Type;
        return null;
    }

    /// <summary>Name of a type in safetensors.</summary>
    /// <exception cref="WeightsException">Files cannot contain this type.</exception>
    public static string NameOf(ScalarType type) => Find(type).Name;

    /// <summary>Size of an element in bytes.</summary>
    /// <exception cref="WeightsException">Files cannot contain this type.</exception>
    public static int SizeOf(ScalarType type) => Find(type).Size;

    /// <summary>True if elements are floating-point.</summary>
    public static bool IsFloating(ScalarType type) =>
        type is ScalarType.Float64 or ScalarType.Float32 or ScalarType.Float16 or ScalarType.BFloat16;

    private static (string Name, ScalarType Type, int Size) Find(ScalarType type)
    {
        foreach (var known in Known)
            if (known.Type == type) return known;
        throw new WeightsException($"tensors of type {type} cannot be kept in a file; convert them to one of {Names}.");
    }
}
