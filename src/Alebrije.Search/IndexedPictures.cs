using System.Runtime.CompilerServices;
using Alebrije.Pipelines;
using Alebrije.Search.VectorData;
using Alebrije.Search.Vectors;
using Microsoft.Extensions.VectorData;

namespace Alebrije.Search;

/// <summary>
/// An index of images as <see cref="IVectorSearchable{TRecord}"/>: found by a text or an embedding, with filters over the facts of the
/// images. All near images are results; the relevance cut is in <see cref="IndexSearch"/>. Safe from several threads.
/// </summary>
/// <param name="index">The index; whoever opened it disposes it.</param>
/// <param name="model">Model of a space of the index; whoever loaded it disposes it.</param>
public sealed class IndexedPictures(PictureIndex index, ClipModel model) : IVectorSearchable<IndexedPicture>
{
    private readonly Lock gate = new();

    /// <summary>Searches the index.</summary>
    /// <param name="searchValue">A text, or an embedding of the model's width.</param>
    /// <param name="top">Results at most.</param>
    /// <param name="options">Filter, skipped results, and the least cosine.</param>
    /// <param name="cancellationToken">Stops the search.</param>
    /// <returns>Best first; of copies of one content the first that the filter lets through.</returns>
    /// <exception cref="NotSupportedException">The value is neither, or vectors are requested.</exception>
    /// <exception cref="OtherSpaceException">The index has no embeddings of the model.</exception>
    public async IAsyncEnumerable<VectorSearchResult<IndexedPicture>> SearchAsync<TInput>(TInput searchValue, int top,
        VectorSearchOptions<IndexedPicture>? options = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
        where TInput : notnull
    {
        ArgumentNullException.ThrowIfNull(searchValue);
        ArgumentOutOfRangeException.ThrowIfLessThan(top, 1);
        options ??= new VectorSearchOptions<IndexedPicture>();
        if (options.IncludeVectors) throw new NotSupportedException("Images of an index are found without their vectors.");
        foreach (var result in await Task.Run(() => Search(searchValue, top, options, cancellationToken), cancellationToken)
            .ConfigureAwait(false))
            yield return result;
    }

    /// <inheritdoc/>
    public object? GetService(Type serviceType, object? serviceKey = null)
    {
        ArgumentNullException.ThrowIfNull(serviceType);
        if (serviceKey is not null) return null;
        return serviceType == typeof(VectorStoreCollectionMetadata)
            ? new VectorStoreCollectionMetadata { VectorStoreSystemName = "alebrije", VectorStoreName = index.Folder }
            : serviceType.IsInstanceOfType(this) ? this : serviceType.IsInstanceOfType(index) ? index : null;
    }

    private List<VectorSearchResult<IndexedPicture>> Search(
        object value, int top, VectorSearchOptions<IndexedPicture> options, CancellationToken cancellation)
    {
        var query = value is string text ? model.EmbedTexts([text], null, cancellation)[0] : RecordModel.VectorOf(value)?.ToArray()
            ?? throw new NotSupportedException($"{value.GetType().Name} is neither a text nor an embedding.");
        var matches = options.Filter?.Compile();
        lock (gate)
        {
            return index.Read(model, (space, vectors) =>
            {
                var wanted = (int)Math.Min((long)top + options.Skip, int.MaxValue);
                var best = matches is null
                    ? IndexSearch.Best(index, space, vectors, query, wanted).Select(one => (one.Row, Picture: one.Files[0]))
                    : Filtered(index.Pictures(space).Where(matches).ToLookup(picture => picture.Row), vectors, query, wanted);
                return best.Skip(options.Skip).TakeWhile(one => options.ScoreThreshold is not { } least || one.Row.Score >= least)
                    .Select(one => new VectorSearchResult<IndexedPicture>(one.Picture, one.Row.Score)).ToList();
            });
        }
    }

    private static IEnumerable<(ScoredRow Row, IndexedPicture Picture)> Filtered(
        ILookup<long, IndexedPicture> pictures, VectorFile vectors, float[] query, int wanted) =>
        ExactSearch.Top(vectors, query, wanted, pictures.Select(group => group.Key).Order().ToArray())
            .Select(row => (row, pictures[row.Row].First()));
}
