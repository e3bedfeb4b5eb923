namespace Alebrije.Evaluation;

/// <summary>What can be evaluated, in the order of evaluation.</summary>
public enum EvaluationPart
{
    /// <summary>Text and image encoder: zero-shot naming and retrieval.</summary>
    Clip,

    /// <summary>Autoencoder: what is lost between picture and latents.</summary>
    Autoencoder,

    /// <summary>Priors: from text to image embedding.</summary>
    Prior,

    /// <summary>Pictures drawn from text by the whole chain.</summary>
    Decoder,

    /// <summary>Upsampler: large pictures of small ones.</summary>
    Upsampler,
}

/// <summary>What is told while an evaluation goes on.</summary>
/// <param name="Part">What is evaluated.</param>
/// <param name="Doing">What is being done, in a few words.</param>
/// <param name="Done">How many are done.</param>
/// <param name="Of">Of how many.</param>
public sealed record EvaluationProgress(EvaluationPart Part, string Doing, int Done, int Of);

/// <summary>What to evaluate and how thoroughly.</summary>
public sealed record EvaluationOptions
{
    /// <summary>Scenes per figure of CLIP when nothing else is asked.</summary>
    public const int DefaultCount = 1000;

    /// <summary>Parts to evaluate.</summary>
    public IReadOnlyCollection<EvaluationPart> Parts { get; init; } = Enum.GetValues<EvaluationPart>();

    /// <summary>Scenes behind each zero-shot figure of CLIP, 1 to 100,000; the costlier figures take a fixed share of it (<see cref="EvaluationSizes"/>).</summary>
    public int Count { get; init; } = DefaultCount;

    /// <summary>Seed of scenes, draws and noise: the same seed gives the same figures.</summary>
    public ulong Seed { get; init; } = 1;

    /// <summary>Folder for sheets of what was drawn; null writes none.</summary>
    public string? Folder { get; init; }

    /// <summary>Pictures drawn of every core concept for the model's record, 0 to 16; 0 draws none.</summary>
    public int PicturesPerConcept { get; init; }

    /// <summary>Whether pictures are also drawn by every prior, judged, and put side by side as <c>priors.png</c>; goes with the part <c>prior</c>.</summary>
    public bool DrawsByPrior { get; init; }

    /// <summary>Told after every batch.</summary>
    public Action<EvaluationProgress>? OnProgress { get; init; }

    /// <exception cref="ArgumentException">A value is out of its range.</exception>
    internal void Check()
    {
        if (Count is < 1 or > 100_000) throw new ArgumentException($"The count is {Count}; it has to lie between 1 and 100,000.");
        if (PicturesPerConcept is < 0 or > 16)
            throw new ArgumentException($"{PicturesPerConcept} pictures per concept were asked for; ask for 0 to 16.");
    }
}

/// <summary>Numbers of samples, all from one count; drawing a picture costs a hundred times what naming one does.</summary>
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

    /// <summary>Scenes that a text is looked for among.</summary>
    public const int Candidates = 100;

    /// <summary>Scenes of one object that CLIP names.</summary>
    public int Singles { get; }

    /// <summary>Pairs of scene and caption for retrieval, at least one draw of candidates.</summary>
    public int Pairs { get; }

    /// <summary>Pictures for the autoencoder.</summary>
    public int Pictures { get; }

    /// <summary>Pictures for the upsampler.</summary>
    public int Enlarged { get; }

    /// <summary>Captions for the priors, at least one draw of candidates.</summary>
    public int Prior { get; }

    /// <summary>Training pairs behind the baselines of the prior.</summary>
    public int KnownPairs { get; }

    /// <summary>Prompts of core concepts, each drawn in four ways.</summary>
    public int Core { get; }

    /// <summary>Prompts of all concepts.</summary>
    public int All { get; }

    /// <summary>Prompts of held-out pairs.</summary>
    public int Duets { get; }

    /// <summary>The numbers for a count.</summary>
    public static EvaluationSizes For(int count) => new(count);

    private static int Share(int count, int ofThousand) => Math.Max(8, (int)((long)count * ofThousand / EvaluationOptions.DefaultCount));
}
