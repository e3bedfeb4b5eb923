using Alebrije.Models.Clip;
using Alebrije.Pipelines.Denoising;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Preprocessing;
using Alebrije.Tensors;
using static TorchSharp.torch;

namespace Alebrije.Pipelines.Experiments;

/// <summary>A text or image with its image embedding.</summary>
/// <param name="Image">[1, features]</param>
/// <param name="Label">Label on a sheet.</param>
internal sealed record EmbeddedPart(Tensor Image, string Label)
{
    /// <summary>[1, features]: embedding that guidance leads away from; null: that of the decoder.</summary>
    public Tensor? Negative { get; init; }

    /// <summary>[1, features]: the text embedding, or null for images.</summary>
    public Tensor? Text { get; init; }

    /// <summary>The image, or null for texts.</summary>
    public RgbImage? Picture { get; init; }

    /// <summary>The image as a sheet shows it.</summary>
    public (RgbImage Image, string Label) Given => (Picture ?? throw new InvalidOperationException("A text has no image."), Label);
}

/// <summary>The steps that experiments are made of, for one model and one experiment.</summary>
internal sealed class Drawing(ImagePipeline pipeline, PictureExperiment experiment,
    Action<int, int, GenerationProgress>? progress, CancellationToken cancellation)
{
    /// <summary>Keeps the noise of a whole experiment apart from that of its images.</summary>
    private const ulong NoiseStream = 0x9E3779B97F4A7C15;

    private readonly HashSet<RunNote> notes = [];

    public PictureExperiment Experiment => experiment;

    /// <summary>Notes on the run for the user, each sentence once.</summary>
    public IReadOnlyCollection<RunNote> Notes => notes;

    /// <summary>False of models that draw from text alone.</summary>
    public bool HasEmbeddings => pipeline.HasPrior;

    /// <summary>A text through the prior, or an image through the image encoder.</summary>
    public EmbeddedPart Embed(ExperimentPart part) => Embed(part, experiment.Request);

    /// <summary>As above, with other settings of the prior.</summary>
    public EmbeddedPart Embed(ExperimentPart part, GenerationRequest request)
    {
        if (part.Text is { } text)
        {
            using var noise = new Noise(unchecked((long)request.Seed));
            var drawn = pipeline.DrawEmbedding([request with { Prompt = text }], noise, Listeners(0, 1));
            return new EmbeddedPart(drawn.Image, part.Label) { Negative = drawn.Negative, Text = drawn.Text };
        }

        var picture = Load(part.Picture!);
        return new EmbeddedPart(pipeline.Embedder.EncodeImages([picture]),
            part.Label) { Negative = pipeline.Embedder.Negative(), Picture = picture };
    }

    /// <summary>Text embeddings, [texts, features].</summary>
    public Tensor Texts(IReadOnlyList<string> texts) => pipeline.Embedder.EncodeTexts(texts, Tell);

    /// <summary>Image embeddings of files, [files, features]; unreadable files are left out and reported.</summary>
    /// <exception cref="ImageFormatException">None of them can be read.</exception>
    public Tensor Pictures(IReadOnlyList<string> files)
    {
        var rows = new List<Tensor>();
        foreach (var file in files)
        {
            cancellation.ThrowIfCancellationRequested();
            try
            {
                rows.Add(pipeline.Embedder.EncodeImages([Load(file)]));
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                var (reason, start) = (ErrorSentence.Of(e), file + " is ");
                Tell(new SkippedPictureNote(file, reason.StartsWith(start, StringComparison.Ordinal) ? reason[start.Length..] : reason));
            }
        }

        if (rows.Count == 0) throw new ImageFormatException($"None of the {files.Count} images can be read; the first is {files[0]}.");
        return cat(rows);
    }

    /// <summary>A file's image, rotated by its EXIF orientation.</summary>
    public static RgbImage Load(string file) => RgbImage.LoadUpright(file);

    /// <summary>The noise that an image of a part comes from.</summary>
    public Tensor Invert(EmbeddedPart part) => Invert(part.Given.Image, part.Image, part.Negative);

    /// <summary>The noise that an image comes from (DDIM inversion).</summary>
    /// <param name="picture">The image.</param>
    /// <param name="image">[1, features]: its embedding; null for models that draw from text alone.</param>
    /// <param name="negative">[1, features]: negative image embedding, or null.</param>
    public Tensor Invert(RgbImage picture, Tensor? image = null, Tensor? negative = null)
    {
        var request = experiment.Request with { From = ImageInput.Of(picture) };
        return pipeline.Invert(request, new DrawConditions([request.Prompt]) { Image = image, NegativeImage = negative }, Listeners(0, 1));
    }

    /// <summary>One noise for all images of an experiment.</summary>
    public Tensor Noise()
    {
        using var noise = new Noise(unchecked((long)(experiment.Request.Seed ^ NoiseStream)));
        return noise.Randn(pipeline.StartShape(experiment.Request));
    }

    /// <summary>Draws one image of an embedding.</summary>
    /// <param name="image">[1, features]; null for models that draw from text alone.</param>
    /// <param name="negative">[1, features]: negative image embedding, or null.</param>
    /// <param name="request">Seed, steps, guidance, eta.</param>
    /// <param name="start">Noise to start from; null draws it.</param>
    /// <param name="number">Number of the image, for progress.</param>
    /// <param name="count">Total number.</param>
    /// <param name="repaint">An image and the mask of its region that is repainted.</param>
    /// <param name="towards">Other text, and the path to it from that of the request.</param>
    public RgbImage Picture(
        Tensor? image, Tensor? negative, GenerationRequest request, Tensor? start,
        int number, int count, (RgbImage Picture, PillowImage Mask)? repaint = null,
        (IReadOnlyList<string> Prompts, Func<Tensor, Tensor, Tensor> Path)? towards = null)
    {
        using var scope = NewDisposeScope();
        using var noise = new Noise(unchecked((long)request.Seed));
        var given = new DrawConditions([request.Prompt]) { Image = image, NegativeImage = negative, Towards = towards };
        if (repaint is var (picture, mask)) request = request with { From = ImageInput.Of(picture), Mask = ImageInput.Of(mask.ToRgb()) };
        var drawn = ImageTensors.ToImages(pipeline.Draw([request], noise, given, start, Listeners(number, count)).Pixels)[0];
        return repaint is var (whole, cut) && cut is not null ? ImageTensors.Composed(drawn, whole, cut) : drawn;
    }

    /// <summary>An image with its label and its cosines to its sources.</summary>
    public ExperimentPicture Labelled(RgbImage picture, string label, params EmbeddedPart[] parts)
    {
        var numbers = new Dictionary<string, double>();
        if (pipeline.HasImageEncoder)
        {
            using var scope = NewDisposeScope();
            var own = pipeline.Embedder.EncodeImages([picture]);
            foreach (var part in parts)
            {
                var name = $"cosine to {part.Label}";
                for (var n = 2; numbers.ContainsKey(name); n++) name = $"cosine to {part.Label} ({n})";
                numbers[name] = ClipNetwork.Cosine(own, part.Text ?? part.Image);
            }
        }

        return new ExperimentPicture(picture, label, numbers);
    }

    private void Tell(RunNote note) => notes.Add(note);

    private DrawListeners Listeners(int number, int count) =>
        new() { Progress = p => progress?.Invoke(number, count, p), Note = Tell, Cancellation = cancellation };
}
