using System.Diagnostics.CodeAnalysis;
using Alebrije.Pipelines;
using Alebrije.Pipelines.Experiments;
using Alebrije.Preprocessing.Imaging;
using Microsoft.Extensions.AI;

namespace Alebrije.Extensions.AI.Images;

/// <summary>One call of an image generator: its request in the library's terms, checked before it waits, and its run.</summary>
[Experimental("MEAI001")]
internal sealed class ImageDrawing
{
    private const int MostImages = 64, LeastSide = 16;
    private const string Png = "image/png", MaskName = "mask";

    private readonly string prompt;
    private readonly int count, previews;
    private readonly (int Width, int Height)? asked;
    private readonly ImageFields fields;
    private readonly List<RgbImage> originals = [];
    private readonly RgbImage? mask;

    /// <exception cref="ArgumentException">A value is out of its range, or the request is empty.</exception>
    /// <exception cref="ImageFormatException">An image cannot be read.</exception>
    public ImageDrawing(ImageGenerationRequest request, ImageGenerationOptions? options, string model)
    {
        ArgumentNullException.ThrowIfNull(request);
        prompt = request.Prompt ?? "";
        fields = new ImageFields(options?.AdditionalProperties);
        count = Range(options?.Count ?? 1, 1, MostImages, "number of images");
        previews = Range(options?.StreamingCount ?? 0, 0, 1000, "number of previews");
        if (options?.ModelId is { Length: > 0 } id && id != model)
            throw new ArgumentException($"This generator draws with {model}, not with {id}; register one for each model.");
        if (options?.MediaType is { Length: > 0 } type && !type.Equals(Png, StringComparison.OrdinalIgnoreCase))
            throw new ArgumentException($"Images are PNG files ({Png}), not {type}.");
        if (options?.ResponseFormat is { } format && format != ImageGenerationResponseFormat.Data)
            throw new ArgumentException("Images are returned as data; no address serves them (alebrije serve does).");
        if (options?.ImageSize is { } size)
            asked = (Range(size.Width, LeastSide, NativeSize.MostSide, "width"),
                Range(size.Height, LeastSide, NativeSize.MostSide, "height"));
        foreach (var content in request.OriginalImages ?? [])
        {
            if (content is not DataContent data || !data.HasTopLevelMediaType("image"))
                throw new ArgumentException($"An original image is {content?.GetType().Name ?? "null"}; "
                    + "send it as DataContent with an image's media type.");
            var image = PillowImage.FromBytes(data.Data.Span, data.Name ?? "an original image").Upright();
            if (!string.Equals(data.Name, MaskName, StringComparison.OrdinalIgnoreCase)) originals.Add(image.ToRgb());
            else if (mask is null) mask = MaskImage.OfTransparency(image) ?? image.ToRgb();
            else throw new ArgumentException("There are several masks; send one.");
        }

        if (mask is not null && originals.Count != 1)
            throw new ArgumentException($"A mask belongs to one image, and {originals.Count} were sent with it.");
        if (originals.Count == 0 && string.IsNullOrWhiteSpace(prompt))
            throw new ArgumentException("The prompt is empty; say what to draw.");
        // Values out of range are refused before the call waits for others.
        fields.Request(prompt, null).Check(promptNeeded: false);
    }

    /// <summary>Draws.</summary>
    /// <param name="pipeline">The model.</param>
    /// <param name="report">Called with each step, preview and finished image.</param>
    /// <param name="cancellation">Stops between two steps.</param>
    public void Run(ImagePipeline pipeline, Action<ImageUpdate> report, CancellationToken cancellation)
    {
        var size = NativeSize.Choose(pipeline, asked);
        var request = fields.Request(prompt, size.Native);
        if (originals.Count == 0 || !pipeline.HasImageEncoder) DrawRequests(pipeline, size, request, report, cancellation);
        else RunExperiment(pipeline, size, request, report, cancellation);
    }

    private void DrawRequests(
        ImagePipeline pipeline, NativeSize size, GenerationRequest request, Action<ImageUpdate> report, CancellationToken cancellation)
    {
        if (originals.Count > 1)
            throw new InvalidOperationException(
                $"{pipeline.Name} embeds no images, so it mixes none; take a model of unCLIP such as mini.");
        if (originals.Count == 1)
            request = request with
            {
                From = ImageInput.Of(originals[0]), Mask = mask is null ? null : ImageInput.Of(mask), Strength = fields.Strength,
            };
        var requests = Enumerable.Range(0, count).Select(i => request with { Seed = unchecked(request.Seed + (ulong)i) }).ToArray();
        var done = 0;
        foreach (var result in pipeline.GenerateMany(
            requests, progress => Step(progress, size, done, report), cancellation: cancellation))
        {
            report(Finished(size.Fit(result.Image), result.Request.Seed, result.ClipScore, done++, Recipe.Of(pipeline.Name, result)));
        }
    }

    private void RunExperiment(
        ImagePipeline pipeline, NativeSize size, GenerationRequest request, Action<ImageUpdate> report, CancellationToken cancellation)
    {
        using var files = new TemporaryFiles();
        var experiment = new PictureExperiment
        {
            Kind = mask is not null ? ExperimentKind.Inpaint
                : originals.Count == 1 && string.IsNullOrWhiteSpace(prompt) ? ExperimentKind.Vary : ExperimentKind.Mix,
            Parts = [.. originals.Select(image => new ExperimentPart(null, files.Add(image)))],
            Mask = mask is null ? null : files.Add(mask), Request = request, Count = count,
        };
        var done = 0;
        new ImageExperiments(pipeline).Run(experiment, (_, _, progress) => Step(progress, size, done, report), result =>
        {
            var picture = result.Pictures[^1];
            double? cosine = picture.Numbers.TryGetValue("cosine", out var known) ? known : null;
            report(Finished(size.Fit(picture.Image), unchecked(request.Seed + (ulong)done), cosine, done++, null));
        }, cancellation);
    }

    /// <summary>A step, with previews of all images of its batch where one is due.</summary>
    private void Step(GenerationProgress progress, NativeSize size, int first, Action<ImageUpdate> report)
    {
        var update = new ImageUpdate(progress.Stage, progress.Step, progress.Of);
        if (progress is not { Stage: "decoder", Predicted: { } predicted } || !progress.IsPreview(previews))
        {
            report(update);
            return;
        }

        var images = predicted();
        for (var i = 0; i < images.Count; i++)
            report(update with { Index = first + i, Image = new DataContent(size.Fit(images[i]).ToPng(), Png) });
    }

    private static ImageUpdate Finished(
        RgbImage image, ulong seed, double? score, int index, IReadOnlyDictionary<string, string>? recipe)
    {
        var content = new DataContent(image.ToPng(recipe), Png)
        {
            AdditionalProperties = new AdditionalPropertiesDictionary { ["seed"] = seed },
        };
        if (score is { } cosine) content.AdditionalProperties["clip_score"] = cosine;
        return new ImageUpdate("picture", 1, 1) { Index = index, Image = content, IsFinished = true };
    }

    private static int Range(int value, int least, int most, string name) => value >= least && value <= most ? value
        : throw new ArgumentException($"The {name} is {value}; it has to lie between {least} and {most}.");
}
