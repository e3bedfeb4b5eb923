using Alebrije.Pipelines;
using Alebrije.Search.Vectors;

namespace Alebrije.Search;

/// <summary>Search of an index by texts and images.</summary>
public static class IndexSearch
{
    /// <summary>Finds images.</summary>
    /// <param name="index">The index.</param>
    /// <param name="model">Model of a space of the index.</param>
    /// <param name="query">The query.</param>
    /// <param name="cancellation">Stops the search.</param>
    /// <returns>Best first; copies of one content are one result.</returns>
    /// <exception cref="OtherSpaceException">The index has no embeddings of the model.</exception>
    /// <exception cref="IOException">An image of the query cannot be read.</exception>
    public static SearchResults Search(this PictureIndex index, ClipModel model, SearchQuery query, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(index);
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(query);
        var vector = index.Read(model, (_, _) => query.Embed(model, cancellation));
        return index.Read(model, (space, vectors) =>
        {
            var filtered = query.Filter.IsEmpty ? null : IndexItems.In(index.Database, space.Id, query.Filter).ToLookup(picture => picture.Row);
            var best = filtered is null ? Best(index, space, vectors, vector, query.Top)
                : filtered.Count == 0 ? [] : ExactSearch.Top(vectors, vector, query.Top, filtered.Select(group => group.Key).Order().ToArray());
            var results = new List<SearchResult>();
            foreach (var (row, score) in best)
            {
                if (results.Count == query.Top) break;
                var files = filtered?[row].ToList() ?? IndexItems.OfRow(index.Database, space.Id, row);
                if (files.Count > 0) results.Add(new SearchResult(files[0], [.. files.Skip(1).Select(file => file.File)], score, 1));
            }

            return new SearchResults(space.Model, results, null, query.FalseAlarmRate, filtered?.Sum(group => group.Count()) ?? space.Images, 0);
        });
    }

    /// <summary>The best rows of all, with as many more as there are rows without an image.</summary>
    private static IReadOnlyList<ScoredRow> Best(PictureIndex index, IndexedSpace space, VectorFile vectors, float[] query, int top)
    {
        var orphans = vectors.Count - index.Database.Value<long>("SELECT count(*) FROM vectors WHERE space = $0", space.Id);
        return vectors.Count == 0 ? [] : ExactSearch.Top(vectors, query, (int)Math.Min(top + orphans, vectors.Count));
    }
}
