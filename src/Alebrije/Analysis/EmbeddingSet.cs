using System.Text.Json.Serialization;

namespace Alebrije.Analysis;

/// <summary>What an embedding was made of.</summary>
[JsonConverter(typeof(EmbeddingKindConverter))]
public enum EmbeddingKind
{
    /// <summary>A picture.</summary>
    Image,

    /// <summary>A text.</summary>
    Text,
}

/// <summary>One embedding with its label.</summary>
/// <param name="Kind">Picture or text.</param>
/// <param name="Label">The picture's file name, or the text itself.</param>
/// <param name="Embedding">[dimensions], unit length.</param>
public sealed record EmbeddingItem(EmbeddingKind Kind, string Label, float[] Embedding);

/// <summary>
/// Embeddings of one space: the model that made them, their dimension, and the labelled rows. Embeddings of different spaces must never be
/// compared, so the space travels with them.
/// </summary>
public sealed class EmbeddingSet
{
    /// <param name="model">Name of the model whose space this is.</param>
    /// <param name="items">At least one; all of one dimension and finite.</param>
    /// <exception cref="ArgumentException">No name, no items, different dimensions or values that are not finite.</exception>
    public EmbeddingSet(string model, IReadOnlyList<EmbeddingItem> items)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(model);
        ArgumentNullException.ThrowIfNull(items);
        Dimensions = Vectors.Width([.. items.Select(item => item.Embedding)], "embeddings");
        (Model, Items) = (model, items);
    }

    /// <summary>Name of the model that made the embeddings.</summary>
    public string Model { get; }

    /// <summary>Numbers per embedding.</summary>
    public int Dimensions { get; }

    /// <summary>The labelled embeddings, in the order given.</summary>
    public IReadOnlyList<EmbeddingItem> Items { get; }

    /// <summary>Refuses embeddings of another space.</summary>
    /// <param name="model">Name of the model in use.</param>
    /// <param name="dimensions">Its dimension.</param>
    /// <exception cref="InvalidDataException">Model or dimension differ.</exception>
    public void RequireSpace(string model, int dimensions)
    {
        if (!string.Equals(Model, model, StringComparison.Ordinal) || Dimensions != dimensions)
            throw new InvalidDataException(
                $"These embeddings were made by {Model} ({Dimensions} numbers), the model in use is {model} ({dimensions} numbers); embeddings of "
                + "different models cannot be compared. Embed again, or use the same model.");
    }
}

/// <summary>Kinds are written "image" and "text".</summary>
internal sealed class EmbeddingKindConverter() : JsonStringEnumConverter<EmbeddingKind>(System.Text.Json.JsonNamingPolicy.SnakeCaseLower, false);
