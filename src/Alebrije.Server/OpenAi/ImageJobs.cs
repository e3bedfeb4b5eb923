using Alebrije.Extensions.AI.Images;
using Alebrije.Pipelines;
using Alebrije.Pipelines.Experiments;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Server.Jobs;
using Alebrije.Server.Models;
using Alebrije.Server.Requests;

namespace Alebrije.Server.OpenAi;

/// <summary>Jobs of images, from prompts and images in memory.</summary>
internal sealed class ImageJobs(ModelPool pool)
{
    /// <summary>Text to image.</summary>
    /// <param name="asked">Model, size and previews.</param>
    /// <param name="requests">One for each image.</param>
    /// <param name="key">Identity of the request, or null.</param>
    /// <param name="isDetached">True if the job runs on without a waiting client.</param>
    /// <param name="isTraced">True if the stages of its one image are kept.</param>
    public Job Generate(JobForm asked, IReadOnlyList<GenerationRequest> requests, string? key, bool isDetached = false,
        bool isTraced = false) =>
        Create(asked, (model, size) =>
        {
            var sized = GenerationFields.Sized(requests, size);
            Check(model, sized[0]);
            return new Job(asked.Lease!, sized)
            {
                Size = size, Previews = asked.Previews, Key = key, IsDetached = isDetached, IsTraced = isTraced,
                Estimate = model.Seconds(sized),
            };
        });

    /// <summary>Images that share an image's embedding.</summary>
    public Job Vary(JobForm asked, GenerationRequest request, PillowImage image, int count, string? key) =>
        Experiment(asked, request, [image.ToRgb()], null, count, key, ExperimentKind.Vary);

    /// <summary>An image of a mixture of several, with the prompt for the decoder.</summary>
    public Job Mix(JobForm asked, GenerationRequest request, IReadOnlyList<PillowImage> images, int count, string? key) =>
        Experiment(asked, request, [.. images.Select(image => image.ToRgb())], null, count, key, ExperimentKind.Mix);

    /// <summary>An image with a redrawn part.</summary>
    /// <param name="mask">Bright where it is redrawn; null: the whole image, from the prompt and its own embedding.</param>
    public Job Edit(JobForm asked, GenerationRequest request, PillowImage image, RgbImage? mask, int count, string? key) =>
        mask is null
        ? Experiment(asked, request, [image.ToRgb()], null, count, key, ExperimentKind.Mix)
        : Experiment(asked, request, [image.ToRgb()], mask, count, key, ExperimentKind.Inpaint);

    private Job Experiment(JobForm asked, GenerationRequest request, IReadOnlyList<RgbImage> images, RgbImage? mask, int count, string? key,
        ExperimentKind kind) => Run(asked, new PictureExperiment
        {
            Kind = kind, Parts = [.. images.Select(_ => new ExperimentPart(null, null))], Request = request, Count = count,
        }, images, mask, key);

    /// <summary>An experiment on images in memory.</summary>
    /// <param name="asked">Model, size and previews.</param>
    /// <param name="experiment">The experiment; its parts without a text stand for the images, in their order.</param>
    /// <param name="images">The images.</param>
    /// <param name="mask">Inpainting: bright where the image is redrawn.</param>
    /// <param name="key">Identity of the request, or null.</param>
    /// <param name="basis">Images whose embeddings define the principal components; null: those of the model.</param>
    public Job Run(JobForm asked, PictureExperiment experiment, IReadOnlyList<RgbImage> images, RgbImage? mask, string? key,
        IReadOnlyList<RgbImage>? basis = null) =>
        Create(asked, (model, size) =>
    {
        var (sized, count) = (GenerationFields.Sized([experiment.Request], size)[0], experiment.Count);
        if (!model.Pipeline.HasImageEncoder && experiment.Kind != ExperimentKind.Inpaint)
            throw new ApiException(400, $"{model.Name} embeds no images, so it varies none; name a model of unCLIP such as mini.", "model",
                "no_image_encoder");
        var files = new TemporaryFiles();
        try
        {
            var paths = new Queue<string>(images.Select(files.Add));
            var placed = experiment with
            {
                Parts = [.. experiment.Parts.Select(part => part.Text is null ? part with { Picture = paths.Dequeue() } : part)],
                Request = sized, Mask = mask is null ? null : files.Add(mask),
                BasisPictures = [.. (basis ?? []).Select(files.Add)],
            };
            placed.Check();
            return new Job(asked.Lease!, [.. Enumerable.Repeat(sized, count)])
            {
                Experiment = placed, Files = files, Size = size, Previews = asked.Previews, Key = key,
                Estimate = model.Seconds([.. Enumerable.Repeat(sized, count)]),
            };
        }
        catch
        {
            files.Dispose();
            throw;
        }
    });

    private Job Create(JobForm asked, Func<LoadedModel, NativeSize, Job> create)
    {
        var lease = pool.Rent(asked.Model, asked.KeepAlive);
        try
        {
            asked.Lease = lease;
            return create(lease.Model, NativeSize.Choose(lease.Model.Pipeline, asked.Size));
        }
        catch
        {
            lease.Dispose();
            throw;
        }
    }

    /// <summary>Refuses a request that the model cannot draw, before it waits.</summary>
    private static void Check(LoadedModel model, GenerationRequest request) => _ = model.Pipeline.Complete(request);
}

/// <summary>Model, size and previews of a job.</summary>
internal sealed record JobForm(string? Model, (int Width, int Height)? Size, int Previews, double? KeepAlive)
{
    public ModelLease? Lease { get; set; }

    public static JobForm Of(ImageOptions asked) =>
        new(asked.Model, asked.Size, asked.IsStreamed ? asked.Partial : 0, asked.KeepAlive);
}
