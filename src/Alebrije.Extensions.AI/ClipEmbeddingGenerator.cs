using Alebrije.Pipelines;
using Alebrije.Tensors;
using Microsoft.Extensions.AI;

namespace Alebrije.Extensions.AI;

/// <summary>
/// CLIP as <c>IEmbeddingGenerator</c> of texts, of images, and of both in one call: vectors of unit length in one space, which each
/// embedding names. The model is loaded at the first use. Safe from any number of threads: their inputs are computed together, in batches.
/// </summary>
public sealed class ClipEmbeddingGenerator :
    IEmbeddingGenerator<string, Embedding<float>>, IEmbeddingGenerator<DataContent,
    Embedding<float>>, IEmbeddingGenerator<AIContent, Embedding<float>>, IAsyncDisposable
{
    /// <summary>Value of <see cref="EmbeddingGeneratorMetadata.ProviderName"/>.</summary>
    public const string ProviderName = "alebrije";

    /// <summary>Most batches at a time: each needs memory of its own.</summary>
    private const int MostLanes = 4;

    private readonly ClipOptions options;
    private readonly EmbeddingBatcher batcher;
    private readonly Lock gate = new();
    private readonly bool ownsModel;
    private ClipModel? model;
    private volatile bool disposed;

    /// <param name="options">The model, and the batching of inputs.</param>
    /// <exception cref="ArgumentException">An option that cannot be, or a model that is not there.</exception>
    public ClipEmbeddingGenerator(ClipOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (options.Faults().FirstOrDefault() is { } fault) throw new ArgumentException(fault, nameof(options));
        this.options = options;
        ownsModel = true;
        batcher = new EmbeddingBatcher(EmbedBeside, options.BatchSize, options.BatchWindow, Lanes);
    }

    /// <param name="model">A model's name, or the path of its folder.</param>
    /// <exception cref="ArgumentException">There is no such model.</exception>
    public ClipEmbeddingGenerator(string model) : this(new ClipOptions { Model = model })
    {
    }

    /// <param name="model">A loaded model; whoever loaded it disposes it, after this generator.</param>
    public ClipEmbeddingGenerator(ClipModel model)
    {
        ArgumentNullException.ThrowIfNull(model);
        options = new ClipOptions { Model = model.Name };
        this.model = model;
        batcher = new EmbeddingBatcher(EmbedBeside, options.BatchSize, options.BatchWindow, Lanes);
    }

    /// <summary>Batches that were computed, for tests and measurements.</summary>
    internal int Batches => batcher.Batches;

    /// <summary>True if the model is in memory.</summary>
    internal bool IsLoaded => model is not null;

    /// <summary>Embeds texts; one that is too long is cut as the tokenizer cuts it.</summary>
    /// <param name="values">Any number of texts, none of them null.</param>
    /// <param name="options">May name this model and its dimension, no other; null for neither.</param>
    /// <param name="cancellationToken">Gives up this call alone.</param>
    /// <returns>Embeddings in the order of the texts, and the tokens that were read.</returns>
    /// <exception cref="ArgumentException">A text is null, or the options name another model or dimension.</exception>
    /// <exception cref="InvalidOperationException">The model has no text tower.</exception>
    /// <exception cref="ObjectDisposedException">The generator was disposed.</exception>
    public Task<GeneratedEmbeddings<Embedding<float>>> GenerateAsync(
        IEnumerable<string> values, EmbeddingGenerationOptions? options = null, CancellationToken cancellationToken = default) =>
            GenerateAsync(values, EmbeddingInput.OfText, options, cancellationToken);

    /// <summary>Embeds images in memory: PNG, JPEG, GIF, BMP or WebP with a media type of <c>image</c>.</summary>
    /// <inheritdoc cref="GenerateAsync(IEnumerable{string}, EmbeddingGenerationOptions?, CancellationToken)"/>
    /// <exception cref="ArgumentException">A content is not an image, or the options name another model or dimension.</exception>
    /// <exception cref="InvalidOperationException">The model has no image tower.</exception>
    /// <exception cref="Preprocessing.Imaging.ImageFormatException">An image cannot be read.</exception>
    public Task<GeneratedEmbeddings<Embedding<float>>> GenerateAsync(
        IEnumerable<DataContent> values, EmbeddingGenerationOptions? options = null, CancellationToken cancellationToken = default) =>
            GenerateAsync(values, EmbeddingInput.OfContent, options, cancellationToken);

    /// <summary>Embeds texts (<see cref="TextContent"/>) and images (<see cref="DataContent"/>) into one space, in any order.</summary>
    /// <inheritdoc cref="GenerateAsync(IEnumerable{DataContent}, EmbeddingGenerationOptions?, CancellationToken)"/>
    public Task<GeneratedEmbeddings<Embedding<float>>> GenerateAsync(
        IEnumerable<AIContent> values, EmbeddingGenerationOptions? options = null, CancellationToken cancellationToken = default) =>
            GenerateAsync(values, EmbeddingInput.OfContent, options, cancellationToken);

    /// <summary>
    /// This generator, its <see cref="EmbeddingGeneratorMetadata"/> (whose dimension is known once the model is loaded), or the
    /// <see cref="ClipModel"/> and its <see cref="EmbeddingSpace"/>, for which the model is loaded.
    /// </summary>
    public object? GetService(Type serviceType, object? serviceKey = null)
    {
        ArgumentNullException.ThrowIfNull(serviceType);
        if (serviceKey is not null) return null;
        if (serviceType == typeof(EmbeddingGeneratorMetadata))
            return new EmbeddingGeneratorMetadata(ProviderName, null, model?.Name ?? options.Model, model?.Dimensions);
        if (serviceType == typeof(ClipModel)) return Model();
        if (serviceType == typeof(EmbeddingSpace)) return Model().Space;
        return serviceType.IsInstanceOfType(this) ? this : null;
    }

    /// <summary>Stops accepting inputs, finishes the pending ones, and releases the model.</summary>
    public void Dispose() => DisposeAsync().AsTask().GetAwaiter().GetResult();

    /// <inheritdoc cref="Dispose"/>
    public async ValueTask DisposeAsync()
    {
        disposed = true;
        await batcher.DisposeAsync().ConfigureAwait(false);
        lock (gate)
        {
            if (ownsModel) model?.Dispose();
            if (ownsModel) model = null;
        }
    }

    private async Task<GeneratedEmbeddings<Embedding<float>>> GenerateAsync<T>(
        IEnumerable<T> values, Func<T, int, EmbeddingInput> read, EmbeddingGenerationOptions? asked, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(values);
        ObjectDisposedException.ThrowIf(disposed, this);
        T[] all = [.. values];

        // Loading and decoding take time, and whoever awaits an embedding may be drawing a window.
        return await Task.Run(
            async () =>
            {
                var clip = Model();
                Check(clip, asked);
                long tokens = 0;
                var rows = await batcher.EmbedAsync(all.Length, Next, cancellation).ConfigureAwait(false);
                return Pack(rows, clip.Space, tokens);

                EmbeddingInput Next(int place)
                {
                    var input = read(all[place], place);
                    if (input.Text is { } text && clip.Tokenizer is { } tokenizer)
                        tokens += Math.Min(tokenizer.Encode(text).Length, tokenizer.MaxLength);
                    return input.PreparedBy(clip.ImageProcessor);
                }
            },
            cancellation).ConfigureAwait(false);
    }

    private static GeneratedEmbeddings<Embedding<float>> Pack(float[][] rows, EmbeddingSpace space, long tokens)
    {
        var (now, name) = (DateTimeOffset.UtcNow, space.ToString());
        return new GeneratedEmbeddings<Embedding<float>>(rows.Select(row => new Embedding<float>(row)
        {
            ModelId = space.Model,
            CreatedAt = now,
            AdditionalProperties = new AdditionalPropertiesDictionary { [EmbeddingSpaces.Property] = name },
        }))
        {
            Usage = new UsageDetails { InputTokenCount = tokens, TotalTokenCount = tokens },
        };
    }

    private static void Check(ClipModel model, EmbeddingGenerationOptions? asked)
    {
        if (asked?.Dimensions is { } dimensions && dimensions != model.Dimensions)
            throw new ArgumentException($"{model.Name} embeds in {model.Dimensions} "
                + $"numbers, and CLIP's embeddings cannot be cut to {dimensions}; set {model.Dimensions} dimensions, or none.");
        if (asked?.ModelId is { } name && name != model.Name)
            throw new ArgumentException($"This generator runs {model.Name}, not {name}; register one for each model.");
    }

    private ClipModel Model()
    {
        lock (gate)
        {
            ObjectDisposedException.ThrowIf(disposed, this);
            if (model is not null) return model;
            TorchRuntime.Initialize(options.Threads);
            return model = ClipModel.Load(options.Folder, options.Precision);
        }
    }

    private static int Lanes() => Math.Min(MostLanes, TorchRuntime.Threads);

    /// <summary>A batch with its share of the threads: all of them while no other batch is computed.</summary>
    private float[][] EmbedBeside(IReadOnlyList<EmbeddingInput> batch) =>
        LocalThreads.Run(Math.Max(1, TorchRuntime.Threads / Math.Max(1, batcher.Running)), () => Embed(batch));

    /// <summary>Texts and images of a batch, each through its tower, back in their order.</summary>
    private float[][] Embed(IReadOnlyList<EmbeddingInput> batch)
    {
        // What was accepted is finished although disposal has begun: the model is released after the last batch.
        var clip = model!;
        int[] texts = [.. Enumerable.Range(0, batch.Count).Where(i => batch[i].Text is not null)];
        int[] images = [.. Enumerable.Range(0, batch.Count).Where(i => batch[i].Image is not null)];
        var rows = new float[batch.Count][];
        if (texts.Length > 0) Put(texts, clip.EmbedTexts([.. texts.Select(i => batch[i].Text!)]));
        if (images.Length > 0) Put(images, clip.EmbedImages(images.Length, i => batch[images[i]].Image!));
        return rows;

        void Put(int[] places, float[][] embeddings)
        {
            for (var i = 0; i < places.Length; i++) rows[places[i]] = embeddings[i];
        }
    }
}
