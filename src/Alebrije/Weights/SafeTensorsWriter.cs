using System.Buffers.Binary;
using System.Text.Encodings.Web;
using System.Text.Json;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Weights;

/// <summary>
/// Writes safetensors files as the reference does: header padded with spaces to eight bytes, tensors sorted by descending element size,
/// then by name. The file appears under its name only when complete.
/// </summary>
internal static class SafeTensorsWriter
{
    /// <summary>Bytes per write: spans end at 2 GiB, tensors do not.</summary>
    private const int ChunkBytes = 1 << 28;

    /// <summary>Writes tensors of any device and layout.</summary>
    /// <param name="path">The file; an existing one is replaced atomically.</param>
    /// <param name="tensors">Names and tensors; they stay the caller's.</param>
    /// <param name="metadata">Free text for the header.</param>
    /// <exception cref="WeightsException">A name occurs twice, a type has no name in the format, or writing failed.</exception>
    public static void Write(string path, IEnumerable<KeyValuePair<string, Tensor>> tensors,
        IReadOnlyDictionary<string, string>? metadata = null)
    {
        var sorted = tensors
            .OrderByDescending(t => TensorTypes.SizeOf(t.Value.dtype))
            .ThenBy(t => t.Key, StringComparer.Ordinal)
            .ToList();
        if (sorted.GroupBy(t => t.Key).FirstOrDefault(g => g.Count() > 1) is { } twice)
            throw new WeightsException($"{path} cannot hold two tensors named '{twice.Key}'.");
        var header = Header(sorted.Select(t => (t.Key, new TensorEntry(t.Value.dtype, t.Value.shape))), metadata);
        AtomicFile.Write(path, stream =>
        {
            Begin(stream, header);
            foreach (var (_, tensor) in sorted) WriteBytes(stream, tensor);
        });
    }

    /// <summary>Writes the tensors of other files one by one, so that only one of them is in memory.</summary>
    /// <param name="path">The file; an existing one is replaced atomically.</param>
    /// <param name="sources">Sources of the tensors; they stay the caller's.</param>
    /// <exception cref="WeightsException">A name occurs twice, a tensor cannot be read, or writing failed.</exception>
    public static void Copy(string path, params IReadOnlyList<TensorSource> sources)
    {
        var sorted = sources.SelectMany(source => source.Names.Select(name => (Name: name, Source: source, Entry: source.Describe(name))))
            .OrderByDescending(t => TensorTypes.SizeOf(t.Entry.Type)).ThenBy(t => t.Name, StringComparer.Ordinal).ToList();
        if (sorted.GroupBy(t => t.Name).FirstOrDefault(g => g.Count() > 1) is { } twice)
            throw new WeightsException($"{path} cannot hold two tensors named '{twice.Key}'.");
        var header = Header(sorted.Select(t => (t.Name, t.Entry)), null);
        AtomicFile.Write(path, stream =>
        {
            Begin(stream, header);
            foreach (var (name, source, _) in sorted)
            {
                using var tensor = source.Read(name);
                WriteBytes(stream, tensor);
            }
        });
    }

    private static void Begin(Stream stream, byte[] header)
    {
        Span<byte> length = stackalloc byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(length, header.Length);
        stream.Write(length);
        stream.Write(header);
    }

    private static byte[] Header(IEnumerable<(string Name, TensorEntry Entry)> tensors, IReadOnlyDictionary<string, string>? metadata)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartObject();
            if (metadata is { Count: > 0 })
            {
                json.WriteStartObject("__metadata__");
                foreach (var (key, text) in metadata.OrderBy(item => item.Key, StringComparer.Ordinal)) json.WriteString(key, text);
                json.WriteEndObject();
            }

            var at = 0L;
            foreach (var (name, entry) in tensors)
            {
                json.WriteStartObject(name);
                json.WriteString("dtype", TensorTypes.NameOf(entry.Type));
                json.WriteStartArray("shape");
                foreach (var size in entry.Shape) json.WriteNumberValue(size);
                json.WriteEndArray();
                json.WriteStartArray("data_offsets");
                json.WriteNumberValue(at);
                at += entry.Count * TensorTypes.SizeOf(entry.Type);
                json.WriteNumberValue(at);
                json.WriteEndArray();
                json.WriteEndObject();
            }

            json.WriteEndObject();
        }

        while (buffer.Length % 8 != 0) buffer.WriteByte((byte)' ');
        return buffer.ToArray();
    }

    private static void WriteBytes(Stream stream, Tensor tensor)
    {
        if (tensor.numel() == 0) return;
        using var detached = tensor.detach();
        using var local = detached.cpu();
        using var flat = local.contiguous().view(-1);
        for (long done = 0, step = ChunkBytes / flat.element_size(); done < flat.numel(); done += step)
        {
            using var part = flat.narrow(0, done, Math.Min(step, flat.numel() - done));
            stream.Write(part.bytes);
        }
    }
}
