using Alebrije.Preprocessing.Imaging;
using SkiaSharp;

namespace Alebrije.Search.Tests;

/// <summary>Copies, look-alikes, clusters, labels and export.</summary>
public sealed class GroupTests : Folders
{
    [Fact]
    public void Copies_SurviveReEncodingAndResizing_AndDifferentImagesAreNoCopies()
    {
        for (var seed = 0; seed < 20; seed++)
        {
            var image = Drawn(seed, 240, 180);
            image.SavePng(Path.Combine(Photos, $"{seed}.png"));
            Save(image, $"{seed}-q30.jpg", SKEncodedImageFormat.Jpeg, 30);
            Save(image.Resize(120, 90), $"{seed}-half.jpg", SKEncodedImageFormat.Jpeg, 80);
            Save(image.Resize(360, 270), $"{seed}-large.webp", SKEncodedImageFormat.Webp, 60);
        }

        using var index = PictureIndex.OpenOrCreate(IndexFolder);
        index.Add([Photos], Model);
        var groups = PictureDuplicates.Find(index, Model, 2);
        Assert.All(groups, group => Assert.Equal(GroupKind.Same, group.Kind));
        Assert.Equal(20, groups.Count);
        Assert.All(groups, group =>
        {
            Assert.Equal(4, group.Pictures.Count);
            Assert.EndsWith("-large.webp", group.Pictures[0].File, StringComparison.Ordinal);
            Assert.Single(group.Pictures.Select(picture => Path.GetFileName(picture.File).Split('-', '.')[0]).Distinct());
        });
        Assert.Equal(80, Directory.GetFiles(Photos).Length);
    }

    [Fact]
    public void LookAlikes_StandApartFromCopies_AndTheirCosineIsAtLeastTheOneAskedFor()
    {
        var image = Drawn(1, 240, 180);
        image.SavePng(Path.Combine(Photos, "a.png"));
        Save(image, "a.jpg", SKEncodedImageFormat.Jpeg, 60);
        for (var i = 0; i < 240 * 60 * 3; i++) image.Pixels[i] = (byte)(255 - image.Pixels[i]);
        image.SavePng(Path.Combine(Photos, "b.png"));
        Write(50, 6);
        using var index = PictureIndex.OpenOrCreate(IndexFolder);
        index.Add([Photos], Model);
        var rows = Model.EmbedImages([Path.Combine(Photos, "a.png"), Path.Combine(Photos, "b.png")]);
        var cosine = rows[0].Zip(rows[1], (x, y) => (double)x * y).Sum();
        var groups = PictureDuplicates.Find(index, Model, cosine - 0.003);
        Assert.Equal(["a.jpg", "a.png"], groups.Single(group => group.Kind == GroupKind.Same).Pictures
            .Select(picture => Path.GetFileName(picture.File)).Order(StringComparer.Ordinal));
        var alike = groups.First(group => group.Kind == GroupKind.Alike
            && group.Pictures.Any(p => p.File.EndsWith("b.png", StringComparison.Ordinal)));
        Assert.Single(alike.Pictures, picture => Path.GetFileName(picture.File).StartsWith('a'));
        Assert.InRange(alike.Least, cosine - 0.003, 1);
    }

    [Fact]
    public void Centres_SeparateWhatIsApart_AndAreUnitLength()
    {
        var random = new Random(5);
        float[][] axes = [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]];
        var rows = Enumerable.Range(0, 90).Select(i =>
            Unit([.. axes[i % 3].Select(x => x + (0.1f * (float)random.NextDouble()))])).ToArray();
        var centres = PictureClusters.Centres(rows, 3, new Random(1), CancellationToken.None);
        Assert.Equal(3, axes.Select(axis => centres.Index().MaxBy(c => c.Item.Zip(axis, (x, y) => x * y).Sum()).Index).Distinct().Count());
        Assert.All(centres, centre => Assert.Equal(1, centre.Sum(x => (double)x * x), 1e-4));

        static float[] Unit(float[] row) => [.. row.Select(x => x / MathF.Sqrt(row.Sum(y => y * y)))];
    }

    [Fact]
    public void Clusters_HoldEveryImageOnce_WithDifferentNames()
    {
        var files = Write(0, 18);
        using var index = PictureIndex.OpenOrCreate(IndexFolder);
        index.Add([Photos], Model);
        var groups = PictureClusters.Find(index, Model, new ClusterOptions { Count = 4, Names = ["a", "b", "c", "d", "e"] });
        Assert.Equal(files, groups.SelectMany(group => group.Pictures).Select(picture => picture.File).Order(StringComparer.Ordinal));
        Assert.Equal(groups.Count, groups.Select(group => group.Name).Distinct().Count());
        Assert.Equal(groups.OrderByDescending(group => group.Pictures.Count), groups);
    }

    [Fact]
    public void Classify_WritesTheLabelOfTheNearestText_ThatMovesWithTheFile()
    {
        var files = Write(0, 9);
        using var index = PictureIndex.OpenOrCreate(IndexFolder);
        index.Add([Photos], Model);
        var (images, texts) = (Model.EmbedImages(files), Model.EmbedTexts(["a", "b", "c"]));
        string[] expected = [.. images.Select(image =>
            "abc"[texts.Index().MaxBy(text => text.Item.Zip(image, (x, y) => (double)x * y).Sum()).Index].ToString())];
        var counts = IndexLabels.Classify(index, Model, ["a", "b", "c"]);
        Assert.Equal(expected, index.Pictures(index.Spaces[0]).Select(picture => picture.Label));
        Assert.Equal(9, counts.Sum(one => one.Images));
        Assert.Equal(counts.Where(one => one.Images > 0).OrderBy(one => one.Label),
            index.Status().Labels.Select(one => new LabelCount(one.Key, one.Value)).OrderBy(one => one.Label));
        File.Move(files[0], Path.Combine(Photos, "z.png"));
        index.Update(Model);
        Assert.Equal(expected[0], index.Pictures(index.Spaces[0])[^1].Label);
        Assert.Throws<ArgumentException>(() => IndexLabels.Classify(index, Model, ["a", "A"]));
    }

    [Fact]
    public async Task Export_WritesParquetNpyAndTheLayoutOfClipRetrieval()
    {
        var files = Write(0, 5);
        using var index = PictureIndex.OpenOrCreate(IndexFolder);
        index.Add([Photos], Model);
        var expected = Model.EmbedImages(files);
        foreach (var name in new[] { "e.parquet", "e.npy" })
        {
            var path = Path.Combine(Root, name);
            Assert.Equal(5, await IndexExport.WriteAsync(index, Model, path, TestContext.Current.CancellationToken));
            var set = await Embeddings.EmbeddingFile.ReadAsync(path, TestContext.Current.CancellationToken);
            Assert.Equal(Model.Space, set.Space);
            Assert.Equal(files, set.Items.Select(item => item.Label));
            Near(expected, [.. set.Items.Select(item => item.Embedding)]);
        }

        var folder = Path.Combine(Root, "knn");
        await IndexExport.WriteAsync(index, Model, folder, TestContext.Current.CancellationToken);
        var array = Npy.Read(Path.Combine(folder, "img_emb", "img_emb_0.npy"));
        Assert.Equal([5, Model.Dimensions], array.Shape);
        Near(expected, [.. ((float[])array.Values).Chunk(Model.Dimensions)]);
        await using var stream = File.OpenRead(Path.Combine(folder, "metadata", "metadata_0.parquet"));
        await using var reader = await Parquet.ParquetReader.CreateAsync(stream, cancellationToken: TestContext.Current.CancellationToken);
        Assert.Equal(["image_path", "metadata"], reader.Schema.DataFields.Select(field => field.Name));
        using var rows = reader.OpenRowGroupReader(0);
        var paths = new string[rows.RowCount];
        await rows.ReadAsync(reader.Schema.DataFields[0], paths,
            cancellationToken: TestContext.Current.CancellationToken);
        Assert.Equal(files, paths);

        static void Near(float[][] expected, float[][] found) => Assert.All(expected.Zip(found), pair =>
            Assert.All(pair.First.Zip(pair.Second), numbers => Assert.Equal(numbers.First, numbers.Second, 1e-3)));
    }

    private void Save(RgbImage image, string name, SKEncodedImageFormat format, int quality)
    {
        using var skia = SkiaNative.ToSkia(image);
        using var data = skia.Encode(format, quality);
        File.WriteAllBytes(Path.Combine(Photos, name), data.ToArray());
    }
}
