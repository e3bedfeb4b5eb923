using System.Buffers.Binary;
using System.Text.Json;
using System.Text.Unicode;
using Alebrije.Preprocessing;

namespace Alebrije.Weights;

/// <summary>
/// The header of a safetensors file: eight bytes of length, JSON, then the tensors' bytes without gap or overlap. All of it is checked
/// before any tensor is read, so that a malicious file cannot cause reads or allocations beyond its own size. Source: the format
/// description of huggingface/safetensors (README.md, safetensors/src/tensor.rs).
/// </summary>
internal sealed class SafeTensorsHeader
{
    /// <summary>Limit of the reference, in bytes.</summary>
    public const long MaxLength = 100_000_000;

    private const int MaxRank = 32;
    private const string MetadataName = "__metadata__";
    private readonly Dictionary<string, (TensorEntry Entry, long Offset)> tensors = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> metadata = new(StringComparer.Ordinal);
    private readonly List<string> names = [];

    private SafeTensorsHeader() { }

    /// <summary>Tensor names in the order of their bytes.</summary>
    public IReadOnlyList<string> Names => names;

    /// <summary>Free text of the writer.</summary>
    public IReadOnlyDictionary<string, string> Metadata => metadata;

    /// <summary>Finds a tensor; <c>Offset</c> counts from the start of the file.</summary>
    public bool TryGet(string name, out (TensorEntry Entry, long Offset) found) => tensors.TryGetValue(name, out found);

    /// <summary>Length of the JSON part, checked against the file's size.</summary>
    /// <param name="start">The file's first eight bytes, or fewer for a shorter file.</param>
    /// <param name="fileLength">Size of the file in bytes.</param>
    /// <param name="path">The file, for messages.</param>
    public static int ReadLength(ReadOnlySpan<byte> start, long fileLength, string path)
    {
        if (fileLength < 10 || start.Length < 8)
            throw Bad(path, $"has {fileLength} bytes, too few for a safetensors file; download or copy it again");
        var length = BinaryPrimitives.ReadUInt64LittleEndian(start);
        if (length > MaxLength)
            throw Bad(path, $"has a header of {length} bytes, more than the {MaxLength} allowed; it is damaged or not a safetensors file");
        if ((long)length > fileLength - 8)
            throw Bad(path, $"claims a header of {length} bytes but has only {fileLength - 8} after its length; it is truncated");
        return (int)length;
    }

    /// <summary>Parses and checks the JSON part.</summary>
    public static SafeTensorsHeader Parse(ReadOnlyMemory<byte> json, long fileLength, string path)
    {
        if (json.Length == 0 || json.Span[0] != (byte)'{' || !Utf8.IsValid(json.Span))
            throw Bad(path, "has no JSON object after its header length; it is damaged or not a safetensors file");
        var header = new SafeTensorsHeader();
        try
        {
            using var document = JsonText.Parse(json);
            foreach (var property in document.RootElement.EnumerateObject())
            {
                if (property.Name == MetadataName) header.ReadMetadata(property.Value, path);
                else header.ReadTensor(property.Name, property.Value, path);
            }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new WeightsException($"{path} has a header that is not valid JSON: {FirstSentence(e.Message)}", e);
        }

        header.CheckLayout(8 + json.Length, fileLength, path);
        return header;
    }

    private void ReadMetadata(JsonElement value, string path)
    {
        if (value.ValueKind != JsonValueKind.Object) throw Bad(path, $"has a {MetadataName} that is not an object");
        foreach (var item in value.EnumerateObject())
        {
            if (item.Value.ValueKind != JsonValueKind.String) throw Bad(path, $"has metadata '{item.Name}' that is not text");
            metadata[item.Name] = item.Value.GetString()!;
        }
    }

    private void ReadTensor(string name, JsonElement value, string path)
    {
        if (value.ValueKind != JsonValueKind.Object
            || !value.TryGetProperty("dtype", out var dtype) || dtype.ValueKind != JsonValueKind.String
            || !value.TryGetProperty("shape", out var sizes) || sizes.ValueKind != JsonValueKind.Array
            || !value.TryGetProperty("data_offsets", out var offsets) || offsets.ValueKind != JsonValueKind.Array
            || offsets.GetArrayLength() != 2)
            throw Bad(path, $"describes tensor '{name}' without dtype, shape and two data_offsets");

        var typeName = dtype.GetString()!;
        var type = TensorTypes.Parse(typeName) ?? throw Bad(path, typeName.StartsWith("F8", StringComparison.Ordinal)
            ? $"holds tensor '{name}' as {typeName}, an 8-bit float that is not supported; convert it to BF16 or F16"
            : $"holds tensor '{name}' as {typeName}; supported are {TensorTypes.Names}");
        if (sizes.GetArrayLength() > MaxRank) throw Bad(path, $"gives tensor '{name}' {sizes.GetArrayLength()} axes, more than {MaxRank}");
        var shape = new long[sizes.GetArrayLength()];
        for (var i = 0; i < shape.Length; i++) shape[i] = ReadSize(sizes[i], name, path);
        var (begin, end) = (ReadSize(offsets[0], name, path), ReadSize(offsets[1], name, path));

        var entry = new TensorEntry(type, shape);
        if (ByteCount(entry) is not { } bytes || end < begin || end - begin != bytes)
            throw Bad(path, $"gives tensor '{name}' the bytes {begin} to {end}, which do not fit {typeName}[{string.Join(", ", shape)}]");
        if (!tensors.TryAdd(name, (entry, begin))) throw Bad(path, $"names tensor '{name}' twice");
    }

    private static long ReadSize(JsonElement value, string name, string path) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out var size) && size >= 0
            ? size
            : throw Bad(path, $"has a size or offset of tensor '{name}' that is not a natural number");

    private static long? ByteCount(TensorEntry entry)
    {
        try
        {
            return checked(entry.Count * TensorTypes.SizeOf(entry.Type));
        }
        catch (OverflowException)
        {
            return null;
        }
    }

    private void CheckLayout(long dataStart, long fileLength, string path)
    {
        names.AddRange(tensors.OrderBy(t => t.Value.Offset).ThenBy(t => t.Value.Entry.Count).Select(t => t.Key));
        var at = 0L;
        foreach (var name in names)
        {
            var (entry, offset) = tensors[name];
            if (offset != at)
                throw Bad(path, $"has {(offset < at ? "overlapping tensors" : "a gap")} "
                    + $"at byte {Math.Min(offset, at)} of its data, before tensor '{name}'");
            at += entry.Count * TensorTypes.SizeOf(entry.Type);
            if (at > fileLength - dataStart)
                throw Bad(path, $"is truncated: tensor '{name}' ends at byte "
                    + $"{at} of the data, but only {fileLength - dataStart} are there");
            tensors[name] = (entry, dataStart + offset);
        }

        if (at != fileLength - dataStart) throw Bad(path, $"has {fileLength - dataStart - at} bytes after its last tensor");
    }

    private static WeightsException Bad(string path, string what) => new($"{path} {what}.");

    private static string FirstSentence(string message)
    {
        var end = message.IndexOf(". ", StringComparison.Ordinal);
        return (end < 0 ? message : message[..end]).Trim().TrimEnd('.') + ".";
    }
}
