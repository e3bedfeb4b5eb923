using Alebrije.Pipelines;
using Alebrije.Search.Vectors;

namespace Alebrije.Search;

/// <summary>Search of an index by texts and images.</summary>
public static class IndexSearch
{
    private const int ScaleImages = 256;

    /// <summary>Finds images.</summary>
    /// <param name="index">The index.</param>
    /// <param name="model">Model of a space of the index.</param>
    /// <param name="query">The query.</param>
    /// <param name="cancellation">Stops the search.</param>
    /// <returns>Best first; copies of one content are one result.</returns>
    /// <exception cref="OtherSpaceException">The index has no embeddings of the model.</exception>
    /// <exception cref="IOException">An image of the query cannot be read.</exception>
    public static SearchResults Search(this PictureIndex index, ClipModel model,
        SearchQuery query, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(index);
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(query);
        var vector = query.Embed(model, cancellation);
        var texts = index.Read(model, (space, _) => BackgroundTexts.Embed(model, index.Folder, space, cancellation));
        return index.Read(model, (space, vectors) =>
        {
            var scale = RelevanceScale.Create(query, texts, Sample(index, space, vectors));
            var filtered = query.Filter.IsEmpty ? null
                : IndexItems.In(index.Database, space.Id, query.Filter).ToLookup(picture => picture.Row);
            var best = filtered is null ? Best(index, space, vectors, vector, query.Top)
                : ExactSearch.Top(vectors, vector, query.Top, filtered.Select(group => group.Key).Order().ToArray())
                    .Select(row => (row, filtered[row.Row].ToList())).ToList();
            var (results, least, own) = (new List<SearchResult>(), 1 - query.FalseAlarmRate, new float[space.Dimensions]);
            foreach (var (row, files) in best)
            {
                vectors.Row(row.Row, own);
                var relevance = scale?.Of(own, row.Score) ?? 1;
                if (relevance >= least)
                    results.Add(new SearchResult(files[0], [.. files.Skip(1).Select(file => file.File)], row.Score, relevance));
            }

            return new SearchResults(space.Model, results, query.FalseAlarmRate < 1 ? least : null, query.FalseAlarmRate,
                filtered?.Sum(group => group.Count()) ?? space.Images, best.Count - results.Count);
        });
    }

    /// <summary>The best rows with their files, best first. Rows that no image has are left out.</summary>
    internal static List<(ScoredRow Row, List<IndexedPicture> Files)> Best(
        PictureIndex index, IndexedSpace space, VectorFile vectors, float[] query, int top)
    {
        // Few rows are without an image; where too few remain, more are sought.
        for (var count = (long)top; ; count *= 4)
        {
            var best = ExactSearch.Top(vectors, query, (int)Math.Clamp(count, 1, Math.Max(1, vectors.Count)));
            var found = best.Select(row => (Row: row, Files: IndexItems.OfRow(index.Database, space.Id, row.Row)))
                .Where(one => one.Files.Count > 0).Take(top).ToList();
            if (found.Count == top || count >= vectors.Count) return found;
        }
    }

    /// <summary>Vectors of images from all parts of the index.</summary>
    private static float[][] Sample(PictureIndex index, IndexedSpace space, VectorFile vectors)
    {
        var count = index.Database.Value<long>("SELECT count(*) FROM vectors WHERE space = $0", space.Id);
        var rows = index.Database.Rows("SELECT row FROM (SELECT row, row_number() OVER (ORDER BY row) AS n FROM vectors WHERE space = $0) "
            + "WHERE n % $1 = 0", reader => reader.GetInt64(0), space.Id, Math.Max(1, count / ScaleImages));
        return [.. rows.Take(ScaleImages).Select(row =>
        {
            var vector = new float[space.Dimensions];
            vectors.Row(row, vector);
            return vector;
        })];
    }
}
