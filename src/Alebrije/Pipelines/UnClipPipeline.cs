using System.Diagnostics;
using Alebrije.Models.Clip;
using Alebrije.Models.Guesses;
using Alebrije.Pipelines.Experiments;
using Alebrije.Pipelines.Kandinsky;
using Alebrije.Pipelines.Priors;
using Alebrije.Pipelines.StableUnClip;
using Alebrije.Pipelines.UnClip;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Tensors;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Pipelines;

/// <summary>How a pipeline is loaded.</summary>
public sealed record UnClipOptions
{
    /// <summary>
    /// A prior from elsewhere: a prior's own folder, or a pipeline's, which to decoders that come without text encoder and prior brings these too.
    /// Null takes the pipeline's own.
    /// </summary>
    public string? PriorFolder { get; init; }

    /// <summary>
    /// Where the text encoder and prior of a decoder are that is published apart from them (Kandinsky): the folder of the prior's pipeline. Null looks
    /// beside the decoder's folder.
    /// </summary>
    public string? CompanionFolder { get; init; }

    /// <summary>Number format of the large networks; noise, samplers and norms stay float32.</summary>
    public Precision Precision { get; init; } = Precision.Auto;

    /// <summary>Number format of priors; null takes bf16 only where <see cref="Precision"/> asks for it by name, for errors of a prior go on through all that follows.</summary>
    public Precision? PriorPrecision { get; init; }

    /// <summary>
    /// Whether networks stay in memory between two pictures; false reads each when it is needed and lets it go; null keeps them where they take less
    /// than half of the memory that is free.
    /// </summary>
    public bool? KeepLoaded { get; init; }
}

/// <summary>Number formats that a picture came about in.</summary>
/// <param name="Decoder">Of the decoder.</param>
/// <param name="Prior">Of the prior.</param>
public sealed record PipelinePrecision(Precision Decoder, Precision Prior);

/// <summary>
/// DALL-E 2's chain (Ramesh et al., 2022, fig. 2) for every published layout of it, Karlo, Kandinsky 2.1 and 2.2, Stable unCLIP: text to text
/// embedding, prior to image embedding, decoder to picture. One object serves one call at a time.
/// </summary>
public sealed class UnClipPipeline : IDisposable
{
    /// <summary>Most pictures that <see cref="GenerateMany"/> draws at once.</summary>
    public const int LargestBatch = 8;

    private const int LargestSize = 2048;

    private readonly ClipEmbedder embedder;
    private readonly IUnClipDecoder decoder;
    private readonly GenerationDefaults defaults;
    private Func<GenerationRequest, GenerationEstimate>? estimate;
    private Func<GenerationRequest, int>? batchSize;

    internal UnClipPipeline(string name, ClipEmbedder embedder, IUnClipDecoder decoder, GenerationDefaults defaults)
    {
        (Name, this.embedder, this.decoder, this.defaults) = (name, embedder, decoder, defaults);
        if (embedder.Features != decoder.Features)
        {
            throw new WeightsException(
                $"The prior's embeddings have {embedder.Features} numbers and the decoder of {name} takes {decoder.Features}: they belong to two embedding spaces. Choose a prior that was made for this decoder.");
        }
    }

    /// <summary>The model's name: that of its folder.</summary>
    public string Name { get; }

    /// <summary>Side of the pictures that it was made for, in pixels.</summary>
    public int Size => decoder.Size;

    /// <summary>Side of the pictures that its upsampler makes of them when asked for; null when it has none, or when it always runs.</summary>
    public int? UpsampledSize => decoder.UpsampledSize;

    /// <summary>Number formats in which it computes here, <see cref="Precision.Auto"/> resolved.</summary>
    public PipelinePrecision Precision => new(FormatOf(decoder.Type), FormatOf(embedder.Type));

    /// <summary>Kinds of prior that this model has.</summary>
    public IReadOnlyList<PriorKind> Priors => [.. embedder.Priors.Kinds];

    /// <summary>The kind of the prior that was taken from elsewhere when loading; null when none was.</summary>
    public PriorKind? PriorFromElsewhere { get; private set; }

    /// <summary>Whether it looks at pictures: variations, interpolation, differences by text, scores.</summary>
    public bool HasImageEncoder => embedder.HasPictures;

    /// <summary>Directions in which pictures differ, where the model brings them; null otherwise.</summary>
    internal EmbeddingBasis? Basis() => EmbeddingBasis.Of(embedder.Priors);

    internal ClipEmbedder Embedder => embedder;

    internal IUnClipDecoder Decoder => decoder;

    /// <summary>Loads a pipeline folder by its <c>model_index.json</c>.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="options">Null: its own prior, automatic precision.</param>
    /// <exception cref="CheckpointNotFoundException">A file is missing.</exception>
    /// <exception cref="WeightsException">
    /// A file is damaged, or the class is not one of unCLIP; thrown later, when a network's turn comes, where its tensors do not fit its configuration.
    /// </exception>
    public static UnClipPipeline Load(string folder, UnClipOptions? options = null)
    {
        TorchRuntime.Initialize();
        options ??= new UnClipOptions();
        var pipeline = UnClipFolder.Open(PipelineFolder.Open(folder), options);
        var elsewhere = options.PriorFolder is { } other && PipelineFolder.IsOne(other) ? PipelineFolder.Open(other) : null;
        var first = elsewhere ?? (options.CompanionFolder is { } companion ? PipelineFolder.Open(companion) : null);
        GenerationEstimate EstimateOf(GenerationRequest request, bool timed)
        {
            var opened = PipelineFolder.Open(folder);
            var keep = options.KeepLoaded ?? ModelMemory.FitsTwice(opened);
            return GenerationEstimator.Estimate(opened, first, request, pipeline.decoder.Type, keep, timed);
        }

        pipeline.estimate = request => EstimateOf(request, timed: true);
        pipeline.batchSize = request => EstimateOf(request, timed: false).BatchSize;
        if (options.PriorFolder is not { } prior) return pipeline;
        try
        {
            if (elsewhere is not null && pipeline.decoder is not StableUnClipDecoder)
            {
                // The whole first half was opened from there, and its prior is read when it is needed.
                pipeline.PriorFromElsewhere = PriorFolder.KindOf(elsewhere.Of("prior"));
                pipeline.embedder.Priors.ComesFrom(pipeline.PriorFromElsewhere.Value, elsewhere.Name);
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

    /// <summary>Takes a prior from another folder in place of the model's own of that kind; a request then asks for the kind.</summary>
    /// <param name="folder">A prior's folder (<c>config.json</c> and weights), or a pipeline's, of which the component <c>prior</c> is taken.</param>
    /// <returns>The prior's kind.</returns>
    /// <exception cref="CheckpointNotFoundException">The folder holds no prior.</exception>
    /// <exception cref="WeightsException">Its embedding space is not that of this model, or a file is damaged.</exception>
    public PriorKind UsePrior(string folder)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        return (PriorFromElsewhere = embedder.UsePrior(folder)).Value;
    }

    /// <summary>What a picture will take on this machine; takes about a second, and reads no weights.</summary>
    /// <param name="request">What is to be drawn.</param>
    /// <exception cref="ArgumentException">The request has a value out of its range.</exception>
    public GenerationEstimate Estimate(GenerationRequest request) =>
        estimate?.Invoke(Complete(request)) ?? throw new InvalidOperationException($"{Name} was not opened from a folder, so nothing is known of its sizes.");

    /// <summary>Draws a picture.</summary>
    /// <param name="request">What to draw.</param>
    /// <param name="progress">Called after every step.</param>
    /// <param name="trace">Gets every stage when given.</param>
    /// <param name="cancellation">Stops between two steps.</param>
    /// <exception cref="ArgumentException">The request has a value out of its range, or the size is not one of the model's.</exception>
    /// <exception cref="InvalidOperationException">The folder has no prior of the kind that was asked for.</exception>
    public GenerationResult Generate(
        GenerationRequest request, Action<GenerationProgress>? progress = null, GenerationTrace? trace = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        return DrawBatch([Complete(request)], progress, trace, cancellation)[0];
    }

    /// <summary>
    /// Draws many pictures. Neighbours that differ in prompt, negative prompt and seed alone share the calls of the denoiser, as many as half of the free memory
    /// has room for, at most <see cref="LargestBatch"/>. Each has the noise that it has when it is drawn alone; the products of a batch may round otherwise, so
    /// that bytes may differ by 1 of 255.
    /// </summary>
    /// <param name="requests">What to draw.</param>
    /// <param name="progress">Called after every step of every batch.</param>
    /// <param name="cancellation">Stops between two steps; what was returned before stays.</param>
    /// <returns>The pictures in the order of the requests, batch by batch; seconds are a picture's share of those of its batch.</returns>
    /// <exception cref="ArgumentException">A request has a value out of its range; nothing is drawn.</exception>
    /// <exception cref="InvalidOperationException">The folder has no prior of the kind that was asked for; nothing is drawn.</exception>
    public IEnumerable<GenerationResult> GenerateMany(
        IEnumerable<GenerationRequest> requests, Action<GenerationProgress>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(requests);
        GenerationRequest[] complete = [.. requests.Select(request => Complete(request))];
        return Batches();

        IEnumerable<GenerationResult> Batches()
        {
            for (var from = 0; from < complete.Length;)
            {
                // The memory of a picture is estimated once for all neighbours alike.
                var alike = complete[from..].TakeWhile(request => SharesBatch(request, complete[from])).ToArray();
                var size = alike.Length == 1 ? 1 : Math.Min(LargestBatch, batchSize?.Invoke(alike[0]) ?? LargestBatch);
                foreach (var batch in alike.Chunk(size))
                    foreach (var result in DrawBatch(batch, progress, null, cancellation)) yield return result;
                from += alike.Length;
            }
        }
    }

    /// <summary>True of requests that differ in prompt, negative prompt and seed alone, and whose conditions can stand in one batch.</summary>
    private bool SharesBatch(GenerationRequest request, GenerationRequest first) => ReferenceEquals(request, first)
        || (request with { Prompt = first.Prompt, Negative = first.Negative, Seed = first.Seed } == first
            && request.ClipGuidance is null && embedder.DrawsInBatches(request) && embedder.DrawsInBatches(first));

    private GenerationResult[] DrawBatch(
        GenerationRequest[] requests, Action<GenerationProgress>? progress, GenerationTrace? trace, CancellationToken cancellation)
    {
        var request = requests[0];
        using var guard = no_grad();
        using var scope = NewDisposeScope();
        using var noise = new Noise(requests.Select(each => unchecked((long)each.Seed)));
        var (seconds, clock) = (new Dictionary<string, double>(), Stopwatch.StartNew());

        var notes = new List<RunNote>();
        var drawn = embedder.Draw(requests, noise, Report(progress, "prior"), trace, Note, cancellation);
        seconds["text"] = drawn.TextSeconds;
        trace?.Add("image embedding", drawn.Image, new { cosine_to_text = ClipNetwork.Cosine(drawn.Image, drawn.Text) });
        Lap(seconds, "prior", clock);
        seconds["prior"] -= drawn.TextSeconds;

        var conditions = new DecoderConditions(drawn.Image)
        {
            Prompts = [.. requests.Select(each => each.Prompt)], Negatives = [.. requests.Select(each => each.Negative)],
            NegativeImage = drawn.Negative, Hint = Depth(request),
        };
        var stage = "decoder";
        var run = Run(request) with
        {
            Trace = trace, Cancellation = cancellation, Note = Note, Report = p =>
            {
                if (p.Stage != stage) Lap(seconds, stage, clock);
                stage = p.Stage;
                progress?.Invoke(p);
            },
        };
        using var tower = request.ClipGuidance is null ? null : embedder.HoldImages();
        if (request.ClipGuidance is { } pull)
        {
            conditions = conditions with { WithoutEmbedding = pull.Alone };
            run = run with { Pull = Towards(drawn.Text, pull.Scale), Guidance = pull.Alone ? 1 : run.Guidance };
        }

        var images = ImageTensors.ToImages(decoder.Draw(conditions, run, noise));
        trace?.Add("picture", images[0]);
        Lap(seconds, stage, clock);
        var scores = Scores(drawn.Text, images);
        var share = seconds.ToDictionary(spent => spent.Key, spent => spent.Value / requests.Length);
        return
        [
            .. images.Select((image, i) => new GenerationResult(image, requests[i], scores?[i], share)
            {
                PriorFrom = embedder.Priors.From(request.Prior), Precision = Precision, Threads = TorchRuntime.Threads, Notes = notes,
            }),
        ];

        // Prior and decoder read the same prompt, as a rule with the same tokenizer.
        void Note(RunNote note)
        {
            if (!notes.Contains(note)) notes.Add(note);
        }
    }

    /// <summary>Texts whose embeddings lie nearest to that of a prompt, by cosine.</summary>
    /// <param name="prompt">The prompt.</param>
    /// <param name="texts">Texts to choose from.</param>
    /// <param name="count">How many, the nearest first.</param>
    /// <exception cref="InvalidOperationException">The model has no text encoder.</exception>
    public IReadOnlyList<string> NearestTexts(string prompt, IReadOnlyList<string> texts, int count)
    {
        ArgumentNullException.ThrowIfNull(texts);
        using var guard = inference_mode();
        using var scope = NewDisposeScope();
        var cosines = ClipNetwork.Unit(embedder.EncodeTexts(texts)).mv(ClipNetwork.Unit(embedder.EncodeTexts([prompt]))[0]);
        return [.. cosines.topk(Math.Min(count, texts.Count)).indexes.data<long>().ToArray().Select(i => texts[(int)i])];
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        embedder.Dispose();
        decoder.Dispose();
    }

    /// <summary>The request with the model's own values where it was silent.</summary>
    /// <exception cref="ArgumentException">The size is not one of the model's.</exception>
    internal GenerationRequest Complete(GenerationRequest request, bool promptNeeded = true)
    {
        request.Check(promptNeeded);
        if (request.Size is { } size) RequireSize(size);
        if (request.UpsamplerSteps is not null && (UpsampledSize is null || request.Size != UpsampledSize) && decoder is not KarloDecoder)
        {
            throw new ArgumentException(UpsampledSize is { } made
                ? $"Upsampler steps were given, but the upsampler of {Name} makes pictures of {made} pixels; ask for that size, or leave the steps out."
                : $"Upsampler steps were given, but {Name} has no upsampler (component {Upsampler.First}); leave them out.");
        }

        var takesDepth = decoder is KandinskyDecoder { HasControl: true };
        if (takesDepth && request.DepthMap is null) throw new ArgumentException($"{Name} draws along a depth map: name the file of one (--depth-map), light where things are near.");
        if (!takesDepth && request.DepthMap is not null) throw new ArgumentException($"{Name} looks at no depth map; leave it out, or name a model that draws along one, such as kandinsky-2.2-controlnet-depth.");
        if (request.OnlyGuess && !decoder.HasGuess)
            throw new ArgumentException($"{Name} has no first guess (component {FirstGuessConfig.Component}); leave --only-guess out, or name a model that has one, such as mini.");
        if (promptNeeded && request.Prior != PriorKind.None && embedder.Priors.Kinds.All(kind => kind == PriorKind.None))
            throw new InvalidOperationException($"{Name} has no prior: it varies pictures (vary), but draws none from text. Name a model that has one (--prior).");
        if (promptNeeded) embedder.Priors.Require(request.Prior);
        if (request.ClipGuidance is not null) embedder.RequireImages();
        return request with
        {
            Steps = request.Steps ?? defaults.Steps,
            Guidance = request.Guidance ?? defaults.Guidance,
            PriorSteps = request.PriorSteps ?? defaults.PriorSteps,
            PriorGuidance = request.PriorGuidance ?? embedder.Priors.GuidanceOf(request.Prior) ?? defaults.PriorGuidance,
            Size = request.Size ?? Size,
            UpsamplerSteps = decoder is KarloDecoder || (request.Size is { } asked && asked == UpsampledSize) ? request.UpsamplerSteps ?? defaults.UpsamplerSteps : null,
        };
    }

    /// <summary>The depth map of a request, [1, 3, h, w] in [0, 1], or null.</summary>
    internal static Tensor? Depth(GenerationRequest request) => request.DepthMap is { } file ? ImageTensors.FromImage(RgbImage.LoadUpright(file)).add(1).div(2) : null;

    /// <summary>How the decoder runs for a request that is complete.</summary>
    internal static DecoderRun Run(GenerationRequest request) => new(request.Steps!.Value, request.Guidance!.Value)
    {
        Height = request.Size!.Value, Width = request.Size.Value, Eta = request.Eta, UpsamplerSteps = request.UpsamplerSteps, OnlyGuess = request.OnlyGuess,
    };

    /// <summary>A pull towards a text embedding.</summary>
    /// <param name="text">[1, features]</param>
    /// <param name="scale">How strong it is.</param>
    internal PicturePull Towards(Tensor text, double scale)
    {
        var target = ClipNetwork.Unit(text);
        return new PicturePull(pixels => (ClipNetwork.Unit(embedder.EncodePixels(pixels)) * target).sum(-1), scale);
    }

    /// <summary>Cosine between a text's and an image's embedding; null where the model has no image encoder.</summary>
    /// <param name="text">[1, features]</param>
    /// <param name="picture">The image.</param>
    internal double? Score(Tensor text, RgbImage picture) => Scores(text, [picture])?[0];

    private double[]? Scores(Tensor texts, IReadOnlyList<RgbImage> pictures)
    {
        if (!embedder.HasPictures) return null;
        var embeddings = embedder.EncodeImages(pictures);
        return [.. pictures.Select((_, i) => ClipNetwork.Cosine(embeddings.narrow(0, i, 1), texts.narrow(0, i, 1)))];
    }

    private static Tensors.Precision FormatOf(ScalarType type) => type == ScalarType.BFloat16 ? Tensors.Precision.Bf16 : Tensors.Precision.Fp32;

    private void RequireSize(int size)
    {
        if (!decoder.HasFreeSize && size != Size) throw new ArgumentException($"The size {size} does not fit: {Name} draws pictures of {Size} alone.");
        var step = decoder.SizeStep;
        if (size >= step && size % step == 0 && size <= LargestSize) return;
        var below = Math.Clamp(size / step * step, step, LargestSize);
        throw new ArgumentException(
            $"The size {size} does not fit: it has to be a multiple of {step} from {step} to {LargestSize}; use {below} or {Math.Min(below + step, LargestSize)}. The model was made for {Size}{(UpsampledSize is { } large ? $", and its upsampler for {large}" : "")}.");
    }

    private static Action<int, int>? Report(Action<GenerationProgress>? progress, string stage) =>
        progress is null ? null : (step, of) => progress(new GenerationProgress(stage, step, of));

    private static void Lap(Dictionary<string, double> seconds, string stage, Stopwatch clock)
    {
        seconds[stage] = clock.Elapsed.TotalSeconds;
        clock.Restart();
    }
}
