using System.Globalization;
using Alebrije.Pipelines;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Tests.Catalog;

namespace Alebrije.Search.Tests;

/// <summary>Images of a test in a folder of their own, an index beside them, and a tiny CLIP with random weights.</summary>
public abstract class Folders : IDisposable
{
    private static readonly Lazy<ClipModel> Loaded = new(() => ClipModel.Load(TestModels.StableUnClip));

    private readonly string root = Directory.CreateTempSubdirectory("alebrije-index-").FullName;

    protected Folders() => Directory.CreateDirectory(Photos);

    /// <summary>A CLIP with random weights: equal images have equal embeddings, and others have not.</summary>
    internal static ClipModel Model => Loaded.Value;

    internal string Photos => Path.Combine(root, "photos");

    internal string IndexFolder => Path.Combine(root, "index");

    internal string Root => root;

    public void Dispose()
    {
        Directory.Delete(root, recursive: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Random rectangles of random colours.</summary>
    internal static RgbImage Drawn(int seed, int width = 60, int height = 44)
    {
        var (random, image) = (new Random(seed), new RgbImage(width, height));
        for (var n = 0; n < 14; n++)
        {
            var (left, top) = (random.Next(n == 0 ? 1 : width), random.Next(n == 0 ? 1 : height));
            var (right, bottom) = n == 0 ? (width, height) : (random.Next(left, width) + 1, random.Next(top, height) + 1);
            var colour = new byte[3];
            random.NextBytes(colour);
            for (var y = top; y < bottom; y++)
                for (var x = left; x < right; x++) colour.CopyTo(image.Pixels, ((y * width) + x) * 3);
        }

        return image;
    }

    /// <summary>Writes images, named by their seeds.</summary>
    internal string[] Write(int first, int count, string? folder = null)
    {
        folder ??= Photos;
        Directory.CreateDirectory(folder);
        return [.. Enumerable.Range(first, count).Select(seed =>
        {
            var path = Path.Combine(folder, string.Create(CultureInfo.InvariantCulture, $"{seed:0000}.png"));
            Drawn(seed).SavePng(path);
            return path;
        })];
    }

    /// <summary>Every file of an index with the hash of its content and its vector: equal for equal indexes.</summary>
    internal static SortedDictionary<string, string> Items(string folder)
    {
        using var index = PictureIndex.Open(folder);
        var hashes = index.Database.Rows("SELECT path, hash FROM files JOIN contents ON id = content",
            row => (Path: row.GetString(0), Hash: Convert.ToHexString((byte[])row.GetValue(1))))
                .ToDictionary(row => row.Path, row => row.Hash);
        var items = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var space in index.Spaces)
        {
            using var vectors = Vectors.VectorFile.Open(Path.Combine(folder, space.File));
            var vector = new float[space.Dimensions];
            foreach (var picture in index.Pictures(space))
            {
                vectors.Row(picture.Row, vector);
                items.Add($"{space.Model} {picture.File}", $"{hashes[picture.File]} {picture.Width}x{picture.Height} "
                    + string.Join(' ', vector.Select(x => x.ToString("F2", CultureInfo.InvariantCulture))));
            }
        }

        Assert.Equal(items.Count, hashes.Count * Math.Max(1, index.Spaces.Count));
        return items;
    }
}
