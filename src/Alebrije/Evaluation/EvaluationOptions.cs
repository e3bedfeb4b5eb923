namespace Alebrije.Evaluation;

/// <summary>Parts of an evaluation, in order.</summary>
public enum EvaluationPart
{
    /// <summary>Text and image encoder: zero-shot naming and retrieval.</summary>
    Clip,

    /// <summary>Autoencoder: reconstruction error.</summary>
    Autoencoder,

    /// <summary>Priors: from text to image embedding.</summary>
    Prior,

    /// <summary>Decoder: images generated from text by the whole pipeline.</summary>
    Decoder,

    /// <summary>Upsampler: enlargement of small images.</summary>
    Upsampler,

    /// <summary>A Flamingo: captions and answers. Evaluated by <see cref="FlamingoEvaluation"/> alone.</summary>
    Flamingo,
}

/// <summary>Progress of an evaluation.</summary>
/// <param name="Part">The part evaluated.</param>
/// <param name="Doing">Short description of the activity.</param>
/// <param name="Done">Count done.</param>
/// <param name="Of">Total.</param>
public sealed record EvaluationProgress(EvaluationPart Part, string Doing, int Done, int Of);

/// <summary>Options of an evaluation.</summary>
public sealed record EvaluationOptions
{
    /// <summary>Default of <see cref="Count"/>.</summary>
    public const int DefaultCount = 1000;

    /// <summary>Parts to evaluate.</summary>
    public IReadOnlyCollection<EvaluationPart> Parts { get; init; } = Enum.GetValues<EvaluationPart>();

    /// <summary>Scenes per zero-shot figure of CLIP, 1 to 100,000; costlier figures use a share (<see cref="EvaluationSizes"/>).</summary>
    public int Count { get; init; } = DefaultCount;

    /// <summary>Seed of scenes, draws and noise: the same seed gives the same figures.</summary>
    public ulong Seed { get; init; } = 1;

    /// <summary>Folder for contact sheets of the generated images; null writes none.</summary>
    public string? Folder { get; init; }

    /// <summary>Images generated per core concept for the model's record, 0 to 16.</summary>
    public int PicturesPerConcept { get; init; }

    /// <summary>True if the part <c>prior</c> also generates and classifies images by every prior (<c>priors.png</c>).</summary>
    public bool DrawsByPrior { get; init; }

    /// <summary>Called after each batch.</summary>
    public Action<EvaluationProgress>? OnProgress { get; init; }

    /// <exception cref="ArgumentException">A value is out of its range.</exception>
    internal void Check()
    {
        if (Count is < 1 or > 100_000) throw new ArgumentException($"The count is {Count}; it has to lie between 1 and 100,000.");
        if (PicturesPerConcept is < 0 or > 16)
            throw new ArgumentException($"The number of images per concept is {PicturesPerConcept}, but must be between 0 and 16.");
    }
}

/// <summary>Sample sizes, all derived from one count; generating an image costs a hundred times as much as classifying one.</summary>
public sealed record EvaluationSizes
{
    private EvaluationSizes(int count)
    {
        Singles = count;
        Pairs = Math.Max(Candidates, count);
        Pictures = Share(count, 128);
        Enlarged = Share(count, 64);
        Prior = Math.Max(Candidates, Share(count, 300));
        KnownPairs = Math.Clamp(Share(count, 4096), 256, 4096);
        Core = Share(count, 64);
        All = Share(count, 48);
        Duets = Share(count, 32);
    }

    /// <summary>Candidates per retrieval.</summary>
    public const int Candidates = 100;

    /// <summary>Scenes of one object for zero-shot naming.</summary>
    public int Singles { get; }

    /// <summary>Pairs of scene and caption for retrieval, at least one draw of candidates.</summary>
    public int Pairs { get; }

    /// <summary>Images for the autoencoder.</summary>
    public int Pictures { get; }

    /// <summary>Images for the upsampler.</summary>
    public int Enlarged { get; }

    /// <summary>Captions for the priors, at least one draw of candidates.</summary>
    public int Prior { get; }

    /// <summary>Training pairs for the baselines of the prior.</summary>
    public int KnownPairs { get; }

    /// <summary>Prompts of core concepts, each generated in four ways.</summary>
    public int Core { get; }

    /// <summary>Prompts of all concepts.</summary>
    public int All { get; }

    /// <summary>Prompts of held-out pairs.</summary>
    public int Duets { get; }

    /// <summary>Sample sizes of a count.</summary>
    public static EvaluationSizes For(int count) => new(count);

    private static int Share(int count, int ofThousand) => Math.Max(8, (int)((long)count * ofThousand / EvaluationOptions.DefaultCount));
}
