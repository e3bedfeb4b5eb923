using Alebrije.Preprocessing;

namespace Alebrije.Datasets;

/// <summary>
/// Images of WebDataset's shards: consecutive files whose names agree up to the first dot are one sample. An epoch reads the
/// shards in a random order and draws each sample from a buffer of the next ones. Only headers are read ahead and only offsets kept:
/// memory does not grow with the archives, and resuming at a step means skipping headers.
/// </summary>
internal sealed class ShardedPictures : CaptionedPictures, IDisposable
{
    private const uint ShardPurpose = 0x73686172, SamplePurpose = 0x73616D70;
    private static readonly string[] Pictures = ["jpg", "jpeg", "png", "webp"];
    private readonly string[] shards;
    private readonly PictureDataOptions options;
    private readonly List<PictureSample> heldOut = [];
    private readonly long count;
    private IEnumerator<PictureSample>? stream;
    private (ulong Seed, long Next) position;

    /// <summary>Reads all headers once: damaged archives are found before training begins.</summary>
    public ShardedPictures(string[] shards, PictureDataOptions options) : base(options.Path, new BadEntries(options.MaxBadShare))
    {
        (this.shards, this.options) = (shards, options);
        foreach (var sample in shards.SelectMany(shard => Samples(shard, Bad)))
        {
            if (!IsHeldOut(sample.Name, options.HeldOut)) count++;
            else if (heldOut.Count < MostHeldOut) heldOut.Add(sample);
        }

        Bad.Check(Source, count + heldOut.Count + Bad.Count);
        if (count == 0) throw new InvalidDataException($"{options.Path} has "
            + $"no picture with a caption to train on; a sample is files such as 0001.jpg and 0001.txt (or 0001.json) next to each other.");
    }

    /// <inheritdoc/>
    public override long Count => count;

    /// <inheritdoc/>
    public override IReadOnlyList<PictureSample> HeldOut => heldOut;

    /// <inheritdoc/>
    public override IEnumerable<PictureSample> InOrder() => shards.SelectMany(Training);

    /// <inheritdoc/>
    public override PictureSample[] Take(ulong seed, long first, int count)
    {
        if (stream is null || position != (seed, first))
        {
            stream?.Dispose();
            stream = From(seed, first).GetEnumerator();
        }

        var taken = new PictureSample[count];
        for (var i = 0; i < count; i++)
        {
            stream.MoveNext();
            taken[i] = stream.Current;
        }

        position = (seed, first + count);
        return taken;
    }

    /// <inheritdoc/>
    public void Dispose() => stream?.Dispose();

    private IEnumerable<PictureSample> From(ulong seed, long first)
    {
        for (var epoch = first / count; ; epoch++)
        {
            var (seen, skipped) = (0L, epoch == first / count ? first % count : 0);
            foreach (var sample in Shuffled(seed, epoch))
                if (seen++ >= skipped) yield return sample;
            if (seen != count) throw new InvalidDataException(
                $"{Source} had {count:N0} samples when training began and has {seen:N0} now; archives must not change meanwhile.");
        }
    }

    private IEnumerable<PictureSample> Shuffled(ulong seed, long epoch)
    {
        var order = EpochOrder.Permutation(shards.Length, seed, epoch, ShardPurpose).Select(i => shards[i]);
        var buffer = new List<PictureSample>();
        var draw = new SeededRandom(seed, epoch, SamplePurpose);
        foreach (var sample in order.SelectMany(Training))
        {
            if (buffer.Count < options.ShuffleBuffer)
            {
                buffer.Add(sample);
                continue;
            }

            var i = draw.Below(buffer.Count);
            (var next, buffer[i]) = (buffer[i], sample);
            yield return next;
        }

        while (buffer.Count > 0)
        {
            var i = draw.Below(buffer.Count);
            var next = buffer[i];
            buffer[i] = buffer[^1];
            buffer.RemoveAt(buffer.Count - 1);
            yield return next;
        }
    }

    private IEnumerable<PictureSample> Training(string shard) =>
        Samples(shard, null).Where(sample => !IsHeldOut(sample.Name, options.HeldOut));

    /// <summary>Samples of a shard; those without an image or a caption are added to <paramref name="bad"/> and skipped.</summary>
    private static IEnumerable<PictureSample> Samples(string shard, BadEntries? bad)
    {
        var (key, parts) = ("", new Dictionary<string, TarFile>(StringComparer.OrdinalIgnoreCase));
        foreach (var entry in TarFiles.Of(shard))
        {
            var (name, ending) = Split(entry.Name);
            if (name is null) continue;
            if (name != key)
            {
                if (Sample(shard, key, parts, bad) is { } sample) yield return sample;
                key = name;
                parts.Clear();
            }

            parts[ending] = entry;
        }

        if (Sample(shard, key, parts, bad) is { } last) yield return last;
    }

    private static PictureSample? Sample(string shard, string key, Dictionary<string, TarFile> parts, BadEntries? bad)
    {
        if (parts.Count == 0) return null;
        var picture = Pictures.Where(parts.ContainsKey).Select(ending => (TarFile?)parts[ending]).FirstOrDefault();
        var isText = parts.TryGetValue("txt", out var text);
        if (picture is { } found && (isText || parts.TryGetValue("json", out text)))
            return new PictureSample(key, new FilePart(shard, found.Offset, found.Length),
                new FilePart(shard, text.Offset, text.Length), IsJson: !isText);
        bad?.Add($"{shard}: {key}",
            $"{shard}: {key} has {(picture is null ? "no picture (.jpg, .png, .webp)" : "no caption (.txt or .json)")}.");
        return null;
    }

    /// <summary>Common name of a sample's files, and the rest: cut at the first dot after the last slash.</summary>
    private static (string? Key, string Ending) Split(string name)
    {
        var start = name.LastIndexOf('/') + 1;
        var dot = name.IndexOf('.', start);
        return dot <= start ? (null, "") : (name[..dot], name[(dot + 1)..]);
    }
}
