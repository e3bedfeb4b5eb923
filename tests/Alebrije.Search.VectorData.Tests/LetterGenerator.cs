using Microsoft.Extensions.AI;

namespace Alebrije.Search.VectorData.Tests;

/// <summary>Texts by their letters a, b and c, and data by their first three bytes: a generator of both kinds, such as CLIP's.</summary>
internal sealed class LetterGenerator : IEmbeddingGenerator<string, Embedding<float>>, IEmbeddingGenerator<DataContent, Embedding<float>>
{
    public Task<GeneratedEmbeddings<Embedding<float>>> GenerateAsync(IEnumerable<string> values,
        EmbeddingGenerationOptions? options = null, CancellationToken cancellationToken = default) =>
        Task.FromResult(new GeneratedEmbeddings<Embedding<float>>(values.Select(text =>
            new Embedding<float>("abc".Select(letter => (float)text.Count(c => c == letter)).ToArray()))));

    public Task<GeneratedEmbeddings<Embedding<float>>> GenerateAsync(IEnumerable<DataContent> values,
        EmbeddingGenerationOptions? options = null, CancellationToken cancellationToken = default) =>
        Task.FromResult(new GeneratedEmbeddings<Embedding<float>>(values.Select(data =>
            new Embedding<float>(data.Data[..3].ToArray().Select(x => (float)x).ToArray()))));

    public object? GetService(Type serviceType, object? serviceKey = null) => null;

    public void Dispose()
    {
    }
}
