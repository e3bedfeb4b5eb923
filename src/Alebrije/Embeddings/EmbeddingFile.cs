using System.Text.Json;
using System.Text.Json.Serialization;
using Alebrije.Pipelines;
using Alebrije.Preprocessing;
using Alebrije.Preprocessing.Imaging;

namespace Alebrije.Embeddings;

/// <summary>
/// Embedding files, by ending: <c>.json</c> (one document), <c>.parquet</c> (columns kind, label, embedding; the space in the file's
/// metadata) and <c>.npy</c> (float32 [items, dimensions]) with <c>NAME.labels.json</c> next to it.
/// </summary>
public static class EmbeddingFile
{
    /// <summary>File endings that can be written and read.</summary>
    public static IReadOnlyList<string> Endings { get; } = [".npy", ".parquet", ".json"];

    /// <summary>Writes the embeddings; an existing file is replaced only once the new one is complete.</summary>
    /// <param name="path">File that ends in .npy, .parquet or .json.</param>
    /// <param name="set">Embeddings to write.</param>
    /// <param name="cancellation">Stops before the file is put in place.</param>
    /// <exception cref="ArgumentException">Another ending.</exception>
    public static async Task WriteAsync(string path, EmbeddingSet set, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(set);
        switch (Ending(path))
        {
            case ".json":
                await WrittenFile.WriteAsync(path, stream => JsonSerializer.SerializeAsync(
                    stream, new EmbeddingDocument(set.Model, set.Dimensions, set.Items, set.Space.Preprocessing),
                    EmbeddingJson.Default.EmbeddingDocument, cancellation));
                break;
            case ".parquet":
                await WrittenFile.WriteAsync(path, stream => EmbeddingParquet.WriteAsync(stream, set, cancellation));
                break;
            default:
                var values = set.Items.SelectMany(item => item.Embedding).ToArray();
                var labels = new LabelDocument(set.Model, set.Dimensions,
                    [.. set.Items.Select(item => new LabelItem(item.Kind, item.Label))], set.Space.Preprocessing);
                UnwritableFileException.ThrowIfUnwritable(path);
                await WrittenFile.WriteAsync(LabelsOf(path),
                    stream => JsonSerializer.SerializeAsync(stream, labels, EmbeddingJson.Default.LabelDocument, cancellation));
                Npy.Write(path, values, set.Items.Count, set.Dimensions);
                break;
        }
    }

    /// <summary>Reads what <see cref="WriteAsync"/> wrote.</summary>
    /// <param name="path">File that ends in .npy (with its labels next to it), .parquet or .json.</param>
    /// <param name="cancellation">Stops the reading.</param>
    /// <exception cref="ArgumentException">Another ending.</exception>
    /// <exception cref="FileNotFoundException">No such file, or an .npy without its labels.</exception>
    /// <exception cref="InvalidDataException">The file is damaged or its parts contradict each other.</exception>
    public static async Task<EmbeddingSet> ReadAsync(string path, CancellationToken cancellation = default)
    {
        var ending = Ending(path);
        if (!File.Exists(path)) throw new FileNotFoundException($"There is no file {path}.", path);
        try
        {
            switch (ending)
            {
                case ".json":
                    var document = await ReadJsonAsync(path, EmbeddingJson.Default.EmbeddingDocument, cancellation);
                    return Checked(path, new EmbeddingSpace(document.Model, document.Dimensions, document.Preprocessing), document.Items);
                case ".parquet":
                    await using (var stream = RegularFile.Open(path))
                    {
                        var (space, items) = await EmbeddingParquet.ReadAsync(stream, cancellation);
                        return Checked(path, space, items);
                    }

                default:
                    return await ReadNpyAsync(path, cancellation);
            }
        }
        catch (Exception e) when (e is JsonException or ArgumentException or FormatException)
        {
            throw new InvalidDataException($"{path} is not a readable embedding file: {e.Message} Write it again with `alebrije embed`.",
                e);
        }
    }

    private static async Task<EmbeddingSet> ReadNpyAsync(string path, CancellationToken cancellation)
    {
        var side = LabelsOf(path);
        if (!File.Exists(side))
            throw new FileNotFoundException($"{path} has no labels: {side} is missing. Keep both files together, or embed again.", side);
        var labels = await ReadJsonAsync(side, EmbeddingJson.Default.LabelDocument, cancellation);
        var array = Npy.Read(path);
        if (array.Values is not float[] values || array.Shape is not [var rows, var width])
            throw new InvalidDataException($"{path} holds {array.Values.GetType().GetElementType()!.Name} "
                + $"of rank {array.Shape.Count}; expected float32 [items, dimensions].");
        if (rows != labels.Items.Count || width != labels.Dimensions)
            throw new InvalidDataException(
                $"{path} holds [{rows}, {width}], but {side} names {labels.Items.Count} "
                    + $"items of {labels.Dimensions} numbers: the files do not belong together.");
        return new EmbeddingSet(new EmbeddingSpace(labels.Model, labels.Dimensions, labels.Preprocessing), [.. labels.Items.Select(
            (item, i) => new EmbeddingItem(item.Kind, item.Label, values.AsSpan(i * width, width).ToArray()))]);
    }

    private static EmbeddingSet Checked(string path, EmbeddingSpace space, IReadOnlyList<EmbeddingItem> items)
    {
        var width = Vectors.Width([.. items.Select(item => item.Embedding)], "embeddings");
        return space.Dimensions == width ? new EmbeddingSet(space, items)
            : throw new InvalidDataException(
                $"{path} states {space.Dimensions} numbers per embedding but holds {width}: the file was changed or damaged.");
    }

    private static async Task<T> ReadJsonAsync<T>(
        string path, System.Text.Json.Serialization.Metadata.JsonTypeInfo<T> type, CancellationToken cancellation)
    {
        await using var stream = RegularFile.Open(path);
        return await JsonSerializer.DeserializeAsync(stream, type, cancellation) ?? throw new JsonException("it holds null.");
    }

    private static string LabelsOf(string path) => Path.ChangeExtension(path, ".labels.json");

    private static string Ending(string path)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        var ending = Path.GetExtension(path).ToLowerInvariant();
        return Endings.Contains(ending) ? ending
            : throw new ArgumentException($"{path}: embeddings are kept in files that end in {string.Join(", ", Endings)}.", nameof(path));
    }
}

internal sealed record EmbeddingDocument(string Model, int Dimensions, IReadOnlyList<EmbeddingItem> Items, string? Preprocessing = null);

internal sealed record LabelDocument(string Model, int Dimensions, IReadOnlyList<LabelItem> Items, string? Preprocessing = null);

internal sealed record LabelItem(EmbeddingKind Kind, string Label);

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
        RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(EmbeddingDocument))]
[JsonSerializable(typeof(LabelDocument))]
internal sealed partial class EmbeddingJson : JsonSerializerContext;
