using System.Text.Json.Serialization;
using Alebrije.Preprocessing.Imaging;

namespace Alebrije.Pipelines.Experiments;

/// <summary>Experiments of the DALL-E 2 paper, one kind for each of its figures.</summary>
public enum ExperimentKind
{
    /// <summary>Images that share an image's embedding (§3.1).</summary>
    Vary,

    /// <summary>Images on the way from one embedding to another (§3.2).</summary>
    Interpolate,

    /// <summary>An image of a weighted mixture of texts and images.</summary>
    Mix,

    /// <summary>An image turned towards the difference of two texts (§3.3).</summary>
    TextDiff,

    /// <summary>An image rebuilt from more and more of its principal components (§4).</summary>
    PcaReconstruct,

    /// <summary>Inpainting of a part of an image.</summary>
    Inpaint,

    /// <summary>One prompt under several guidance scales of decoder and prior (§5.2).</summary>
    Sweep,
}

/// <summary>Something that is mixed or stands at an end of a path: a text, for which the prior draws an embedding, or an image.</summary>
/// <param name="Text">The text, or null.</param>
/// <param name="Picture">Path of the image, or null.</param>
/// <param name="Weight">Its share in a mixture.</param>
public sealed record ExperimentPart(string? Text, string? Picture, double Weight = 1)
{
    /// <summary>Label on a sheet.</summary>
    [JsonIgnore]
    public string Label => Text ?? Path.GetFileNameWithoutExtension(Picture!);
}

/// <summary>
/// An experiment as a user requests it. Everything that determines its images is here, so that a file that holds it can be made again.
/// </summary>
public sealed record PictureExperiment
{
    /// <summary>The experiment of the paper to run.</summary>
    public required ExperimentKind Kind { get; init; }

    /// <summary>Texts and images: one, or two for a path, or any number for a mixture.</summary>
    public IReadOnlyList<ExperimentPart> Parts { get; init; } = [];

    /// <summary>Seed, steps, guidance, size. The prompt conditions the decoder; only a sweep requires it.</summary>
    public required GenerationRequest Request { get; init; }

    /// <summary>Number of images: variations, or positions on a path with both ends.</summary>
    public int Count { get; init; } = 5;

    /// <summary>Text differences: description of the image.</summary>
    public string? From { get; init; }

    /// <summary>Text differences: the target text.</summary>
    public string? To { get; init; }

    /// <summary>Text differences: rotation of the last image, from 0 to 1; the paper goes to between 0.25 and 0.5.</summary>
    public double Amount { get; init; } = 0.5;

    /// <summary>Paths: along a straight line instead of the sphere.</summary>
    public bool Straight { get; init; }

    /// <summary>True if the initial noise is found by DDIM inversion of the images, instead of drawn.</summary>
    public bool Invert { get; init; } = true;

    /// <summary>Principal components: number kept in each image; empty takes the powers of two, and all.</summary>
    public IReadOnlyList<int> Components { get; init; } = [];

    /// <summary>
    /// Principal components: images whose embeddings define the components; empty: those of the model.
    /// </summary>
    public IReadOnlyList<string> BasisPictures { get; init; } = [];

    /// <summary>Sweeps: guidance scales of the decoder, the columns.</summary>
    public IReadOnlyList<double> Guidances { get; init; } = [];

    /// <summary>Sweeps: guidance scales of the prior, the rows; one row for models without a prior.</summary>
    public IReadOnlyList<double> PriorGuidances { get; init; } = [];

    /// <summary>Sweeps: steps of the decoder, 1 to 1000 each, with rows of their own; empty takes those of <see cref="Request"/>.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<int>? StepCounts { get; init; }

    /// <summary>Inpainting: path of an image that is bright where the other is redrawn.</summary>
    public string? Mask { get; init; }

    /// <summary>Checks the values alone, not whether the model supports them.</summary>
    /// <exception cref="ArgumentException">Something is missing or out of its range.</exception>
    public void Check()
    {
        Request.Check(promptNeeded: Kind == ExperimentKind.Sweep);
        var (least, most) = Kind switch
        {
            ExperimentKind.Interpolate => (2, 2),
            ExperimentKind.Mix => (1, 64),
            ExperimentKind.Sweep => (0, 0),
            _ => (1, 1),
        };
        if (Parts.Count < least || Parts.Count > most)
            throw new ArgumentException(
                $"{Parts.Count} texts and images were given; "
                    + $"this experiment takes {(least == most ? $"{least}" : $"{least} to {most}")}.");
        if (Kind is ExperimentKind.Vary or ExperimentKind.TextDiff or ExperimentKind.PcaReconstruct or ExperimentKind.Inpaint
            && Parts[0].Picture is null)
            throw new ArgumentException($"'{Parts[0].Text}' is not an image: this experiment takes the path of one.");
        if (Count is < 1 or > 1000) throw new ArgumentException($"The number of images is {Count}, but must be between 1 and 1000.");
        if (Kind is ExperimentKind.TextDiff && (string.IsNullOrWhiteSpace(From) || string.IsNullOrWhiteSpace(To)))
            throw new ArgumentException("A difference needs two texts: what is in the image and what is wanted.");
        if (Amount is not (> 0 and <= 1))
            throw new ArgumentException($"The amount is {Amount}; it has to lie above 0 and be at most 1 (0.25 to 0.5 in the paper).");
        foreach (var scale in Guidances) GenerationRequest.Scale(scale, "guidance");
        foreach (var scale in PriorGuidances) GenerationRequest.Scale(scale, "prior guidance");
        if (Parts.FirstOrDefault(part => !double.IsFinite(part.Weight)) is { } odd)
            throw new ArgumentException($"The weight of '{odd.Label}' is {odd.Weight}; weights are numbers.");
        if (Kind == ExperimentKind.Mix && (Parts.All(part => part.Weight == 0) || Parts.Sum(part => part.Weight) <= 0))
            throw new ArgumentException("The weights of a mixture have to sum to more than 0.");
        if (Kind == ExperimentKind.Inpaint && Mask is null)
            throw new ArgumentException("Inpainting needs a mask: an image that is bright where the other is redrawn.");
        var rows = PriorGuidances.Count * (StepCounts is { Count: > 0 } counts ? counts.Count : 1);
        if (Kind == ExperimentKind.Sweep && Guidances.Count * rows is < 1 or > 400)
            throw new ArgumentException(
                $"A sweep has rows and columns, 1 to 400 images in all, not {Guidances.Count} x {rows}.");
        foreach (var steps in StepCounts ?? []) (Request with { Steps = steps }).Check(promptNeeded: false);
        if (Components.Any(kept => kept < 0)) throw new ArgumentException("Numbers of components are 0 or more.");
    }
}

/// <summary>An image of an experiment.</summary>
/// <param name="Image">The image.</param>
/// <param name="Label">Label below it on the sheet.</param>
/// <param name="Numbers">Its place and its similarity to the inputs, by name: cosines, shares, scales.</param>
public sealed record ExperimentPicture(RgbImage Image, string Label, IReadOnlyDictionary<string, double> Numbers);

/// <summary>Result of an experiment.</summary>
/// <param name="Experiment">The experiment, with every default filled in.</param>
/// <param name="Given">The images that it began from, with their labels; they come first on the sheet.</param>
/// <param name="Pictures">The images that were drawn.</param>
/// <param name="Columns">Images in a row of the sheet.</param>
public sealed record ExperimentResult(
    PictureExperiment Experiment, IReadOnlyList<(RgbImage Image, string Label)> Given,
    IReadOnlyList<ExperimentPicture> Pictures, int Columns)
{
    /// <summary>Origin of the prior; null for the model's own.</summary>
    public string? PriorFrom { get; init; }

    /// <summary>Floating-point formats used by the generation.</summary>
    public PipelinePrecision? Precision { get; init; }

    /// <summary>Threads that computed them.</summary>
    public int? Threads { get; init; }

    /// <summary>Notes of the run for its user; empty as a rule.</summary>
    public IReadOnlyList<RunNote> Notes { get; init; } = [];

    /// <summary>The single file that the model was loaded from, hashed on first use; null for folders.</summary>
    public ModelFile? ModelFile => Single?.Value;

    internal Lazy<ModelFile>? Single { get; init; }

    /// <summary>All images with their labels on one sheet.</summary>
    /// <param name="title">A line above, or null.</param>
    public RgbImage Sheet(string? title = null) => PictureSheet.Draw(
        [.. Given.Select(given => given.Image), .. Pictures.Select(picture => picture.Image)],
        [.. Given.Select(given => given.Label), .. Pictures.Select(picture => picture.Label)],
        new PictureSheetOptions { Columns = Columns, Title = title,
            CellSize = Math.Max(128, Pictures.Max(picture => picture.Image.Width)) });
}
