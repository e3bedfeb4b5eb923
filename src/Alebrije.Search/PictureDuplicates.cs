using System.Numerics.Tensors;
using System.Text.Json.Serialization;
using Alebrije.Pipelines;

namespace Alebrije.Search;

/// <summary>Kind of a group of images.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<GroupKind>))]
public enum GroupKind
{
    /// <summary>Copies of one image, perhaps re-encoded or resized.</summary>
    [JsonStringEnumMemberName("same")]
    Same,

    /// <summary>Different images that look alike.</summary>
    [JsonStringEnumMemberName("alike")]
    Alike,

    /// <summary>Images about one subject.</summary>
    [JsonStringEnumMemberName("cluster")]
    Cluster,
}

/// <summary>A group of images.</summary>
/// <param name="Kind">Kind of the group.</param>
/// <param name="Pictures">Its images: copies from the largest to the smallest, others from the middle of the group outwards.</param>
/// <param name="Name">Nearest text, of clusters.</param>
/// <param name="Least">Smallest cosine with the first image (of clusters: with the centre); 1 for copies.</param>
public sealed record PictureGroup(GroupKind Kind, IReadOnlyList<IndexedPicture> Pictures, string? Name, double Least);

/// <summary>Copies and look-alikes among the images of an index; nothing is deleted.</summary>
public static class PictureDuplicates
{
    private const int Bands = 8, BandBits = 8, Block = 256;

    /// <summary>Finds groups of copies, by perceptual hash, and of look-alikes, by the cosine of their embeddings.</summary>
    /// <param name="index">The index.</param>
    /// <param name="model">Model of the space of the embeddings.</param>
    /// <param name="least">Smallest cosine of look-alikes with the first image of their group, -1 to 1.</param>
    /// <param name="filter">Restriction to some images, or null.</param>
    /// <param name="cancellation">Stops between two blocks of comparisons.</param>
    /// <returns>Copies first; in each kind the largest groups first. Copies count as one image among look-alikes.</returns>
    public static IReadOnlyList<PictureGroup> Find(PictureIndex index, ClipModel model, double least,
        SearchFilter? filter = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(index);
        return index.Read(model, (space, vectors) =>
        {
            var pictures = IndexItems.In(index.Database, space.Id, filter);
            var same = Copies(pictures, Signatures(index.Database), cancellation);
            var leaders = same.Select(group => group[0]).ToArray();
            var rows = new float[leaders.Length][];
            for (var i = 0; i < leaders.Length; i++) vectors.Row(leaders[i].Row, rows[i] = new float[space.Dimensions]);
            return (IReadOnlyList<PictureGroup>)
            [
                .. same.Where(group => group.Count > 1).OrderByDescending(group => group.Count)
                    .Select(group => new PictureGroup(GroupKind.Same, group, null, 1)),
                .. Alike(leaders, rows, least, cancellation).OrderByDescending(group => group.Pictures.Count),
            ];
        });
    }

    private static Dictionary<long, PerceptualHash> Signatures(IndexDatabase database) => database.Rows(
        "SELECT id, frequencies, colours FROM contents",
        row => (Id: row.GetInt64(0), Hash: new PerceptualHash(unchecked((ulong)row.GetInt64(1)), (byte[])row.GetValue(2))))
        .ToDictionary(row => row.Id, row => row.Hash);

    /// <summary>Groups of copies, also those of one; the largest image first.</summary>
    internal static List<List<IndexedPicture>> Copies(IReadOnlyList<IndexedPicture> pictures,
        IReadOnlyDictionary<long, PerceptualHash> signatures, CancellationToken cancellation)
    {
        var contents = pictures.Select(picture => picture.Content).Distinct().ToArray();
        var hashes = contents.Select(content => signatures[content]).ToArray();
        var root = Enumerable.Range(0, contents.Length).ToArray();

        // Two hashes with at most 7 different bits agree in one of 8 bands of 8 bits at least.
        for (var band = 0; band < Bands; band++)
        {
            var shift = band * BandBits;
            foreach (var bucket in Enumerable.Range(0, contents.Length).GroupBy(i => (byte)(hashes[i].Frequencies >> shift)))
            {
                cancellation.ThrowIfCancellationRequested();
                var members = bucket.ToArray();
                for (var i = 0; i < members.Length; i++)
                {
                    for (var j = i + 1; j < members.Length; j++)
                        if (hashes[members[i]].IsSame(hashes[members[j]])) root[Root(members[j])] = Root(members[i]);
                }
            }
        }

        var place = contents.Index().ToDictionary(pair => pair.Item, pair => pair.Index);
        return [.. pictures.GroupBy(picture => Root(place[picture.Content])).Select(group => group
            .OrderByDescending(picture => (long)picture.Width * picture.Height).ThenBy(p => p.File, StringComparer.Ordinal).ToList())];

        int Root(int i)
        {
            while (root[i] != i) i = root[i] = root[root[i]];
            return i;
        }
    }

    /// <summary>
    /// Groups of at least two around the image with the most neighbours, then around the next that is left: every member is near the first
    /// one, and no chain joins what is far apart.
    /// </summary>
    private static List<PictureGroup> Alike(IndexedPicture[] pictures, float[][] rows, double least, CancellationToken cancellation)
    {
        var neighbours = new List<(int Other, float Cosine)>[rows.Length];
        Parallel.For(0, (rows.Length + Block - 1) / Block, new ParallelOptions { CancellationToken = cancellation }, block =>
        {
            for (var i = block * Block; i < Math.Min(rows.Length, (block + 1) * Block); i++)
            {
                neighbours[i] = [];
                for (var j = 0; j < rows.Length; j++)
                    if (j != i && TensorPrimitives.Dot(rows[i], rows[j]) is var cosine && cosine >= least) neighbours[i].Add((j, cosine));
            }
        });
        var (groups, taken) = (new List<PictureGroup>(), new bool[rows.Length]);
        foreach (var i in Enumerable.Range(0, rows.Length).Where(i => neighbours[i].Count > 0).OrderByDescending(i => neighbours[i].Count))
        {
            if (taken[i]) continue;
            var members = neighbours[i].Where(near => !taken[near.Other]).OrderByDescending(near => near.Cosine).ToArray();
            if (members.Length == 0) continue;
            taken[i] = true;
            foreach (var (other, _) in members) taken[other] = true;
            groups.Add(new PictureGroup(GroupKind.Alike, [pictures[i], .. members.Select(near => pictures[near.Other])],
                null, Math.Min(1, members[^1].Cosine)));
        }

        return groups;
    }
}
