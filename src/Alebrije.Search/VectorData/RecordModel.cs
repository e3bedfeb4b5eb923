using Microsoft.Extensions.AI;
using Microsoft.Extensions.VectorData;
using Microsoft.Extensions.VectorData.ProviderServices;

namespace Alebrije.Search.VectorData;

/// <summary>Properties of records from their attributes or a definition.</summary>
internal sealed class RecordModel() : CollectionModelBuilder(new CollectionModelBuildingOptions
{
    RequiresAtLeastOneVector = false, SupportsMultipleVectors = true, UsesExternalSerializer = false,
})
{
    private static readonly Type[] Keys = [typeof(string), typeof(int), typeof(long), typeof(Guid)];

    private static readonly Type[] Data =
    [
        typeof(string), typeof(bool), typeof(int), typeof(long), typeof(float), typeof(double), typeof(DateTime), typeof(DateTimeOffset),
        typeof(Guid), typeof(byte[]), typeof(string[]), typeof(List<string>),
    ];

    private static readonly Type[] Vectors = [typeof(ReadOnlyMemory<float>), typeof(float[]), typeof(Embedding<float>)];

    /// <summary>The properties of a collection's records.</summary>
    /// <param name="record">Type of the records; a dictionary is described by the definition.</param>
    /// <param name="key">Type of the keys.</param>
    /// <param name="definition">Properties, or null for the attributes of the type.</param>
    /// <param name="generator">Generator of embeddings for properties without one, or null.</param>
    public static CollectionModel Of(Type record, Type key, VectorStoreCollectionDefinition? definition, IEmbeddingGenerator? generator)
    {
        var model = record == typeof(Dictionary<string, object?>)
            ? new RecordModel().BuildDynamic(definition
                ?? throw new ArgumentException("Records that are dictionaries need a definition.", nameof(definition)), generator)
            : new RecordModel().Build(record, key, definition, generator);
        foreach (var property in model.VectorProperties)
        {
            if (property.Dimensions is < 1 or > 16000)
                throw new NotSupportedException($"{property.ModelName} has {property.Dimensions} dimensions; 1 to 16,000 are possible.");
            VectorDistance.Of(property.DistanceFunction);
        }

        return model;
    }

    /// <summary>A vector of a record or of a search.</summary>
    /// <returns>The vector, or null where the value is not a vector.</returns>
    public static ReadOnlyMemory<float>? VectorOf(object? value) => value switch
    {
        ReadOnlyMemory<float> memory => memory,
        float[] array => array,
        Embedding<float> embedding => embedding.Vector,
        _ => default(ReadOnlyMemory<float>?),
    };

    /// <summary>A vector as the type of its property.</summary>
    public static object ToProperty(float[] vector, Type type) => (Nullable.GetUnderlyingType(type) ?? type) switch
    {
        var t when t == typeof(float[]) => vector,
        var t when t == typeof(Embedding<float>) => new Embedding<float>(vector),
        _ => new ReadOnlyMemory<float>(vector),
    };

    /// <summary>True if records hold the vector itself, not a value that a generator embeds.</summary>
    public static bool HoldsVector(VectorPropertyModel property) =>
        Vectors.Contains(Nullable.GetUnderlyingType(property.Type) ?? property.Type);

    protected override void ValidateKeyProperty(KeyPropertyModel keyProperty)
    {
        if (!Keys.Contains(keyProperty.Type) && keyProperty.Type != typeof(object))
            throw new NotSupportedException(
                $"The key {keyProperty.ModelName} is of type {keyProperty.Type.Name}; {Names(Keys)} are possible.");
    }

    protected override bool SupportsKeyAutoGeneration(Type keyPropertyType) => keyPropertyType == typeof(Guid);

    protected override bool IsDataPropertyTypeValid(Type type, out string supportedTypes)
    {
        supportedTypes = Names(Data);
        return Data.Contains(Nullable.GetUnderlyingType(type) ?? type);
    }

    protected override bool IsVectorPropertyTypeValid(Type type, out string supportedTypes)
    {
        supportedTypes = Names(Vectors);
        return Vectors.Contains(Nullable.GetUnderlyingType(type) ?? type);
    }

    private static string Names(Type[] types) => string.Join(", ", types.Select(type => type.Name));
}
