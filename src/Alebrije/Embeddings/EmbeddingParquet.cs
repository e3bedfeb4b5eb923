using System.Globalization;
using Alebrije.Pipelines;
using Parquet;
using Parquet.Schema;

namespace Alebrije.Embeddings;

/// <summary>
/// Embeddings as a Parquet table: kind (string), label (string), embedding (list of float), in row groups of a bounded size, with
/// <c>alebrije.model</c>, <c>alebrije.dimensions</c> and <c>alebrije.preprocessing</c> as the file's metadata. Read by DuckDB, pandas
/// and polars.
/// </summary>
internal static class EmbeddingParquet
{
    private const int GroupRows = 8192;
    private const long MaxExpansion = 1000; // numbers per byte of file: more than that is a lie about the size
    private const string ModelKey = "alebrije.model", DimensionsKey = "alebrije.dimensions", PreprocessingKey = "alebrije.preprocessing";

    private static readonly DataField<string> Kind = new("kind", false), Label = new("label", false);
    private static readonly DataField<float> Element = new("element", false);
    private static readonly ListField Embedding = new("embedding", Element);
    private static readonly ParquetSchema Schema = new(Kind, Label, Embedding);

    /// <param name="more">Further metadata of the file.</param>
    public static async Task WriteAsync(Stream stream, EmbeddingSet set, CancellationToken cancellation,
        IReadOnlyDictionary<string, string>? more = null)
    {
        await using var writer = await ParquetWriter.CreateAsync(Schema, stream, cancellationToken: cancellation);
        var metadata = new Dictionary<string, string>(more ?? new Dictionary<string, string>())
        {
            [ModelKey] = set.Model,
            [DimensionsKey] = set.Dimensions.ToString(CultureInfo.InvariantCulture),
        };
        if (set.Space.Preprocessing is { } preprocessing) metadata[PreprocessingKey] = preprocessing;
        writer.CustomMetadata = metadata;
        foreach (var group in set.Items.Chunk(GroupRows))
        {
            using var rows = writer.CreateRowGroup();
            await rows.WriteAsync(Kind, [.. group.Select(item => item.Kind == EmbeddingKind.Image ? "image" : "text")]);
            await rows.WriteAsync(Label, [.. group.Select(item => item.Label)]);
            var values = group.SelectMany(item => item.Embedding).ToArray();
            var definition = new int[values.Length];
            Array.Fill(definition, Element.MaxDefinitionLevel);
            var repetition = new int[values.Length];
            for (var i = 0; i < repetition.Length; i++) repetition[i] = i % set.Dimensions == 0 ? 0 : Element.MaxRepetitionLevel;
            await rows.WriteAllPartsAsync<float>(Element, values, definition, repetition, cancellation);
            rows.CompleteValidate();
        }
    }

    /// <exception cref="FormatException">Not such a table, or a damaged one; the message completes "is not readable:".</exception>
    public static async Task<(EmbeddingSpace Space, IReadOnlyList<EmbeddingItem> Items)> ReadAsync(
        Stream stream, CancellationToken cancellation)
    {
        try
        {
            ParquetFooter.Check(stream);

            // Page headers hold counts too, and on some the library never ends: give up after five seconds plus one for each MiB.
            var limit = TimeSpan.FromSeconds(5 + (stream.Length >> 20));
            return await Task.Factory.StartNew(() => ReadTableAsync(stream, cancellation).GetAwaiter().GetResult(),
                cancellation, TaskCreationOptions.LongRunning, TaskScheduler.Default)
                .WaitAsync(limit, cancellation);
        }
        catch (TimeoutException e)
        {
            throw new FormatException("it is damaged: reading it does not end.", e);
        }
        catch (Exception e) when (e is not (FormatException or OperationCanceledException))
        {
            // The Parquet library throws whatever its broken thrift or page raises, OutOfMemoryException for a page of 2 GiB too; all of it
            // means one thing.
            throw new FormatException("it is not a Parquet file, or it is damaged.", e);
        }
    }

    private static async Task<(EmbeddingSpace Space, IReadOnlyList<EmbeddingItem> Items)> ReadTableAsync(
        Stream stream, CancellationToken cancellation)
    {
        await using var reader = await ParquetReader.CreateAsync(stream, cancellationToken: cancellation);
        var metadata = reader.CustomMetadata;
        if (metadata is null || !metadata.TryGetValue(ModelKey, out var model) || !metadata.TryGetValue(DimensionsKey, out var text)
            || !int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var dimensions))
            throw new FormatException($"it does not name the model of the embeddings (metadata {ModelKey} and {DimensionsKey}).");
        var (kind, label, element) = (Column(reader, "kind"), Column(reader, "label"), Column(reader, "embedding"));
        var items = new List<EmbeddingItem>();
        for (var g = 0; g < reader.RowGroupCount; g++)
        {
            using var rows = reader.OpenRowGroupReader(g);
            var count = rows.GetMetadata(element)?.MetaData?.NumValues ?? 0;
            if (count != rows.RowCount * dimensions || count > MaxExpansion * stream.Length)
                throw new FormatException($"{rows.RowCount} rows hold {count} numbers, not {dimensions} each.");
            if (new[] { kind, label, element }.FirstOrDefault(column => rows.GetMetadata(column)?.MetaData is not { } chunk
                || !LiesWithin(chunk, stream.Length)) is { } outside)
                throw new FormatException($"its column {outside.Path.FirstPart} lies outside the file.");
            var (kinds, labels) = (new string[rows.RowCount], new string[rows.RowCount]);
            await rows.ReadAsync(kind, kinds, cancellationToken: cancellation);
            await rows.ReadAsync(label, labels, cancellationToken: cancellation);
            var values = new float[count];
            var (definition, repetition) = (new int[count], new int[count]);
            await rows.ReadRawAsync<float>(element, values, definition, repetition, cancellation);
            for (var i = 0; i < kinds.Length; i++)
                items.Add(new EmbeddingItem(KindOf(kinds[i]), labels[i], values.AsSpan(i * dimensions, dimensions).ToArray()));
        }

        return (new EmbeddingSpace(model, dimensions, metadata.GetValueOrDefault(PreprocessingKey)), items);
    }

    private static bool LiesWithin(Parquet.Meta.ColumnMetaData chunk, long length)
    {
        var first = chunk.DictionaryPageOffset is { } dictionary and > 0
            ? Math.Min(dictionary, chunk.DataPageOffset) : chunk.DataPageOffset;
        return first >= 0 && chunk.DataPageOffset < length && chunk.TotalCompressedSize >= 0 && chunk.TotalCompressedSize <= length - first;
    }

    private static DataField Column(ParquetReader reader, string name) =>
        reader.Schema.DataFields.FirstOrDefault(field => field.Path.FirstPart == name)
        ?? throw new FormatException($"it has no column {name}.");

    private static EmbeddingKind KindOf(string kind) => kind switch
    {
        "image" => EmbeddingKind.Image,
        "text" => EmbeddingKind.Text,
        _ => throw new FormatException($"a row is of kind {kind}; expected image or text."),
    };
}
