using System.Diagnostics;
using Alebrije.Diffusion;
using Alebrije.Models.Clip;
using Alebrije.Models.Priors;
using Alebrije.Pipelines.Priors;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Tensors;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Pipelines;

/// <summary>The first half of Karlo and Kandinsky: CLIP's towers and its priors, each where the folder has it.</summary>
internal sealed class ClipEmbedder : IUnClipEmbedder
{
    private readonly string name;
    private readonly TextStage texts;
    private readonly ImageStage? images;
    private readonly bool keep;
    private readonly ScalarType type;
    private SchedulerConfig? schedulerConfig;
    private PriorConditions? empty;

    /// <param name="name">What the folder is called.</param>
    /// <param name="texts">The text tower.</param>
    /// <param name="images">The image tower, or null.</param>
    /// <param name="keep">Whether priors stay in memory between two pictures.</param>
    /// <param name="type">Type of the products of priors.</param>
    public ClipEmbedder(string name, TextStage texts, ImageStage? images, bool keep, ScalarType type)
    {
        (this.name, this.texts, this.images, this.keep, this.type) = (name, texts, images, keep, type);
        Priors = new PriorSet(name, new PriorSpaces(texts.Features, texts.Features));
    }

    /// <inheritdoc/>
    public PriorSet Priors { get; }

    /// <summary>Whether the decoder is guided away from a picture of one colour, as Kandinsky's is.</summary>
    public bool GuidesAwayFromMeanColour { get; init; }

    /// <inheritdoc/>
    public int Features => texts.Features;

    /// <inheritdoc/>
    public bool HasPictures => images is not null;

    /// <summary>Adds the prior of a pipeline's folder, with the others that lie beside it.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="schedulerName">Component of the prior's scheduler.</param>
    public ClipEmbedder WithPriors(PipelineFolder folder, string schedulerName)
    {
        schedulerConfig = folder.Has(schedulerName) ? SchedulerConfig.Load(folder.Of(schedulerName)) : null;
        var scheduler = Scheduler(schedulerConfig, folder.Path);
        foreach (var (kind, below) in PriorFolder.Names)
            if (Path.Combine(folder.Path, below) is var path && Directory.Exists(path)) Priors.Add(kind, () => PriorFolder.Load(path, scheduler, type));
        if (folder.Has("prior")) Priors.Add(PriorFolder.KindOf(folder.Of("prior")), () => PriorFolder.Load(folder.Of("prior"), scheduler, type));
        return this;
    }

    /// <inheritdoc/>
    public PriorKind UsePrior(string folder)
    {
        var pipeline = PipelineFolder.IsOne(folder) ? PipelineFolder.Open(folder) : null;
        var component = pipeline is null ? null : pipeline.Has("prior_scheduler") ? "prior_scheduler" : "scheduler";
        var config = component is null ? schedulerConfig : SchedulerConfig.Load(pipeline!.Of(component));
        var prior = PriorFolder.Load(pipeline?.Of("prior") ?? folder, Scheduler(config, folder), type);
        try
        {
            Priors.Use(prior, Weights.CheckpointFolder.NameOf(folder));
        }
        catch (Weights.WeightsException)
        {
            prior.Dispose();
            throw;
        }

        return prior.Kind;
    }

    /// <inheritdoc/>
    public DrawnEmbedding Draw(GenerationRequest request, Noise noise, Action<int, int>? report, GenerationTrace? trace, CancellationToken cancellation)
    {
        using var scope = NewDisposeScope();
        var asks = GuidesAwayFromMeanColour && request.Negative.Length > 0;
        var clock = Stopwatch.StartNew();
        var text = Texts(request.Prompt, asks ? request.Negative : null, trace);
        var seconds = clock.Elapsed.TotalSeconds;
        var embedding = text.Conditions.TextEmbedding.narrow(0, 0, 1);
        var how = new PriorDraw(request.PriorSteps!.Value, request.PriorGuidance!.Value)
        {
            Candidates = request.PriorCandidates, Report = report, Trace = trace, Cancellation = cancellation,
        };
        var drawn = Priors[request.Prior].Draw(text, how, noise).MaxBy(candidate => ClipNetwork.Cosine(candidate.narrow(0, 0, 1), embedding))!;
        if (!keep) Priors.Release();
        var negative = asks ? drawn.narrow(0, 1, 1) : Negative();
        return new DrawnEmbedding(
            drawn.narrow(0, 0, 1).clone().MoveToOuterDisposeScope(), embedding.clone().MoveToOuterDisposeScope(), negative?.clone().MoveToOuterDisposeScope(), seconds);
    }

    /// <summary>
    /// A prompt for a prior; with a negative text, whose embedding is drawn beside the prompt's, both are guided away from it
    /// (pipeline_kandinsky2_2_prior.py).
    /// </summary>
    public PriorText Texts(string prompt, string? negative, GenerationTrace? trace = null) => negative is null
        ? new PriorText(texts.Encode([prompt], trace), Empty)
        : new PriorText(texts.Encode([prompt, negative], trace), () => texts.Encode([negative, negative]));

    /// <inheritdoc/>
    public Tensor EncodeTexts(IReadOnlyList<string> prompts) => texts.Encode(prompts).TextEmbedding;

    /// <inheritdoc/>
    public Tensor EncodeImages(IReadOnlyList<RgbImage> pictures) => Images.Encode(pictures);

    /// <inheritdoc/>
    public Tensor EncodePixels(Tensor pixels) => Images.EncodeRange(pixels);

    /// <inheritdoc/>
    public Tensor? Negative() => GuidesAwayFromMeanColour ? Images.EncodeMeanColour() : null;

    /// <inheritdoc/>
    public void Dispose()
    {
        texts.Dispose();
        images?.Dispose();
        Priors.Dispose();
        foreach (var tensor in new[] { empty?.TextEmbedding, empty?.TextEncodings, empty?.TextMask }) tensor?.Dispose();
    }

    private ImageStage Images => images ?? throw new InvalidOperationException(
        $"{name} has no image encoder, so it cannot look at pictures; name a folder that has one, such as karlo-variations for Karlo.");

    private static Func<IScheduler> Scheduler(SchedulerConfig? config, string folder) =>
        () => Schedulers.Create(config ?? throw new InvalidOperationException($"{folder} says nothing of the prior's scheduler; name the whole pipeline folder that the prior belongs to."));

    /// <summary>The empty text, always the same object: what a prior computed of it can be kept.</summary>
    private PriorConditions Empty()
    {
        if (empty is not null) return empty;
        empty = texts.Encode([""]);
        foreach (var tensor in new[] { empty.TextEmbedding, empty.TextEncodings, empty.TextMask }) tensor?.DetachFromDisposeScope();
        return empty;
    }
}
