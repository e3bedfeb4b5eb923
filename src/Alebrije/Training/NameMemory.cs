using Alebrije.Datasets;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Training;

/// <summary>
/// The names of all concepts in both languages as they were last embedded: negatives that cost no pass through the text tower (the memory bank of
/// Wu et al., 2018, §3.2, with texts in place of pictures). A name counts from its first embedding on.
/// </summary>
internal sealed class NameMemory : IDisposable
{
    private readonly long concepts;
    private readonly Tensor embeddings, hidden;

    /// <param name="concepts">Concepts of the world; 0 remembers nothing.</param>
    /// <param name="features">Numbers of an embedding.</param>
    public NameMemory(long concepts, long features)
    {
        this.concepts = concepts;
        embeddings = zeros(2 * concepts, features);
        hidden = full([2 * concepts], float.NegativeInfinity);
    }

    /// <summary>What a checkpoint has to keep.</summary>
    public IEnumerable<KeyValuePair<string, Tensor>> State =>
        concepts == 0 ? [] : [KeyValuePair.Create("names/embeddings", embeddings), KeyValuePair.Create("names/hidden", hidden)];

    /// <summary>All names of the language, and which of them count as others than <paramref name="names"/>.</summary>
    /// <returns>[features, concepts], and [concepts] that is 0 for a name that counts and minus infinity for one that does not.</returns>
    public (Tensor Embeddings, Tensor Hidden) Others(NamedConcepts names)
    {
        var start = Start(names.Language);
        var known = hidden.slice(0, start, start + concepts, 1).clone();
        known.index_fill_(0, tensor(names.Concepts), float.NegativeInfinity);
        return (embeddings.slice(0, start, start + concepts, 1).clone().t(), known);
    }

    /// <summary>Remembers names as they are embedded now.</summary>
    /// <param name="names">The names.</param>
    /// <param name="fresh">[names, features], unit length</param>
    public void Keep(NamedConcepts names, Tensor fresh)
    {
        using var guard = no_grad();
        using var scope = NewDisposeScope();
        var places = tensor(names.Concepts) + Start(names.Language);
        embeddings.index_copy_(0, places, fresh.detach());
        hidden.index_fill_(0, places, 0);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        embeddings.Dispose();
        hidden.Dispose();
    }

    private long Start(Language language) => (int)language * concepts;
}
