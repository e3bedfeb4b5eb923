namespace Alebrije.Server.Jobs;

/// <summary>State of a job.</summary>
internal enum JobState
{
    /// <summary>It waits for its turn.</summary>
    Queued,

    /// <summary>It is drawn.</summary>
    Running,

    /// <summary>All images are there.</summary>
    Completed,

    /// <summary>It failed; the message is the job's.</summary>
    Failed,

    /// <summary>It was canceled.</summary>
    Canceled,
}

/// <summary>An event of a job.</summary>
/// <param name="Id">Number from 1.</param>
/// <param name="Kind"><c>queued</c>, <c>started</c>, <c>progress</c>, <c>preview</c>, <c>image</c>, or a final state.</param>
/// <param name="Stage">Stage of the progress, or null.</param>
/// <param name="Step">Steps done, or the image's number.</param>
/// <param name="Of">Steps of the stage, or images.</param>
internal sealed record JobEvent(int Id, string Kind, string? Stage = null, int Step = 0, int Of = 0)
{
    /// <summary>PNG of a preview; null otherwise.</summary>
    public byte[]? Png { get; init; }
}

/// <summary>A finished image.</summary>
/// <param name="Image">The image at the size of the answer.</param>
/// <param name="Seed">Its seed.</param>
/// <param name="Text">Text chunks of its file.</param>
/// <param name="ClipScore">Cosine to the prompt; null where no CLIP scores.</param>
internal sealed record JobImage(
    Preprocessing.Imaging.RgbImage Image, ulong Seed, IReadOnlyDictionary<string, string> Text, double? ClipScore)
{
    private byte[]? png;

    /// <summary>Label of an experiment's image; null otherwise.</summary>
    public string? Label { get; init; }

    /// <summary>Cosines of an experiment's image to its inputs, in order.</summary>
    public IReadOnlyList<double> Cosines { get; init; } = [];

    /// <summary>Its PNG file, with the recipe.</summary>
    public byte[] Png => png ??= Image.ToPng(Text);
}
