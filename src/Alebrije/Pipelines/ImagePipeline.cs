using System.Diagnostics;
using Alebrije.Models.Clip;
using Alebrije.Models.Guesses;
using Alebrije.Pipelines.Denoising;
using Alebrije.Pipelines.Estimates;
using Alebrije.Pipelines.Experiments;
using Alebrije.Pipelines.Priors;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Tensors;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Pipelines;

/// <summary>
/// DALL-E 2's chain (Ramesh et al., 2022, fig. 2) for every published layout of it, Karlo, Kandinsky 2.1 and 2.2, Stable unCLIP: text to
/// text embedding, prior to image embedding, decoder to image. One object serves one call at a time.
/// </summary>
public sealed class ImagePipeline : IDisposable
{
    /// <summary>Most images that <see cref="GenerateMany"/> draws at once.</summary>
    public const int LargestBatch = 8;

    private readonly PriorStage? embedder;
    private readonly ImageDecoder decoder;
    private readonly DrawingStages stages;
    private ClipJudge? judge;
    private Func<GenerationRequest, bool, GenerationEstimate>? estimate;

    internal ImagePipeline(string name, PriorStage? embedder, ImageDecoder decoder, IReadOnlyList<ImageDecoder>? later = null)
    {
        (Name, this.embedder, this.decoder, stages) = (name, embedder, decoder, new DrawingStages(decoder, later ?? []));
        if (embedder is not null && embedder.Features != decoder.Traits.Features)
        {
            throw new WeightsException(
                $"The prior's embeddings have {embedder.Features} numbers and the decoder of {name} takes "
                    + $"{decoder.Traits.Features}: they belong to two embedding spaces. Choose a prior that was made for this decoder.");
        }
    }

    /// <summary>The model's name: that of its folder or file.</summary>
    public string Name { get; }

    /// <summary>
    /// The file that it was loaded from, hashed on first use, which takes a second for each gigabyte; null for folders.
    /// </summary>
    public ModelFile? File => Single?.Value;

    internal Lazy<ModelFile>? Single { get; private set; }

    /// <summary>Side of the images that it was made for, in pixels.</summary>
    public int Size => decoder.Traits.Size;

    /// <summary>
    /// Side of the images that its upsampler makes of them on request; null when it has none, or when it always runs.
    /// </summary>
    public int? UpsampledSize => stages.Sides is [_, .., var last] ? last : decoder.UpsampledSize;

    /// <summary>Floating-point formats of its computations here, <see cref="Precision.Auto"/> resolved.</summary>
    public PipelinePrecision Precision => new(FormatOf(decoder.Type), FormatOf(embedder?.Type ?? decoder.Type));

    /// <summary>Kinds of prior that this model has.</summary>
    public IReadOnlyList<PriorKind> Priors => embedder is null ? [] : [.. embedder.Priors.Kinds];

    /// <summary>The kind of the prior that was taken from elsewhere when loading; null when none was.</summary>
    public PriorKind? PriorFromElsewhere { get; private set; }

    /// <summary>True if it embeds images: variations, interpolation, differences by text, scores.</summary>
    public bool HasImageEncoder => embedder?.HasPictures ?? false;

    /// <summary>True if CLIP scores its images: its own, or that of <see cref="ImagePipelineOptions.JudgeFolder"/>.</summary>
    public bool HasScores => judge is not null || HasImageEncoder;

    /// <summary>Directions in which images differ, where the model brings them; null otherwise.</summary>
    internal EmbeddingBasis? Basis() => EmbeddingBasis.Of(Embedder.Priors);

    /// <summary>False of models that draw from text without image embeddings.</summary>
    internal bool HasPrior => embedder is not null;

    /// <summary>Text and image towers, and priors.</summary>
    /// <exception cref="InvalidOperationException">The model draws from text without image embeddings.</exception>
    internal PriorStage Embedder => embedder ?? throw new InvalidOperationException(
        $"{Name} draws from text alone: it has no prior and no image embeddings. Name a model of unCLIP for this, such as mini.");

    internal ImageDecoder Decoder => decoder;

    /// <summary>Loads a pipeline folder by its <c>model_index.json</c>, or a checkpoint of Stable Diffusion in one file.</summary>
    /// <param name="folder">The folder, or the file (.safetensors, .ckpt).</param>
    /// <param name="options">Null: its own prior, automatic precision.</param>
    /// <exception cref="CheckpointNotFoundException">A file is missing.</exception>
    /// <exception cref="WeightsException">
    /// A file is damaged, or the class is not one of unCLIP; thrown later, when a network's turn comes, where its tensors do not fit its
    /// configuration.
    /// </exception>
    public static ImagePipeline Load(string folder, ImagePipelineOptions? options = null)
    {
        TorchRuntime.Initialize();
        options ??= new ImagePipelineOptions();
        var source = PipelineFolder.Open(folder);
        var pipeline = PipelineFamilies.Open(source, options);
        pipeline.Single = source.File;
        var elsewhere = options.PriorFolder is { } other && PipelineFolder.IsOne(other) ? PipelineFolder.Open(other) : null;
        var first = elsewhere ?? (options.CompanionFolders is [var companion, ..]
            && pipeline.HasPrior ? PipelineFolder.Open(companion) : null);
        var later = PipelineFamilies.LaterStages(source, options);
        GenerationEstimate EstimateOf(GenerationRequest request, bool timed)
        {
            var keep = options.KeepLoaded ?? ModelMemory.FitsTwice([source, .. later]);
            var chain = pipeline.stages.For(Rows(request), Columns(request));
            List<(PipelineFolder, GenerationRequest)> folders = [(source, chain.Count > 1 ? chain[0].Part(request) : request),
                .. later.Zip(chain.Skip(1), (part, stage) => (part, stage.Part(request)))];
            if (first is not null) folders.Add((first, request));
            return GenerationEstimator.Estimate(folders, pipeline.decoder.Type, keep, timed);
        }

        pipeline.estimate = EstimateOf;
        try
        {
            if (options.JudgeFolder is { } judge)
            {
                if (pipeline.HasPrior)
                    throw new ArgumentException($"{pipeline.Name} has a CLIP of its own; leave the judge (--judge) out.");
                pipeline.judge = ClipJudge.Open(judge, options.KeepLoaded ?? true);
            }

            if (options.PriorFolder is not { } prior) return pipeline;
            if (elsewhere is not null && !PipelineFamilies.IsStable(source))
            {
                // The whole first half was opened from there, and its prior is read when it is needed.
                pipeline.PriorFromElsewhere = PriorFolder.KindOf(elsewhere.Of("prior"));
                pipeline.Embedder.Priors.ComesFrom(pipeline.PriorFromElsewhere.Value, elsewhere.Name);
                return pipeline;
            }

            pipeline.UsePrior(prior);
            return pipeline;
        }
        catch
        {
            pipeline.Dispose();
            throw;
        }
    }

    /// <summary>Takes a prior from another folder in place of the model's own of that kind; a request selects it by kind.</summary>
    /// <param name="folder">A prior's folder (<c>config.json</c> and weights), or a pipeline's, of which the component <c>prior</c> is
    /// taken.</param>
    /// <returns>The prior's kind.</returns>
    /// <exception cref="CheckpointNotFoundException">The folder holds no prior.</exception>
    /// <exception cref="WeightsException">Its embedding space is not that of this model, or a file is damaged.</exception>
    public PriorKind UsePrior(string folder)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        return (PriorFromElsewhere = Embedder.UsePrior(folder)).Value;
    }

    /// <summary>Estimates the cost of an image on this machine; takes one or two seconds, and reads no weights.</summary>
    /// <param name="request">The request to estimate.</param>
    /// <param name="timed">False estimates the memory alone, without measuring this machine; its seconds are 0.</param>
    /// <exception cref="ArgumentException">The request has a value out of its range.</exception>
    public GenerationEstimate Estimate(GenerationRequest request, bool timed = true) =>
        estimate?.Invoke(Complete(request), timed)
        ?? throw new InvalidOperationException($"{Name} was not opened from a folder, so its sizes are unknown.");

    /// <summary>Draws an image.</summary>
    /// <param name="request">The request to draw.</param>
    /// <param name="progress">Called after every step.</param>
    /// <param name="trace">Gets every stage when given.</param>
    /// <param name="cancellation">Stops between two steps.</param>
    /// <exception cref="ArgumentException">The request has a value out of its range, or the size is not one of the model's.</exception>
    /// <exception cref="InvalidOperationException">The folder has no prior of the requested kind.</exception>
    public GenerationResult Generate(
        GenerationRequest request, Action<GenerationProgress>? progress = null,
        GenerationTrace? trace = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        return DrawBatch([Complete(request)], progress, trace, cancellation)[0];
    }

    /// <summary>
    /// Draws many images. Neighbours that differ in prompt, negative prompt and seed alone share the calls of the denoiser, as many as
    /// half of the free memory has room for, at most <see cref="LargestBatch"/>. Each has the noise that it has when it is drawn alone; the
    /// products of a batch may round otherwise, so that bytes may differ by 1 of 255.
    /// </summary>
    /// <param name="requests">The requests to draw.</param>
    /// <param name="progress">Called after every step of every batch.</param>
    /// <param name="missing">
    /// Positions of the requests whose images are returned, as of a run that is resumed; null returns all. The batches are those of all
    /// requests, and only those with a missing image are drawn, whole: each image is rounded as in a run that returns all of them.
    /// </param>
    /// <param name="cancellation">Stops between two steps; what was returned before stays.</param>
    /// <returns>The images in the order of the requests, batch by batch; seconds are an image's share of those of its batch.</returns>
    /// <exception cref="ArgumentException">A request has a value out of its range; nothing is drawn.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A missing position is not one of the requests; nothing is drawn.</exception>
    /// <exception cref="InvalidOperationException">The folder has no prior of the requested kind; nothing is drawn.</exception>
    public IEnumerable<GenerationResult> GenerateMany(
        IEnumerable<GenerationRequest> requests, Action<GenerationProgress>? progress = null, IEnumerable<int>? missing = null,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(requests);
        GenerationRequest[] complete = [.. requests.Select(request => Complete(request))];
        var drawn = new SortedSet<int>(missing ?? Enumerable.Range(0, complete.Length));
        if (drawn.Count > 0 && (drawn.Min < 0 || drawn.Max >= complete.Length))
        {
            throw new ArgumentOutOfRangeException(nameof(missing),
                $"Positions {drawn.Min} to {drawn.Max} are missing of {complete.Length} requests; positions start at 0.");
        }

        return Batches();

        IEnumerable<GenerationResult> Batches()
        {
            for (var from = 0; from < complete.Length;)
            {
                // The memory of an image is estimated once for all neighbours alike.
                var alike = complete[from..].TakeWhile(request => SharesBatch(request, complete[from])).ToArray();
                var size = alike.Length == 1 ? 1 : Math.Min(LargestBatch, estimate?.Invoke(alike[0], false).BatchSize ?? LargestBatch);
                foreach (var batch in alike.Chunk(size))
                {
                    var wanted = drawn.GetViewBetween(from, from + batch.Length - 1).Select(i => i - from).ToArray();
                    from += batch.Length;
                    if (wanted.Length == 0) continue;
                    var results = DrawBatch(batch, progress, null, cancellation);
                    foreach (var i in wanted) yield return results[i];
                }
            }
        }
    }

    /// <summary>
    /// True for requests that differ in prompt, negative prompt and seed alone, and whose conditions can stand in one batch.
    /// </summary>
    private bool SharesBatch(GenerationRequest request, GenerationRequest first) => ReferenceEquals(request, first)
        || (request with { Prompt = first.Prompt, Negative = first.Negative, Seed = first.Seed } == first
            // A long prompt lengthens all texts of its batch.
            && (!request.LongPrompt || (request.Prompt == first.Prompt && request.Negative == first.Negative))
            && request.ClipGuidance is null && (embedder is null || (embedder.DrawsInBatches(request) && embedder.DrawsInBatches(first))));

    private GenerationResult[] DrawBatch(
        GenerationRequest[] requests, Action<GenerationProgress>? progress, GenerationTrace? trace, CancellationToken cancellation)
    {
        using var guard = no_grad();
        using var scope = NewDisposeScope();
        using var noise = new Noise(requests.Select(each => unchecked((long)each.Seed)));
        var notes = new List<RunNote>();
        var drawn = Draw(requests, noise,
            listeners: new DrawListeners { Progress = progress, Trace = trace, Cancellation = cancellation, Note = notes.Add });
        var images = ImageTensors.ToImages(drawn.Pixels);
        if (requests[0] is { From: { } from, Mask: { } mask })
            images = [.. images.Select(image => ImageTensors.Composed(image, from.Image, mask.Image.ToPillow()))];
        trace?.Add("picture", images[0]);
        var scores = Scores([.. requests.Select(request => request.Prompt)], drawn.Text, images);
        var share = drawn.Seconds.ToDictionary(spent => spent.Key, spent => spent.Value / requests.Length);
        return
        [
            .. images.Select((image, i) => new GenerationResult(image, requests[i], scores?[i], share)
            {
                PriorFrom = embedder?.Priors.From(requests[0].Prior), Judge = requests[0].ClipGuidance is null ? null : judge?.Name,
                Precision = Precision, Threads = TorchRuntime.Threads, Notes = notes, Single = Single,
            }),
        ];
    }

    /// <summary>The path of every image: prior, decoder, upsampler; shared by requests, experiments, evaluations and verify.</summary>
    /// <param name="requests">With every default filled in, different in prompt, negative prompt and seed alone.</param>
    /// <param name="noise">Source of random values for all stages, one stream for each request, or recorded ones.</param>
    /// <param name="given">Conditions that replace those of the requests where they are not null; an image embedding replaces the
    /// prior.</param>
    /// <param name="start">Noise at the start of the decoder, as from inversion; null draws it.</param>
    /// <param name="listeners">Callbacks.</param>
    internal DrawnImages Draw(
        IReadOnlyList<GenerationRequest> requests, Noise noise, DrawConditions? given = null,
        Tensor? start = null, DrawListeners? listeners = null)
    {
        listeners ??= new DrawListeners();
        using var scope = NewDisposeScope();
        var (request, seconds, clock, notes) = (requests[0], new Dictionary<string, double>(),
            Stopwatch.StartNew(), new HashSet<RunNote>());
        var trace = listeners.Trace;
        given ??= new DrawConditions([.. requests.Select(each => each.Prompt)]);
        var text = (Tensor?)null;
        if (given.Image is null && embedder is not null)
        {
            var drawn = DrawEmbedding(requests, noise, listeners with { Note = Note });
            text = drawn.Text;
            seconds["text"] = drawn.TextSeconds;
            trace?.Add("image embedding", drawn.Image, new { cosine_to_text = ClipNetwork.Cosine(drawn.Image, drawn.Text) });
            Lap(seconds, "prior", clock);
            seconds["prior"] -= drawn.TextSeconds;
            given = given with { Image = drawn.Image, NegativeImage = given.NegativeImage ?? drawn.Negative };
        }

        var chain = stages.For(Rows(request), Columns(request));
        var conditions = Conditions(requests, given, chain[0]);
        var stage = "decoder";
        var options = chain[0].Options(request) with
        {
            Start = start, Trace = trace, Cancellation = listeners.Cancellation, Note = Note, After = listeners.After, Report = p =>
            {
                if (p.Stage != stage) Lap(seconds, stage, clock);
                stage = p.Stage;
                listeners.Progress?.Invoke(p);
            },
        };
        using var tower = request.ClipGuidance is null ? null : judge?.Images.Hold() ?? Embedder.HoldImages();
        if (request.ClipGuidance is { } pull && (text is not null || request.Prompt.Length > 0))
        {
            text ??= judge?.EncodeTexts(conditions.Prompts, Note) ?? Embedder.EncodeTexts(conditions.Prompts, Note);
            conditions = conditions with { WithoutEmbedding = pull.Alone,
                Prompts = pull.Alone && !HasPrior ? [.. conditions.Prompts.Select(_ => "")] : conditions.Prompts };
            options = options with { Pull = Towards(text, pull.Scale), Guidance = pull.Alone ? 1 : options.Guidance };
        }

        var pixels = decoder.Draw(conditions, options, noise);
        foreach (var later in chain.Skip(1))
        {
            trace?.Add(stage == "decoder" ? "small picture" : $"{stage} picture", ImageTensors.ToImages(pixels)[0]);
            pixels = later.Decoder.Draw(Conditions(requests, given, later) with { Small = pixels.mul(2).sub(1) },
                later.Options(request) with
            {
                Trace = trace, Cancellation = options.Cancellation, Note = Note, After = options.After, Report = options.Report,
            }, noise);
        }

        Lap(seconds, stage, clock);
        return new DrawnImages(pixels.MoveToOuterDisposeScope(), conditions.Image?.alias().MoveToOuterDisposeScope(),
            text?.MoveToOuterDisposeScope(), seconds);

        // Prior and decoder read the same prompt, as a rule with the same tokenizer.
        void Note(RunNote note)
        {
            if (notes.Add(note)) listeners.Note?.Invoke(note);
        }
    }

    /// <summary>Image embeddings of the prior for the prompts of requests.</summary>
    /// <param name="requests">With every default filled in.</param>
    /// <param name="noise">Random numbers, one stream for each request.</param>
    /// <param name="listeners">Callbacks.</param>
    internal DrawnEmbedding DrawEmbedding(IReadOnlyList<GenerationRequest> requests, Noise noise, DrawListeners listeners) =>
        Embedder.Draw(requests, noise, new PriorOptions(1, 1)
        {
            Report = listeners.Progress is { } progress ? (step, of) => progress(new GenerationProgress("prior", step, of)) : null,
            After = listeners.After is { } after ? sample => after("prior", sample) : null,
            Trace = listeners.Trace, Cancellation = listeners.Cancellation,
        }, listeners.Note);

    /// <summary>The noise that leads to the image of conditions: DDIM inversion.</summary>
    /// <param name="request">With every default filled in.</param>
    /// <param name="given">Conditions with image embedding and image.</param>
    /// <param name="listeners">Callbacks.</param>
    internal Tensor Invert(GenerationRequest request, DrawConditions given, DrawListeners listeners) =>
        decoder.Invert(Conditions([request], given, FirstOf(request)), FirstOf(request)
            .Options(request) with { Report = listeners.Progress, Note = listeners.Note, Cancellation = listeners.Cancellation });

    /// <summary>Shape of the noise of one image, [1, channels, rows, columns].</summary>
    internal long[] StartShape(GenerationRequest request) => decoder.StartShape(FirstOf(request).Height, FirstOf(request).Width);

    private DrawingStage FirstOf(GenerationRequest request) => stages.For(Rows(request), Columns(request))[0];

    /// <summary>Conditions of a stage: those given first, then those of requests.</summary>
    private static DrawConditions Conditions(IReadOnlyList<GenerationRequest> requests, DrawConditions given, DrawingStage stage)
    {
        var (request, traits) = (requests[0], stage.Decoder.Traits);
        // The image of a request is the small one of a model that enlarges images, and the initial one of every other, throughout its
        // stages.
        var isSmall = traits.Enlarges && stage.Name == "decoder";
        var (from, mask) = traits.TakesInitial && !isSmall ? (request.From, request.Mask) : (null, null);
        return given with
        {
            Negatives = given.Negatives
                ?? (requests.Any(each => each.Negative.Length > 0) ? [.. requests.Select(each => each.Negative)] : null),
            ClipSkip = request.ClipSkip ?? 0, Adapters = AdapterInputs.Of(request), ReadsWhole = request.LongPrompt,
            Picture = given.Picture
            ?? (from is null ? null : ImageTensors.FromImage(stage.Decoder.Resize(from.Image, stage.Width, stage.Height))),
            Small = given.Small ?? (isSmall && request.From is { } small ? ImageTensors.FromImage(small.Image) : null),
            Repaint = given.Repaint ?? (mask is null ? null : ImageTensors.FromMask(mask.Image.ToPillow(), stage.Height, stage.Width)),
            Hint = given.Hint ?? (request.DepthMap is { } file ? ImageTensors.FromImage(RgbImage.LoadUpright(file)).add(1).div(2) : null),
        };
    }

    private static int Rows(GenerationRequest request) => request.Height ?? request.Size!.Value;

    private static int Columns(GenerationRequest request) => request.Width ?? request.Size!.Value;

    /// <summary>Texts whose embeddings lie nearest to that of an image, by cosine.</summary>
    /// <param name="image">The image.</param>
    /// <param name="texts">Texts to choose from.</param>
    /// <param name="count">Number of results, the nearest first.</param>
    /// <exception cref="InvalidOperationException">The model has no text encoder or no image encoder.</exception>
    public IReadOnlyList<string> NearestTexts(RgbImage image, IReadOnlyList<string> texts, int count)
    {
        ArgumentNullException.ThrowIfNull(image);
        ArgumentNullException.ThrowIfNull(texts);
        using var guard = inference_mode();
        using var scope = NewDisposeScope();
        var cosines = ClipNetwork.Unit(Embedder.EncodeTexts(texts)).mv(ClipNetwork.Unit(Embedder.EncodeImages([image]))[0]);
        return [.. cosines.topk(Math.Min(count, texts.Count)).indexes.data<long>().ToArray().Select(i => texts[(int)i])];
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        embedder?.Dispose();
        stages.Dispose();
        judge?.Dispose();
    }

    /// <summary>The request with the model's defaults for its open fields (<see cref="RequestCompletion.Complete"/>).</summary>
    internal GenerationRequest Complete(GenerationRequest request, bool promptNeeded = true, DrawConditions? given = null) =>
        new RequestCompletion(Name, embedder, stages, HasScores).Complete(request, promptNeeded, given);

    /// <summary>A pull towards a text embedding.</summary>
    /// <param name="text">[1, features]</param>
    /// <param name="scale">Scale of the gradient.</param>
    private ImagePull Towards(Tensor text, double scale)
    {
        var target = ClipNetwork.Unit(text);
        return new ImagePull(pixels => (ClipNetwork.Unit(judge?.Images.EncodeRange(pixels) ?? Embedder.EncodePixels(pixels)) * target)
            .sum(-1), scale);
    }

    /// <summary>Cosines between text and image embeddings; null where no CLIP scores images.</summary>
    /// <param name="prompts">One for each image.</param>
    /// <param name="texts">[images, features] of the model's own CLIP, or null.</param>
    /// <param name="pictures">The images.</param>
    private double[]? Scores(IReadOnlyList<string> prompts, Tensor? texts, IReadOnlyList<RgbImage> pictures)
    {
        texts = judge?.EncodeTexts(prompts) ?? texts;
        if (texts is null || !HasScores) return null;
        var embeddings = judge?.Images.Encode(pictures) ?? Embedder.EncodeImages(pictures);
        return [.. pictures.Select((_, i) => ClipNetwork.Cosine(embeddings.narrow(0, i, 1), texts.narrow(0, i, 1)))];
    }

    private static Tensors.Precision FormatOf(ScalarType type) =>
        type == ScalarType.BFloat16 ? Tensors.Precision.Bf16 : Tensors.Precision.Fp32;

    private static void Lap(Dictionary<string, double> seconds, string stage, Stopwatch clock)
    {
        seconds[stage] = clock.Elapsed.TotalSeconds;
        clock.Restart();
    }
}
