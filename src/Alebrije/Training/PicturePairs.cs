using Alebrije.Datasets;
using Alebrije.Embeddings;
using Alebrije.Evaluation;
using Alebrije.Models.Clip;
using Alebrije.Preprocessing;
using Alebrije.Preprocessing.Imaging;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Training;

/// <summary>
/// Pairs of the user's images: sample n of the run is sample n of the shuffled images, in a random crop and with one of its captions,
/// both drawn from the seed and n alone. The next readable image of the batch replaces an unreadable one.
/// </summary>
internal sealed class PicturePairs : IPairSource
{
    private const uint Purpose = 0x63726F70;
    private const int Candidates = 100, Draws = 3;
    private readonly ClipTrainingConfig config;
    private readonly PictureDataOptions options;
    private readonly CaptionedPictures pictures;
    private string? remark;
    private bool hasNoticed;

    /// <exception cref="InvalidDataException">These images cannot satisfy the configuration.</exception>
    public PicturePairs(ClipTrainingConfig config, CaptionedPictures pictures)
    {
        (this.config, this.pictures) = (config, pictures);
        options = config.Data ?? throw new InvalidDataException("The configuration has no data.");
        if (config.Names > 0) throw new InvalidDataException(
            "The configuration's names are those of the emoji's concepts; leave them out where data names own images.");
        if (config.Batch > pictures.Count)
            throw new InvalidDataException($"A batch of {config.Batch} is more "
                + $"than the {pictures.Count} images there are to train on; set batch to {pictures.Count} or less, or held_out to less.");
    }

    /// <inheritdoc/>
    public IEnumerable<string> Corpus(int captions) =>
        pictures.InOrder().Take(captions).SelectMany(sample => CaptionsOf(sample) ?? []).Take(captions);

    /// <inheritdoc/>
    public ClipBatch Make(long number, PairPreparation preparation)
    {
        var first = number * config.Batch;
        var samples = pictures.Take(config.Seed, first, config.Batch);
        var size = config.Model.VisionConfig.ImageSize;
        var rows = new (float[] Pixels, string Caption)?[samples.Length];
        Parallel.For(0, rows.Length, new ParallelOptions { MaxDegreeOfParallelism = options.Workers },
            i => rows[i] = Read(samples[i], first + i, size, preparation));
        pictures.Bad.Check(pictures.Source, pictures.Count);
        var good = Enumerable.Range(0, rows.Length).Where(i => rows[i] is not null).ToArray();
        if (good.Length == 0) throw new InvalidDataException(
            $"{pictures.Source}: no image of a whole batch can be read; {samples[0].Name} is one of them.");

        // The next readable one, cyclically.
        var chosen = Enumerable.Range(0, rows.Length)
            .Select(i => rows[i] is not null ? i : good.FirstOrDefault(j => j > i, good[0])).ToArray();
        var captions = chosen.Select(i => rows[i]!.Value.Caption).ToArray();
        Notice(captions);
        return new ClipBatch(
            ClipBatch.Join([.. chosen.Select(i => rows[i]!.Value.Pixels)]),
            ClipBatch.Pack(preparation.Tokenizer, captions, config.Model.TextConfig.MaxPositionEmbeddings), config.Batch, size, captions)
        {
            Pictures = [.. chosen.Select(i => samples[i].Name)],
        };
    }

    /// <summary>
    /// <c>retrieval_r1</c> (text to image) and <c>retrieval_r1_images</c> (image to text) among at most a hundred held-out pairs, and
    /// <c>held_out</c>, their number. Images with the caption of an earlier one are left out, since the match would be ambiguous.
    /// </summary>
    public Dictionary<string, double> Measure(ClipNetwork network, PairPreparation preparation)
    {
        var (images, texts) = (new List<float[]>(), new List<string>());
        using var inference = inference_mode();
        foreach (var chunk in HeldOut().Chunk(config.Batch))
        {
            using var scope = NewDisposeScope();
            images.AddRange(JointSpace.Rows(
                network.EmbedImage(Pixels([.. chunk.Select(pair => pair.Picture)], network.Config.VisionConfig.ImageSize, preparation))));
            texts.AddRange(chunk.Select(pair => pair.Caption));
        }

        var metrics = new Dictionary<string, double> { ["held_out"] = images.Count };
        if (images.Count < 2) return metrics;
        var captions = new List<float[]>();
        foreach (var chunk in texts.Chunk(config.Batch))
        {
            using var scope = NewDisposeScope();
            var ids = ClipBatch.Pack(preparation.Tokenizer, chunk, network.Config.TextConfig.MaxPositionEmbeddings);
            captions.AddRange(JointSpace.Rows(network.EmbedText(tensor(ids, [chunk.Length, ids.Length / chunk.Length]))));
        }

        var among = Math.Min(Candidates, images.Count);
        metrics["retrieval_r1"] = Retrieval.RecallAt1(captions, images, among, Draws).Value;
        metrics["retrieval_r1_images"] = Retrieval.RecallAt1(images, captions, among, Draws).Value;
        return metrics;
    }

    /// <inheritdoc/>
    public IReadOnlyList<string> TakeRemarks() =>
        [.. pictures.Bad.TakeRemarks(), .. Interlocked.Exchange(ref remark, null) is { } one ? [one] : Array.Empty<string>()];

    /// <summary>Warns once if most captions of a batch belong to several images, which leaves little to contrast.</summary>
    private void Notice(string[] captions)
    {
        var shared = captions.Length - captions.CountBy(caption => caption).Count(pair => pair.Value == 1);
        if (hasNoticed || 2 * shared <= captions.Length) return;
        hasNoticed = true;
        remark = $"{shared} of {captions.Length} captions of a batch occur more than "
            + $"once; such pairs are not used as negatives. Use more detailed captions, or train classifier for plain classes.";
    }

    private IEnumerable<(RgbImage Picture, string Caption)> HeldOut()
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var sample in pictures.HeldOut)
            if (CaptionsOf(sample) is { } captions && seen.Add(captions[0]) && PictureOf(sample) is { } picture)
                yield return (picture, captions[0]);
    }

    private static Tensor Pixels(RgbImage[] shown, int size, PairPreparation preparation) =>
        tensor(ClipBatch.Join([.. shown.Select(preparation.Processor.Prepare)]), [shown.Length, 3, size, size]);

    private (float[] Pixels, string Caption)? Read(PictureSample sample, long number, int size, PairPreparation preparation)
    {
        using var memory = ImageBudget.Share();
        if (CaptionsOf(sample) is not { } captions || PictureOf(sample) is not { } picture) return null;
        var random = new SeededRandom(config.Seed, number, Purpose);
        var caption = captions[random.Below(captions.Count)];
        return (preparation.Processor.Prepare(PictureCrop.Random(picture, size, options, ref random)), caption);
    }

    private IReadOnlyList<string>? CaptionsOf(PictureSample sample) => Try(sample, () => sample.Captions(options.CaptionColumn));

    private RgbImage? PictureOf(PictureSample sample) =>
        Try(sample, () => PillowImage.FromBytes(sample.Picture.Read(ImageLimits.MaximumFileBytes), sample.Name).ToRgbOnWhite());

    private T? Try<T>(PictureSample sample, Func<T> read) where T : class
    {
        try
        {
            return read();
        }
        catch (Exception e) when (e is IOException or InvalidDataException or UnauthorizedAccessException)
        {
            var place = sample.Picture.Length is null ? sample.Picture.File : $"{sample.Picture.File}, {sample.Name}";
            pictures.Bad.Add($"{sample.Picture.File}|{sample.Name}", $"{place}: {e.Message.Split('\n')[0].TrimEnd('.')}.");
            return null;
        }
    }
}

/// <summary>Random crops of an image, as in the training of CLIP and open_clip (torchvision's RandomResizedCrop).</summary>
internal static class PictureCrop
{
    private const int Tries = 10;
    private static readonly double AspectBound = Math.Log(4.0 / 3);

    /// <summary>Draws a crop with its share of the area within the bounds and aspect from 3:4 to 4:3, made square; may mirror it.</summary>
    /// <param name="picture">Of any size.</param>
    /// <param name="size">Side of the square; whole images are left to the processor.</param>
    /// <param name="options">Bounds.</param>
    /// <param name="random">Source of the draws.</param>
    public static RgbImage Random(RgbImage picture, int size, PictureDataOptions options, ref SeededRandom random)
    {
        var cropped = options.CropScale[0] == 1 ? picture : Crop(picture, size, options.CropScale, ref random);
        return options.Flip && random.Chance(0.5) ? Mirror(cropped) : cropped;
    }

    private static RgbImage Crop(RgbImage picture, int size, double[] scale, ref SeededRandom random)
    {
        var (width, height) = (picture.Width, picture.Height);
        for (var i = 0; i < Tries; i++)
        {
            var area = random.Between(scale[0], scale[1]) * width * height;
            var aspect = Math.Exp(random.Between(-AspectBound, AspectBound));
            var (w, h) = ((int)Math.Round(Math.Sqrt(area * aspect)), (int)Math.Round(Math.Sqrt(area / aspect)));
            if (w < 1 || h < 1 || w > width || h > height) continue;
            return Square(picture, random.Below(width - w + 1), random.Below(height - h + 1), w, h, size);
        }

        // No try fitted: the centre crop, with its aspect within the bounds.
        var (whole, tall) = (Math.Min(width, (int)Math.Round(height * 4.0 / 3)), Math.Min(height, (int)Math.Round(width * 4.0 / 3)));
        return Square(picture, (width - whole) / 2, (height - tall) / 2, Math.Max(1, whole), Math.Max(1, tall), size);
    }

    private static RgbImage Square(RgbImage picture, int left, int top, int width, int height, int size) =>
        picture.ToPillow().Crop(left, top, width, height).Resize(size, size).ToRgb();

    private static RgbImage Mirror(RgbImage picture)
    {
        var mirrored = new RgbImage(picture.Width, picture.Height);
        for (var y = 0; y < picture.Height; y++)
            for (var x = 0; x < picture.Width; x++)
                picture.Pixels.AsSpan(((y * picture.Width) + picture.Width - 1 - x) * 3, 3)
                    .CopyTo(mirrored.Pixels.AsSpan(((y * picture.Width) + x) * 3, 3));
        return mirrored;
    }
}
