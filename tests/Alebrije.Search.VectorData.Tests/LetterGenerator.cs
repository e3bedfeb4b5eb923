using Microsoft.Extensions.AI;

namespace Alebrije.Search.VectorData.Tests;

/// <summary>Texts by their letters a, b and c.</summary>
internal sealed class LetterGenerator : IEmbeddingGenerator<string, Embedding<float>>
{
    public Task<GeneratedEmbeddings<Embedding<float>>> GenerateAsync(IEnumerable<string> values,
        EmbeddingGenerationOptions? options = null, CancellationToken cancellationToken = default) =>
        Task.FromResult(new GeneratedEmbeddings<Embedding<float>>(values.Select(text =>
            new Embedding<float>("abc".Select(letter => (float)text.Count(c => c == letter)).ToArray()))));

    public object? GetService(Type serviceType, object? serviceKey = null) => null;

    public void Dispose()
    {
    }
}
