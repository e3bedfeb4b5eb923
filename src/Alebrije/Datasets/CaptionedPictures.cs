using Alebrije.Preprocessing;

namespace Alebrije.Datasets;

/// <summary>Path and reading options of a run's own images and captions: <c>data</c> in its JSON file.</summary>
internal sealed record PictureDataOptions : PictureListingOptions
{
    /// <summary>
    /// A folder of images, a <c>.csv</c> or <c>.tsv</c>, or WebDataset's shards: an archive, a folder, a pattern or a range.
    /// </summary>
    public string Path { get; init; } = "";

    /// <summary>Share of the images that is kept out of training and measured on; which ones follows from their names alone.</summary>
    public double HeldOut { get; init; } = 0.05;

    /// <summary>
    /// Share of the entries that may be broken, empty or missing; they are skipped and logged. A single one is always allowed.
    /// </summary>
    public double MaxBadShare { get; init; } = 0.01;

    /// <summary>Size of the shuffle buffer for shards, in samples; it keeps offsets, not images, so that it costs little.</summary>
    public int ShuffleBuffer { get; init; } = 10_000;

    /// <summary>Least and greatest share of the area in a random crop (aspect 3:4 to 4:3); [1, 1] takes the largest centred crop.</summary>
    public double[] CropScale { get; init; } = [0.9, 1];

    /// <summary>True if half of the images are mirrored; unsuitable if captions contain left and right.</summary>
    public bool Flip { get; init; }

    /// <summary>Images that are decoded at a time, ahead of the training step.</summary>
    public int Workers { get; init; } = 2;

    /// <exception cref="InvalidDataException">A value is out of its range; the message names it.</exception>
    public PictureDataOptions Checked()
    {
        if (string.IsNullOrWhiteSpace(Path)) throw Wrong("path", "is missing; it names a folder, a .csv or .tsv, or .tar archives");
        if (HeldOut is not (>= 0 and < 1)) throw Wrong("held_out", $"is {HeldOut}; it has to be from 0 to below 1");
        if (MaxBadShare is not (>= 0 and <= 1)) throw Wrong("max_bad_share", $"is {MaxBadShare}; it has to be from 0 to 1");
        if (ShuffleBuffer is < 1 or > 10_000_000) throw Wrong("shuffle_buffer", $"is {ShuffleBuffer}; it has to be from 1 to 10,000,000");
        if (Workers is < 1 or > 256) throw Wrong("workers", $"is {Workers}; it has to be from 1 to 256");
        if (CropScale is not [> 0 and <= 1, > 0 and <= 1] || CropScale[0] > CropScale[1])
            throw Wrong("crop_scale", "has to be two shares above 0 and up to 1, the smaller first");
        if (Templates.Count == 0 || Templates.FirstOrDefault(t => !t.Contains("{}", StringComparison.Ordinal)) is not null)
            throw Wrong("templates", "has to be sentences with {} where the folder's name goes");
        return this;

        static InvalidDataException Wrong(string key, string what) =>
            new(FormattableString.Invariant($"The configuration's data.{key} {what}."));
    }
}

/// <summary>
/// A user's images with captions as an endless, shuffled sequence of samples: sample n is the same at every request,
/// so that a run resumes from its step alone.
/// </summary>
internal abstract class CaptionedPictures(string source, BadEntries bad)
{
    /// <summary>Held-out samples that are kept for measuring.</summary>
    protected const int MostHeldOut = 1000;

    /// <summary>Path as the configuration gives it.</summary>
    public string Source => source;

    public BadEntries Bad => bad;

    /// <summary>Samples of one epoch.</summary>
    public abstract long Count { get; }

    /// <summary>Samples that training never shows, at most a thousand.</summary>
    public abstract IReadOnlyList<PictureSample> HeldOut { get; }

    /// <summary>All training samples, once, in the source's own order.</summary>
    public abstract IEnumerable<PictureSample> InOrder();

    /// <summary>
    /// Samples <paramref name="first"/> to <paramref name="first"/> + <paramref name="count"/> - 1 of a seed. One caller at a time.
    /// </summary>
    public abstract PictureSample[] Take(ulong seed, long first, int count);

    /// <summary>Finds the images, so that missing files and captions are reported before training begins.</summary>
    /// <exception cref="InvalidDataException">Nothing is found, too much is bad, or an archive is damaged; one sentence.</exception>
    /// <exception cref="IOException">A file or folder is missing.</exception>
    public static CaptionedPictures Open(PictureDataOptions options)
    {
        var path = options.Checked().Path;
        if (TarShards.Means(path)) return new ShardedPictures(TarShards.Find(path), options);
        var isTable = path.EndsWith(".csv", StringComparison.OrdinalIgnoreCase)
            || path.EndsWith(".tsv", StringComparison.OrdinalIgnoreCase);
        if (!isTable && File.Exists(path)) throw new InvalidDataException($"{path} is neither a folder nor a .csv, .tsv or .tar file.");
        return new ListedPictures(isTable ? PictureListing.OfTable(path, options) : PictureListing.OfFolder(path, options), options);
    }

    /// <summary>True if a sample is held out: decided by FNV-1a of its name, so that additions change nothing.</summary>
    public static bool IsHeldOut(string name, double share) => StableHash.Unit(name) < share;
}

/// <summary>Images of a folder or a table, each a file; an epoch is a permutation.</summary>
internal sealed class ListedPictures : CaptionedPictures
{
    private readonly PictureSample[] samples;
    private readonly List<PictureSample> heldOut = [];
    private readonly EpochOrder order;

    public ListedPictures(PictureListing listing, PictureDataOptions options) : base(options.Path, new BadEntries(options.MaxBadShare))
    {
        var root = Directory.Exists(options.Path) ? Path.GetFullPath(options.Path) : Path.GetDirectoryName(Path.GetFullPath(options.Path))!;
        var all = listing.Pictures.GroupBy(picture => Path.GetFullPath(picture.Path), StringComparer.Ordinal)
            .Select(group => new PictureSample(
            Path.GetRelativePath(root, group.Key).Replace('\\', '/'), new FilePart(group.Key),
            default, [.. group.Select(picture => picture.Caption).Distinct(StringComparer.Ordinal)])).ToArray();
        foreach (var problem in listing.Problems) Bad.Add(problem, problem);
        Bad.Check(Source, all.Length + listing.Problems.Count);
        var training = all.ToLookup(sample => !IsHeldOut(sample.Name, options.HeldOut));
        samples = [.. training[true]];
        order = new EpochOrder(samples.Length);
        heldOut.AddRange(training[false].Take(MostHeldOut));
        if (samples.Length == 0) throw new InvalidDataException(
            $"{options.Path} leaves no image to train on; {all.Length} were found and {options.HeldOut} of them are held out.");
    }

    /// <inheritdoc/>
    public override long Count => samples.Length;

    /// <inheritdoc/>
    public override IReadOnlyList<PictureSample> HeldOut => heldOut;

    /// <inheritdoc/>
    public override IEnumerable<PictureSample> InOrder() => samples;

    /// <inheritdoc/>
    public override PictureSample[] Take(ulong seed, long first, int count) =>
        [.. Enumerable.Range(0, count).Select(i => samples[order.At(seed, first + i)])];
}

/// <summary>An endless sequence of the numbers 0 to count - 1: every epoch is a permutation of its own. One caller at a time.</summary>
internal sealed class EpochOrder(int count)
{
    private const uint Purpose = 0x6F726472;
    private (ulong Seed, long Epoch, int[] Order)? latest;

    /// <summary>Element <paramref name="number"/> of the sequence of a seed.</summary>
    public int At(ulong seed, long number)
    {
        var epoch = number / count;
        if (latest is not { } known || known.Seed != seed || known.Epoch != epoch)
            latest = known = (seed, epoch, Permutation(count, seed, epoch, Purpose));
        return known.Order[number % count];
    }

    /// <summary>0 to <paramref name="count"/> - 1 in an order that follows from the rest alone (Fisher-Yates).</summary>
    public static int[] Permutation(int count, ulong seed, long epoch, uint purpose)
    {
        var random = new SeededRandom(seed, epoch, purpose);
        var order = Enumerable.Range(0, count).ToArray();
        for (var i = order.Length - 1; i > 0; i--)
        {
            var j = random.Below(i + 1);
            (order[i], order[j]) = (order[j], order[i]);
        }

        return order;
    }
}

/// <summary>Numbers that follow from a name alone, on every machine.</summary>
internal static class StableHash
{
    /// <returns>A number in [0, 1).</returns>
    public static double Unit(string name) => (Of(name) >> 11) * (1.0 / (1UL << 53));

    /// <summary>FNV-1a of the UTF-16 code units, finished by SplitMix64's mixer.</summary>
    public static ulong Of(string name)
    {
        var hash = 0xCBF29CE484222325;
        foreach (var c in name) hash = unchecked((hash ^ c) * 0x100000001B3);
        return SeededRandom.Mix(hash);
    }
}
