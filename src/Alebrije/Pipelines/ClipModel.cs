using System.Runtime.ExceptionServices;
using Alebrije.Models.Clip;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Preprocessing.Tokenizers;
using Alebrije.Tensors;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Pipelines;

/// <summary>
/// CLIP as a pair of functions (Radford et al., 2021, fig. 3): texts and images to embeddings of unit length in one space. Reads a CLIP
/// folder of transformers, one of its towers alone, the CLIP inside a pipeline folder (Stable unCLIP and its family), or a run of <c>train
/// clip</c>. Embedding is safe from several threads at once; dispose last.
/// </summary>
public sealed class ClipModel : IDisposable
{
    /// <summary>
    /// The scale that published CLIPs end their training with, and the largest that they allow (Radford et al., 2021, §2.5).
    /// </summary>
    public const double UsualLogitScale = 100;

    private const int ImageBatch = 32;

    private readonly ClipModelParts parts;
    private readonly ScalarType dtype;
    private readonly Action<RunNote>? note;
    private readonly Lazy<PackedTextTower> packedText;
    private readonly Lazy<PackedVisionTower?> packedVision;
    private readonly Lazy<EmbeddingSpace> space;

    internal ClipModel(ClipModelParts parts, Precision precision, Action<RunNote>? note = null)
    {
        (this.parts, this.note) = (parts, note);
        foreach (var assumption in parts.Assumptions) note?.Invoke(new RunNote(assumption));
        space = new Lazy<EmbeddingSpace>(() => EmbeddingSpace.Of(Name, Dimensions, Tokenizer, ImageProcessor));
        if (precision == Precision.Int8) OneDnn.RequireInt8();
        dtype = precision == Precision.Int8 ? ScalarType.Int8
            : Processor.ScalarType(precision, parts.Modules.Sum(m => m.parameters().Sum(p => p.numel())));
        packedText = new(() => parts.Text!.Network.Pack(dtype));
        packedVision = new(() => parts.Image!.Network.Pack(dtype) ?? (dtype != ScalarType.Int8 ? null
            : throw new NotSupportedException($"{parts.Folder} embeds images with a network that int8 is not made for; use fp32.")));
    }

    /// <summary>The model's name: that of its folder.</summary>
    public string Name => parts.Name;

    /// <summary>Width of an embedding.</summary>
    public int Dimensions => parts.Dimensions;

    /// <summary>The space of its embeddings: only embeddings of one space may be compared.</summary>
    public EmbeddingSpace Space => space.Value;

    /// <summary>Scale of cosines before the softmax: the checkpoint's, or <see cref="UsualLogitScale"/> for towers without one.</summary>
    public double LogitScale => parts.LogitScale;

    /// <summary>Tokenizer of the text tower; null when the folder has no text tower.</summary>
    public ITextTokenizer? Tokenizer => parts.Text?.Tokenizer;

    /// <summary>Preprocessing of images; null when the folder has no image tower.</summary>
    public ClipImageProcessor? ImageProcessor => parts.Image?.Processor;

    /// <summary>Folder or file that the model was loaded from.</summary>
    internal string Folder => parts.Folder;

    /// <summary>Sizes of the image tower where it is a vision transformer, or null.</summary>
    internal ClipVisionConfig? VisionSizes => parts.Image?.Network.Config is { IsTransformer: true, Pooler: null } config ? config : null;

    /// <summary>Loads a model.</summary>
    /// <param name="folder">
    /// Folder of a pipeline (<c>model_index.json</c>), of a CLIP or of one of its towers (<c>config.json</c>), of open_clip
    /// (<c>open_clip_config.json</c>), or a <c>.pt</c> file of openai/CLIP.
    /// </param>
    /// <param name="precision">Number format of the towers; <see cref="Precision.Auto"/> keeps small ones in float32.</param>
    /// <param name="note">
    /// Called, on the caller's thread, with assumptions made where the files give no value, and later with the parts of texts that were cut
    /// because they are longer than the text tower reads; may be null.
    /// </param>
    /// <exception cref="NotSupportedException">int8 where libtorch has no products for it; with a tower that it is not made for, embedding
    /// throws this.</exception>
    /// <exception cref="Weights.CheckpointNotFoundException">A folder or file is missing.</exception>
    /// <exception cref="Weights.WeightsException">There is no CLIP in it, a file is damaged, or tensors do not fit the
    /// configuration.</exception>
    public static ClipModel Load(string folder, Precision precision = Precision.Auto, Action<RunNote>? note = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        TorchRuntime.Initialize();
        return new ClipModel(ClipModelParts.Load(folder), precision, note);
    }

    /// <summary>True if a folder or file has both towers of a CLIP; reads no weights.</summary>
    internal static bool IsIn(string folder)
    {
        try
        {
            return ClipModelFolder.Open(folder).HasBothTowers;
        }
        catch (Weights.WeightsException)
        {
            return false;
        }
    }

    /// <summary>The tokenizer alone, without libtorch or weights.</summary>
    /// <exception cref="Weights.WeightsException">The folder has none.</exception>
    public static ITextTokenizer LoadTokenizer(string folder) => ClipModelFolder.Open(folder).LoadTokenizer();

    /// <summary>The preparation of images alone, without libtorch or weights.</summary>
    /// <exception cref="Weights.WeightsException">The folder has none.</exception>
    public static ClipImageProcessor LoadImageProcessor(string folder) => ClipModelFolder.Open(folder).LoadImageProcessor();

    /// <summary>Embeds texts; one that is too long is cut as the tokenizer cuts it.</summary>
    /// <param name="texts">Any number of texts.</param>
    /// <param name="progress">Called after each batch with the number done.</param>
    /// <param name="cancellation">Stops between batches.</param>
    /// <returns>[texts][dimensions], unit length; equal to float32 rounding for any grouping of the texts, except in int8.</returns>
    /// <exception cref="InvalidOperationException">The model has no text tower.</exception>
    public float[][] EmbedTexts(IReadOnlyList<string> texts, Action<int>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(texts);
        var tower = parts.Text ?? throw new InvalidOperationException($"{parts.Folder} embeds images only: {parts.WhyNoText}.");
        var rows = TextCuts.Encode(tower.Tokenizer, texts, tower.Length, out _, note);
        var embeddings = new float[rows.Length][];
        var done = 0;
        cancellation.ThrowIfCancellationRequested();
        Inference(() => packedText.Value.Embed(rows, (places, values) =>
        {
            Store(values, places, embeddings);
            progress?.Invoke(done += places.Length);
            cancellation.ThrowIfCancellationRequested();
        }));
        return embeddings;
    }

    /// <summary>Embeds image files.</summary>
    /// <param name="paths">Files that Pillow's readers could open: PNG, JPEG, GIF, BMP, WebP.</param>
    /// <param name="progress">Called after each batch with the number done.</param>
    /// <param name="cancellation">Stops between batches.</param>
    /// <returns>[paths][dimensions], unit length.</returns>
    /// <exception cref="InvalidOperationException">The model has no image tower.</exception>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="ImageFormatException">A file is not an image, or it is damaged, cut short or too large.</exception>
    public float[][] EmbedImages(IReadOnlyList<string> paths, Action<int>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(paths);
        return EmbedImages(paths.Count, i => PillowImage.Load(paths[i]), progress, cancellation);
    }

    /// <summary>Embeds images in memory.</summary>
    /// <inheritdoc cref="EmbedImages(IReadOnlyList{string}, Action{int}?, CancellationToken)"/>
    /// <param name="images">Images of any size.</param>
    /// <param name="progress">Called after each batch with the number done.</param>
    /// <param name="cancellation">Stops between batches.</param>
    /// <returns>[images][dimensions], unit length.</returns>
    public float[][] EmbedImages(IReadOnlyList<RgbImage> images, Action<int>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(images);
        return EmbedImages(images.Count, i => images[i].ToPillow(), progress, cancellation);
    }

    /// <summary>Embeds images that are fetched when their turn comes, so that any number of them fits into memory.</summary>
    /// <inheritdoc cref="EmbedImages(IReadOnlyList{string}, Action{int}?, CancellationToken)"/>
    /// <param name="count">Number of results.</param>
    /// <param name="read">Returns image i, 0 to count - 1; called once for each, from several threads at a time.</param>
    /// <param name="progress">Called after each batch with the number done.</param>
    /// <param name="cancellation">Stops between batches.</param>
    /// <returns>[count][dimensions], unit length.</returns>
    public float[][] EmbedImages(int count, Func<int, PillowImage> read,
        Action<int>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        var embeddings = new float[count][];
        EmbedImages(count, read, (from, batch) =>
        {
            batch.CopyTo((Array)embeddings, from);
            progress?.Invoke(from + batch.Length);
        }, cancellation);
        return embeddings;
    }

    /// <summary>Embeds images that are fetched when their turn comes and handed on batch by batch, in constant memory.</summary>
    /// <inheritdoc cref="EmbedImages(IReadOnlyList{string}, Action{int}?, CancellationToken)"/>
    /// <param name="count">Number of results.</param>
    /// <param name="read">Returns image i, 0 to count - 1, or null for one that is left out; called once for each, from several threads at
    /// a time.</param>
    /// <param name="embedded">
    /// Given the number of the first image of a batch and the batch's embeddings, [batch][dimensions] of unit length, in order; null for
    /// one that was left out.
    /// </param>
    /// <param name="cancellation">Stops between batches.</param>
    public void EmbedImages(int count, Func<int, PillowImage?> read,
        Action<int, float[]?[]> embedded, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(embedded);
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentNullException.ThrowIfNull(read);
        var tower = parts.Image ?? throw new InvalidOperationException($"{parts.Folder} embeds texts only: {parts.WhyNoImages}.");
        var packed = packedVision.Value;
        var batches = Enumerable.Range(0, count).Chunk(ImageBatch).ToArray();
        var ahead = Read(0);
        try
        {
            for (var b = 0; b < batches.Length; b++)
            {
                var ((pixels, places), batch) = (ahead.GetAwaiter().GetResult(), batches[b]);
                ahead = Read(b + 1);
                var embeddings = new float[]?[batch.Length];
                if (places.Length > 0)
                {
                    Inference(() =>
                    {
                        var x = tensor(pixels, [places.Length, 3, tower.Size, tower.Size]);
                        Store(packed?.Embed(x) ?? tower.Network.Embed(x, dtype), places, embeddings);
                    });
                }

                embedded(batch[0], embeddings);
            }
        }
        finally
        {
            // Nothing is read after the call has ended, however it ends.
            ((IAsyncResult)ahead).AsyncWaitHandle.WaitOne();
        }

        // The next batch is decoded and resized while the tower works on this one.
        Task<(float[] Pixels, int[] Places)> Read(int b) => b < batches.Length
            ? Task.Run(() => Prepare(tower, batches[b], read, cancellation), CancellationToken.None)
            : Task.FromResult<(float[], int[])>(([], []));
    }

    /// <summary>Finds the image patches and text tokens that a match rests on (Chefer et al., 2021, §3.1).</summary>
    /// <param name="image">The image, of any size and mode.</param>
    /// <param name="text">The text; one that is too long is cut as the tokenizer cuts it.</param>
    /// <param name="lastLayerOnly">True if only the last layer of each tower is used, rather than relevance through all.</param>
    /// <exception cref="InvalidOperationException">The model lacks a tower, or one of them has no attention to follow.</exception>
    public ClipExplanation Explain(PillowImage image, string text, bool lastLayerOnly = false)
    {
        ArgumentNullException.ThrowIfNull(image);
        ArgumentNullException.ThrowIfNull(text);
        var texts = parts.Text ?? throw new InvalidOperationException($"{parts.Folder} embeds images only: {parts.WhyNoText}.");
        var images = parts.Image ?? throw new InvalidOperationException($"{parts.Folder} embeds texts only: {parts.WhyNoImages}.");
        var row = TextCuts.Encode(texts.Tokenizer, [text], texts.Length, out var lengths, note)[0];
        var seen = images.Processor.PrepareBytes(image);
        using var scope = NewDisposeScope();
        var pixels = tensor(images.Processor.Normalize(seen), [1, 3, images.Size, images.Size]);
        var ids = tensor(row.Select(id => (long)id).ToArray(), [1, row.Length]);
        var (ofImage, ofText, cosine) = ClipRelevance.Compute(
            () => images.Network.Embed(pixels, ScalarType.Float32), () => texts.Network.Embed(ids, ScalarType.Float32),
            LogitScale, lastLayerOnly);
        var places = ofImage.shape[2] - 1;
        var grid = (int)Math.Round(Math.Sqrt(places));
        if (grid * grid != places) throw new InvalidOperationException(
            $"{parts.Folder} has an image tower without a class token before a square of patches; its relevance cannot be drawn.");
        var patches = ofImage[0, 0, 1..].contiguous().data<float>().ToArray();
        var end = lengths[0] - 1;
        var words = ofText[0, end].contiguous().data<float>().ToArray();
        var tokens = texts.Tokenizer.Tokens(text);
        return new ClipExplanation(
            text, cosine[0].ToDouble(), seen, grid, [.. patches.Select(x => (double)x)],
            [.. Enumerable.Range(1, Math.Max(0, end - 1)).Select(i => new TokenRelevance(tokens[i], words[i]))]);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (packedText.IsValueCreated) packedText.Value.Dispose();
        if (packedVision.IsValueCreated) packedVision.Value?.Dispose();
        parts.Dispose();
        FreedMemory.Return();
    }

    /// <returns>[positions, 3, size, size], and the positions in the batch of the images that were not left out.</returns>
    private static (float[] Pixels, int[] Places) Prepare(ClipImageTower tower,
        int[] batch, Func<int, PillowImage?> read, CancellationToken cancellation)
    {
        var plane = 3 * tower.Size * tower.Size;
        var pixels = new float[batch.Length * plane];
        var (errors, isThere) = (new Exception?[batch.Length], new bool[batch.Length]);
        Parallel.For(0, batch.Length, new ParallelOptions { CancellationToken = cancellation }, i =>
        {
            try
            {
                using var memory = ImageBudget.Share();
                if (read(batch[i]) is not { } image) return;
                if (tower.Processor.OutputSize(image.Height, image.Width) is var (h, w) && (h, w) != (tower.Size, tower.Size))
                    throw new InvalidOperationException($"The image processor prepares {w} x {h} pixels, but the image tower "
                        + $"takes {tower.Size} x {tower.Size}: the settings of its images and its config.json do not belong together.");
                tower.Processor.Prepare(image).CopyTo(pixels, i * plane);
                isThere[i] = true;
            }
            catch (Exception e)
            {
                errors[i] = e;
            }
        });

        // The first image that failed is named, whichever thread was faster.
        if (errors.FirstOrDefault(e => e is not null) is { } first) ExceptionDispatchInfo.Throw(first);
        int[] places = [.. Enumerable.Range(0, batch.Length).Where(i => isThere[i])];
        for (var k = 0; k < places.Length; k++)
            if (places[k] != k) Array.Copy(pixels, places[k] * plane, pixels, k * plane, plane);
        return (places.Length == batch.Length ? pixels : pixels[..(places.Length * plane)], places);
    }

    private static void Inference(Action run)
    {
        using var inference = inference_mode();
        using var scope = NewDisposeScope();
        run();
    }

    /// <summary>Stores the rows of a batch, [positions, dimensions], at their positions, at unit length.</summary>
    private void Store(Tensor batch, int[] places, float[]?[] embeddings)
    {
        var values = ClipNetwork.Unit(batch).data<float>().ToArray();                        // [places, dimensions]
        for (var i = 0; i < places.Length; i++) embeddings[places[i]] = values.AsSpan(i * Dimensions, Dimensions).ToArray();
    }
}
