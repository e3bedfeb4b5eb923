using Microsoft.Extensions.AI;
using Microsoft.Extensions.VectorData;

namespace Alebrije.Search.VectorData.Tests;

/// <summary>A record with every kind of property.</summary>
public sealed class Photo
{
    [VectorStoreKey]
    public string File { get; set; } = "";

    [VectorStoreData(IsIndexed = true)]
    public int Year { get; set; }

    [VectorStoreData(StorageName = "the \"title\"")]
    public string? Title { get; set; }

    [VectorStoreData]
    public bool IsFavourite { get; set; }

    [VectorStoreData]
    public double? Latitude { get; set; }

    [VectorStoreData]
    public long Bytes { get; set; }

    [VectorStoreData]
    public float Exposure { get; set; }

    [VectorStoreData]
    public DateTimeOffset Taken { get; set; }

    [VectorStoreData]
    public DateTime? Changed { get; set; }

    [VectorStoreData]
    public Guid Owner { get; set; }

    [VectorStoreData]
    public byte[]? Thumbnail { get; set; }

    [VectorStoreData]
    public List<string>? Tags { get; set; }

    [VectorStoreVector(3)]
    public ReadOnlyMemory<float>? Embedding { get; set; }
}

/// <summary>A record whose text is embedded by the store's generator, with a key that the store makes.</summary>
public sealed class Note
{
    [VectorStoreKey]
    public Guid Id { get; set; }

    [VectorStoreData]
    public string Text { get; set; } = "";

    [VectorStoreVector(3)]
    public string Embedding => Text;
}

/// <summary>A record with two vectors.</summary>
public sealed class Pair
{
    [VectorStoreKey]
    public long Id { get; set; }

    [VectorStoreVector(2, DistanceFunction = DistanceFunction.EuclideanDistance)]
    public float[]? Place { get; set; }

    [VectorStoreVector(3, DistanceFunction = DistanceFunction.DotProductSimilarity, IndexKind = IndexKind.Hnsw)]
    public float[]? Taste { get; set; }
}

/// <summary>A record whose image is embedded by the store's generator.</summary>
public sealed class Snap
{
    [VectorStoreKey]
    public int Id { get; set; }

    [VectorStoreVector(3)]
    public DataContent? Image { get; set; }
}
