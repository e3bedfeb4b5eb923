using Microsoft.Extensions.VectorData;

namespace Alebrije.Search.Tests;

public sealed class IndexedPicturesTests : Folders
{
    [Fact]
    public async Task Pictures_AreFoundByVectorAndText_WithFilters()
    {
        var files = Write(0, 12);
        using var index = PictureIndex.OpenOrCreate(IndexFolder);
        index.Add([Photos], Model);
        var pictures = new IndexedPictures(index, Model);
        var embeddings = Model.EmbedImages(files);
        foreach (var (file, embedding) in files.Zip(embeddings))
        {
            var found = await List(pictures.SearchAsync(embedding, 3));
            Assert.Equal((file, 3), (found[0].Record.File, found.Count));
            Assert.Equal(1, found[0].Score!.Value, 1e-3);
        }

        var filtered = await List(pictures.SearchAsync(embeddings[3], 99, new VectorSearchOptions<IndexedPicture>
        {
            Filter = picture => picture.File != files[3] && picture.Width == 60, Skip = 1,
        }));
        Assert.Equal(10, filtered.Count);
        Assert.DoesNotContain(files[3], filtered.Select(result => result.Record.File));
        Assert.Equal(12, (await List(pictures.SearchAsync("a dog", 99))).Count);
        Assert.Empty(await List(pictures.SearchAsync("a dog", 99, new VectorSearchOptions<IndexedPicture> { ScoreThreshold = 2 })));
        await Assert.ThrowsAsync<NotSupportedException>(() => List(pictures.SearchAsync(7, 1)));
    }

    private static async Task<List<T>> List<T>(IAsyncEnumerable<T> items)
    {
        var list = new List<T>();
        await foreach (var item in items) list.Add(item);
        return list;
    }
}
