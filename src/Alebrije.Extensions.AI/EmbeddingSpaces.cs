using System.Numerics.Tensors;
using System.Text.Json;
using Alebrije.Pipelines;
using Microsoft.Extensions.AI;

namespace Alebrije.Extensions.AI;

/// <summary>
/// The space that an embedding carries in its <see cref="Embedding.AdditionalProperties"/>, where caches and stores keep it.
/// </summary>
public static class EmbeddingSpaces
{
    /// <summary>Key of the property; its value is the text of an <see cref="EmbeddingSpace"/>.</summary>
    public const string Property = "embedding_space";

    /// <summary>The space of an embedding; null where it carries none.</summary>
    public static EmbeddingSpace? Space(this Embedding embedding)
    {
        ArgumentNullException.ThrowIfNull(embedding);
        if (embedding.AdditionalProperties is not { } properties || !properties.TryGetValue(Property, out var value)) return null;
        var text = value is JsonElement { ValueKind: JsonValueKind.String } json ? json.GetString() : value as string;
        return EmbeddingSpace.TryParse(text, out var space) ? space : null;
    }

    /// <summary>Cosine of two embeddings of one space, in [-1, 1].</summary>
    /// <exception cref="InvalidDataException">One of them carries no space, or the spaces differ; the message names both.</exception>
    public static float CosineSimilarity(this Embedding<float> first, Embedding<float> second)
    {
        RequireOneSpace([first, second]);
        return TensorPrimitives.CosineSimilarity(first.Vector.Span, second.Vector.Span);
    }

    /// <summary>The one space of all the embeddings.</summary>
    /// <exception cref="ArgumentException">There are none.</exception>
    /// <exception cref="InvalidDataException">One of them carries no space, its dimension is not the space's, or two spaces
    /// differ.</exception>
    public static EmbeddingSpace RequireOneSpace(IEnumerable<Embedding> embeddings)
    {
        ArgumentNullException.ThrowIfNull(embeddings);
        EmbeddingSpace? one = null;
        var place = 0;
        foreach (var embedding in embeddings)
        {
            var space = Space(embedding)
                ?? throw new InvalidDataException($"Embedding {place} ({embedding.ModelId ?? "of no model"}, "
                    + $"{embedding.Dimensions} numbers) does not name its space, so it cannot be compared; embed again.");
            if (embedding.Dimensions != space.Dimensions)
                throw new InvalidDataException($"Embedding {place} has {embedding.Dimensions} "
                    + $"numbers, but its space is {space.Model} with {space.Dimensions}: it was changed; embed again.");
            (one ??= space).Require(space);
            place++;
        }

        return one ?? throw new ArgumentException("There are no embeddings, so there is no space.", nameof(embeddings));
    }
}
