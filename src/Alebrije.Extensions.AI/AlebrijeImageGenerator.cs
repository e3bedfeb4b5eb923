using System.Diagnostics.CodeAnalysis;
using Alebrije.Catalog;
using Alebrije.Extensions.AI.Images;
using Alebrije.Pipelines;
using Alebrije.Tensors;
using Microsoft.Extensions.AI;

namespace Alebrije.Extensions.AI;

/// <summary>
/// Text to image, variations, mixtures and inpainting as <c>IImageGenerator</c>. The model is loaded at the first use. Safe from several
/// threads: calls wait for each other. Additional properties of a call: <c>seed</c>, <c>steps</c>, <c>guidance</c>,
/// <c>negative_prompt</c>, <c>prior</c>, <c>prior_steps</c>, <c>prior_guidance</c>, <c>scheduler</c>, <c>eta</c>, <c>strength</c>.
/// </summary>
/// <remarks>
/// Without original images the prompt is drawn. With one, it is varied, or drawn with the prompt and its embedding; a second one named
/// <c>mask</c> marks the part that is redrawn: transparent, or bright where nothing is transparent. Several without a mask are mixed.
/// Models without an image encoder start from the one image (<c>strength</c>). Each image of the answer has its seed, and its cosine to
/// the prompt if the model has CLIP, in its additional properties.
/// </remarks>
[Experimental("MEAI001")]
public sealed class AlebrijeImageGenerator : IImageGenerator
{
    private readonly ImageGeneratorOptions options;
    private readonly SemaphoreSlim gate = new(1, 1);
    private readonly bool ownsModel;
    private ImagePipeline? model;
    private bool disposed;

    /// <param name="options">The model.</param>
    /// <exception cref="ArgumentException">An option that cannot be, or a model that is not there.</exception>
    public AlebrijeImageGenerator(ImageGeneratorOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (options.Faults().FirstOrDefault() is { } fault) throw new ArgumentException(fault, nameof(options));
        (this.options, ownsModel) = (options, true);
    }

    /// <param name="model">A model's name, or the path of its folder or file.</param>
    /// <exception cref="ArgumentException">There is no such model.</exception>
    public AlebrijeImageGenerator(string model) : this(new ImageGeneratorOptions { Model = model })
    {
    }

    /// <param name="model">A loaded model; whoever loaded it disposes it, after this generator.</param>
    public AlebrijeImageGenerator(ImagePipeline model)
    {
        ArgumentNullException.ThrowIfNull(model);
        (this.model, options) = (model, new ImageGeneratorOptions { Model = model.Name });
    }

    /// <summary>Draws the images of a request.</summary>
    /// <param name="request">Prompt, and original images (<see cref="DataContent"/>: PNG, JPEG, GIF, BMP or WebP).</param>
    /// <param name="options">Number (1 to 64), size, media type (<c>image/png</c>) and additional properties; null for the model's
    /// own.</param>
    /// <param name="cancellationToken">Stops between two steps.</param>
    /// <returns>PNG files as <see cref="DataContent"/>; a size that the model does not draw is resized from its own.</returns>
    /// <exception cref="ArgumentException">A value is out of its range, or the request is empty.</exception>
    /// <exception cref="InvalidOperationException">The model lacks what the request needs, such as an image encoder.</exception>
    /// <exception cref="Preprocessing.Imaging.ImageFormatException">An image cannot be read.</exception>
    /// <exception cref="ObjectDisposedException">The generator was disposed.</exception>
    public async Task<ImageGenerationResponse> GenerateAsync(
        ImageGenerationRequest request, ImageGenerationOptions? options = null, CancellationToken cancellationToken = default)
    {
        var images = new List<AIContent>();
        await foreach (var update in GenerateStreamingAsync(request, options, cancellationToken).ConfigureAwait(false))
            if (update is { IsFinished: true, Image: { } image }) images.Add(image);
        return new ImageGenerationResponse(images);
    }

    /// <summary>
    /// The same as a stream: every step, <see cref="ImageGenerationOptions.StreamingCount"/> previews of each image, and the images. A
    /// reader that stops early stops the drawing.
    /// </summary>
    /// <inheritdoc cref="GenerateAsync"/>
    public IAsyncEnumerable<ImageUpdate> GenerateStreamingAsync(
        ImageGenerationRequest request, ImageGenerationOptions? options = null, CancellationToken cancellationToken = default)
    {
        var drawing = new ImageDrawing(request, options, this.options.Model);
        return StreamedRun.ReadAsync<ImageUpdate>(gate, (report, stop) => drawing.Run(Model(), report, stop), cancellationToken);
    }

    /// <summary>
    /// This generator, its <see cref="ImageGeneratorMetadata"/>, or the <see cref="ImagePipeline"/>, for which the model is loaded.
    /// </summary>
    public object? GetService(Type serviceType, object? serviceKey = null)
    {
        ArgumentNullException.ThrowIfNull(serviceType);
        if (serviceKey is not null) return null;
        if (serviceType == typeof(ImageGeneratorMetadata))
            return new ImageGeneratorMetadata(ClipEmbeddingGenerator.ProviderName, null, options.Model);
        if (serviceType != typeof(ImagePipeline)) return serviceType.IsInstanceOfType(this) ? this : null;
        gate.Wait();
        try
        {
            return Model();
        }
        finally
        {
            gate.Release();
        }
    }

    /// <summary>Waits for the running call and releases the model.</summary>
    public void Dispose()
    {
        gate.Wait();
        try
        {
            disposed = true;
            if (ownsModel) model?.Dispose();
            model = null;
        }
        finally
        {
            gate.Release();
        }
    }

    private ImagePipeline Model()
    {
        ObjectDisposedException.ThrowIf(disposed, this);
        if (model is not null) return model;
        TorchRuntime.Initialize(options.Threads);
        var catalog = ModelCatalog.Create();
        return model = ImagePipeline.Load(catalog.Find(options.Model), new ImagePipelineOptions
        {
            Precision = options.Precision, CompanionFolders = catalog.CompanionsOf(options.Model),
        });
    }
}
