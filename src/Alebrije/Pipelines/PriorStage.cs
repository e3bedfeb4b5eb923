using System.Diagnostics;
using Alebrije.Diffusion;
using Alebrije.Models.Clip;
using Alebrije.Models.Priors;
using Alebrije.Pipelines.Priors;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Tensors;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Pipelines;

/// <summary>Image embeddings drawn for texts.</summary>
/// <param name="Image">[batch, features] on CLIP's scale.</param>
/// <param name="Text">[batch, features]: the text embeddings.</param>
/// <param name="Negative">[1 or batch, features]: negative image embedding for classifier-free guidance; null: the decoder supplies its
/// own.</param>
/// <param name="TextSeconds">Seconds that the texts took, of all.</param>
internal sealed record DrawnEmbedding(Tensor Image, Tensor Text, Tensor? Negative, double TextSeconds);

/// <summary>
/// The first half of unCLIP, the same in Karlo, Kandinsky and Stable unCLIP: CLIP's towers and the priors between them, each where the
/// folder has it, read when first needed.
/// </summary>
internal sealed class PriorStage : IDisposable
{
    /// <summary>The reference's sampler of Karlo's prior.</summary>
    private const string KarloScheduler = "UnCLIPScheduler";

    private readonly PipelineFolder folder;
    private readonly bool keep;
    private readonly ScalarType type;
    private readonly ImageStage? images;
    private readonly SchedulerConfig? schedulerConfig;
    private TextStage? texts;
    private PriorConditions? empty;

    /// <param name="folder">The folder of texts and priors.</param>
    /// <param name="towers">The text tower, null if only images are embedded, and the image tower, or null.</param>
    /// <param name="features">Width of an image embedding.</param>
    /// <param name="keep">True if priors stay in memory between two images.</param>
    /// <param name="type">Type of the products of priors.</param>
    /// <param name="schedulerName">Component of the prior's scheduler.</param>
    public PriorStage(PipelineFolder folder, (TextStage? Texts, ImageStage? Images) towers,
        int features, bool keep, ScalarType type, string schedulerName)
    {
        (this.folder, (texts, images), Features, this.keep, this.type) = (folder, towers, features, keep, type);
        Priors = new PriorSet(folder.Name, () => new PriorSpaces(texts?.Features ?? 0, Features, texts?.Fingerprint));
        schedulerConfig = folder.Has(schedulerName) ? SchedulerConfig.Load(folder.Of(schedulerName)) : null;
        foreach (var (kind, below) in PriorFolder.Names)
            if (Path.Combine(folder.Path, below) is var path && Directory.Exists(path) && Directory.EnumerateFiles(path).Any())
                Add(kind, path);
        if (folder.Has("prior")) Add(PriorFolder.KindOf(folder.Of("prior")), folder.Of("prior"));
    }

    /// <summary>Its priors; none but <see cref="PriorKind.None"/> if it only embeds images.</summary>
    public PriorSet Priors { get; }

    /// <summary>True if the decoder is guided away from an image of one colour, as Kandinsky's is.</summary>
    public bool GuidesAwayFromMeanColour { get; init; }

    /// <summary>Width of an image embedding.</summary>
    public int Features { get; }

    /// <summary>Type of the products of priors.</summary>
    public ScalarType Type => type;

    /// <summary>True if it embeds images.</summary>
    public bool HasPictures => images is not null;

    /// <summary>
    /// Takes a prior from a folder, alone or of a pipeline, in place of the one of its kind; of a pipeline its scheduler too, and its text
    /// tower where there is none here.
    /// </summary>
    /// <returns>The kind of prior.</returns>
    /// <exception cref="CheckpointNotFoundException">There is none.</exception>
    /// <exception cref="WeightsException">It is of another embedding space, or damaged.</exception>
    public PriorKind UsePrior(string path)
    {
        var pipeline = PipelineFolder.IsOne(path) ? PipelineFolder.Open(path) : null;
        var prior = pipeline?.Of("prior") ?? path;
        if (texts is null)
        {
            if (pipeline is null)
                throw new InvalidOperationException($"{folder.Path} has no "
                    + $"text encoder for a prior, and {path} is a prior alone; name the whole pipeline folder that the prior belongs to.");
            var prefix = pipeline.Has("prior_text_encoder") ? "prior_" : "";
            texts = TextStage.Of(pipeline, prefix + "tokenizer", prefix + "text_encoder", keep);
        }

        var component = pipeline is null ? null : pipeline.Has("prior_scheduler") ? "prior_scheduler" : "scheduler";
        var config = component is null ? schedulerConfig : SchedulerConfig.Load(pipeline!.Of(component));
        if (PriorFolder.KindOf(prior) == PriorKind.Diffusion && config is null)
        {
            throw new CheckpointNotFoundException(
                $"{path} does not contain the prior's scheduler, and {folder.Path} "
                    + $"has none; name the whole pipeline folder that the prior belongs to.");
        }

        var loaded = PriorFolder.Load(prior, Scheduler(config, pipeline ?? folder), type);
        try
        {
            Priors.Use(loaded, CheckpointFolder.NameOf(path));
        }
        catch (WeightsException)
        {
            loaded.Dispose();
            throw;
        }

        return loaded.Kind;
    }

    /// <summary>
    /// True if a request's embedding can be drawn in a batch with others: not where a negative text shares the batch with its prompt.
    /// </summary>
    public bool DrawsInBatches(GenerationRequest request) => !GuidesAwayFrom(request);

    /// <summary>Draws an image embedding per request; of several candidates, the one nearest to the text embedding is kept.</summary>
    /// <param name="requests">With every default filled in, different in prompt, negative prompt and seed alone; one where
    /// <see cref="DrawsInBatches"/> is false.</param>
    /// <param name="noise">Random numbers, one stream for each request.</param>
    /// <param name="options">Start, callbacks and trace; steps, guidance and candidates are those of the requests.</param>
    /// <param name="note">Called with a sentence about texts that were cut.</param>
    public DrawnEmbedding Draw(IReadOnlyList<GenerationRequest> requests, Noise noise, PriorOptions options, Action<RunNote>? note)
    {
        using var scope = NewDisposeScope();
        var (request, asks, trace) = (requests[0], GuidesAwayFrom(requests[0]), options.Trace);
        var clock = Stopwatch.StartNew();
        string[] prompts = [.. requests.Select(each => each.Prompt)];
        var text = asks ? Texts(prompts, [.. requests.Select(each => each.Negative)], trace, note) : Texts(prompts, trace, note);
        var seconds = clock.Elapsed.TotalSeconds;
        var embeddings = text.Conditions.TextEmbedding.narrow(0, 0, requests.Count);
        options = options with { Steps = request.PriorSteps!.Value, Guidance = request.PriorGuidance!.Value,
            Candidates = request.PriorCandidates };
        var candidates = Priors[request.Prior].Draw(text, options, noise);
        var best = new int[requests.Count];
        for (var i = 0; i < best.Length; i++)
        {
            var cosines = candidates.Select(candidate => ClipNetwork.Cosine(candidate.narrow(0, i, 1), embeddings.narrow(0, i, 1)))
                .ToArray();
            if (candidates.Count > 1) trace?.Add("candidate cosines", tensor(cosines, ScalarType.Float32));
            best[i] = Array.IndexOf(cosines, cosines.Max());
        }

        var drawn = cat([.. best.Select((candidate, i) => candidates[candidate].narrow(0, i, 1))]);
        if (!keep) Priors.Release();
        var negative = asks ? cat([.. best.Select((candidate, i) => candidates[candidate].narrow(0, requests.Count + i, 1))]) : Negative();
        return new DrawnEmbedding(
            drawn.MoveToOuterDisposeScope(), embeddings.clone().MoveToOuterDisposeScope(),
            negative?.clone().MoveToOuterDisposeScope(), seconds);
    }

    /// <summary>Prompts for a prior.</summary>
    public PriorText Texts(IReadOnlyList<string> prompts, GenerationTrace? trace = null, Action<RunNote>? note = null) =>
        new(Tower.Encode(prompts, trace, note), Empty);

    /// <summary>
    /// Prompts for a prior, with negative texts whose embeddings are drawn together with the prompts': both are guided away from them
    /// (pipeline_kandinsky2_2_prior.py).
    /// </summary>
    private PriorText Texts(string[] prompts, string[] negatives, GenerationTrace? trace, Action<RunNote>? note) =>
        new(Tower.Encode([.. prompts, .. negatives], trace, note), () => Tower.Encode([.. negatives, .. negatives]));

    /// <summary>Text embeddings, [texts, features], not normalised.</summary>
    public Tensor EncodeTexts(IReadOnlyList<string> prompts, Action<RunNote>? note = null) =>
        Tower.Encode(prompts, trace: null, note).TextEmbedding;

    /// <summary>Image embeddings, [images, features], not normalised.</summary>
    public Tensor EncodeImages(IReadOnlyList<RgbImage> pictures) => Images.Encode(pictures);

    /// <summary>Image embeddings of pixels, differentiable.</summary>
    /// <param name="pixels">[batch, 3, h, w] in [-1, 1], of any size.</param>
    /// <returns>[batch, features]</returns>
    public Tensor EncodePixels(Tensor pixels) => Images.EncodeRange(pixels);

    /// <exception cref="InvalidOperationException">It embeds no images.</exception>
    public void RequireImages() => _ = Images;

    /// <summary>Keeps the image tower in memory until disposed.</summary>
    public IDisposable HoldImages() => Images.Hold();

    /// <summary>[1, features]: default negative image embedding for classifier-free guidance; null: the decoder supplies its own.</summary>
    public Tensor? Negative() => GuidesAwayFromMeanColour ? Images.EncodeMeanColour() : null;

    /// <inheritdoc/>
    public void Dispose()
    {
        texts?.Dispose();
        images?.Dispose();
        Priors.Dispose();
        foreach (var tensor in new[] { empty?.TextEmbedding, empty?.TextEncodings, empty?.TextMask }) tensor?.Dispose();
    }

    private bool GuidesAwayFrom(GenerationRequest request) => GuidesAwayFromMeanColour && request.Negative.Length > 0;

    private TextStage Tower => texts ?? throw new InvalidOperationException(
        $"{folder.Path} has no text encoder for a prior: it varies images (vary) but draws none from text.");

    private ImageStage Images => images ?? throw new InvalidOperationException(
        $"{folder.Name} has no image encoder, so it cannot embed "
            + $"images; name a folder that has one, such as karlo-variations for Karlo.");

    private void Add(PriorKind kind, string path) =>
        Priors.Add(kind, () => PriorFolder.Load(path, Scheduler(schedulerConfig, folder), type), PriorFolder.GuidanceOf(kind, path));

    /// <summary>
    /// The reference's Stable unCLIP calls UnCLIPScheduler.step without the next timestep, so each step goes from t to t - 1 only, whatever
    /// the grid (pipeline_stable_unclip.py); its numbers are kept for checkpoints that name this class.
    /// </summary>
    private static Func<IScheduler> Scheduler(SchedulerConfig? config, PipelineFolder folder) => () =>
        config is null ? throw new CheckpointNotFoundException($"{folder.Path} does not contain its prior's scheduler.")
        : config.ClassName == KarloScheduler && PipelineFamilies.IsStable(folder) ? new UnClipScheduler(config) { StepsByOne = true }
        : Schedulers.Create(config);

    /// <summary>The empty text, always the same object: what a prior computed of it can be kept.</summary>
    private PriorConditions Empty()
    {
        if (empty is not null) return empty;
        empty = Tower.Encode([""]);
        foreach (var tensor in new[] { empty.TextEmbedding, empty.TextEncodings, empty.TextMask }) tensor?.DetachFromDisposeScope();
        return empty;
    }
}
