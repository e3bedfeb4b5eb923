using System.Text.Json.Serialization;
using Alebrije.Pipelines;

namespace Alebrije.Embeddings;

/// <summary>Source of an embedding: image or text.</summary>
[JsonConverter(typeof(EmbeddingKindConverter))]
public enum EmbeddingKind
{
    /// <summary>An image.</summary>
    Image,

    /// <summary>A text.</summary>
    Text,
}

/// <summary>One embedding with its label.</summary>
/// <param name="Kind">Image or text.</param>
/// <param name="Label">The image's file name, or the text itself.</param>
/// <param name="Embedding">[dimensions], unit length.</param>
public sealed record EmbeddingItem(EmbeddingKind Kind, string Label, float[] Embedding);

/// <summary>
/// Embeddings of one space and their labels. Embeddings of different spaces must never be compared, so the space travels with them.
/// </summary>
public sealed class EmbeddingSet
{
    /// <param name="space">The space of all the embeddings.</param>
    /// <param name="items">At least one; all finite and of the space's dimension.</param>
    /// <exception cref="ArgumentException">No name, no items, another dimension or values that are not finite.</exception>
    public EmbeddingSet(EmbeddingSpace space, IReadOnlyList<EmbeddingItem> items) : this(Named(space).Model, items, space.Preprocessing)
    {
        if (space.Dimensions != Dimensions)
            throw new ArgumentException($"The embeddings have {Dimensions} "
                + $"numbers, those of {space.Model} have {space.Dimensions}: they are of another space.", nameof(items));
    }

    /// <param name="model">Name of the model whose space this is.</param>
    /// <param name="items">At least one; all of one dimension and finite.</param>
    /// <exception cref="ArgumentException">No name, no items, different dimensions or values that are not finite.</exception>
    public EmbeddingSet(string model, IReadOnlyList<EmbeddingItem> items) : this(model, items, null)
    {
    }

    private EmbeddingSet(string model, IReadOnlyList<EmbeddingItem> items, string? preprocessing)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(model);
        ArgumentNullException.ThrowIfNull(items);
        Space = new EmbeddingSpace(model, Vectors.Width([.. items.Select(item => item.Embedding)], "embeddings"), preprocessing);
        Items = items;
    }

    /// <summary>The space of the embeddings.</summary>
    public EmbeddingSpace Space { get; }

    /// <summary>Name of the model that made the embeddings.</summary>
    public string Model => Space.Model;

    /// <summary>Numbers per embedding.</summary>
    public int Dimensions => Space.Dimensions;

    /// <summary>The labelled embeddings, in the order given.</summary>
    public IReadOnlyList<EmbeddingItem> Items { get; }

    /// <summary>The embeddings of both sets in one; refused where their spaces differ.</summary>
    /// <exception cref="InvalidDataException">The other set is of another space; the message names both.</exception>
    public EmbeddingSet With(EmbeddingSet other)
    {
        ArgumentNullException.ThrowIfNull(other);
        RequireSpace(other.Space);
        return new EmbeddingSet(Model, [.. Items, .. other.Items], Space.Preprocessing ?? other.Space.Preprocessing);
    }

    /// <summary>Refuses embeddings of another space.</summary>
    /// <param name="space">The space of the model in use.</param>
    /// <exception cref="InvalidDataException">The spaces differ; the message names both.</exception>
    public void RequireSpace(EmbeddingSpace space) => Space.Require(space);

    /// <inheritdoc cref="RequireSpace(EmbeddingSpace)"/>
    /// <param name="model">Name of the model in use.</param>
    /// <param name="dimensions">Its dimension.</param>
    public void RequireSpace(string model, int dimensions) => Space.Require(new EmbeddingSpace(model, dimensions));

    private static EmbeddingSpace Named(EmbeddingSpace space)
    {
        ArgumentNullException.ThrowIfNull(space);
        return space;
    }
}

/// <summary>Kinds are written "image" and "text".</summary>
internal sealed class EmbeddingKindConverter()
    : JsonStringEnumConverter<EmbeddingKind>(System.Text.Json.JsonNamingPolicy.SnakeCaseLower, false);
