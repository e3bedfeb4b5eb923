using Alebrije.Tensors;

namespace Alebrije.Training;

/// <summary>What a classifier is fine-tuned on, and how.</summary>
/// <param name="Images">Folder of folders named after the classes.</param>
/// <param name="Model">Folder of a run of <c>train clip</c>, a packed model such as <c>mini</c>, or a published CLIPModel.</param>
public sealed record ClassifierOptions(string Images, string Model)
{
    /// <summary>
    /// Pictures in the same classes that are measured on; null keeps a share of <see cref="Images"/> for it, the same that a probe keeps.
    /// </summary>
    public string? Test { get; init; }

    /// <summary>Head of a linear probe that it begins with; null begins as zero-shot classification.</summary>
    public string? Probe { get; init; }

    /// <summary>Sentences about a class, <c>{}</c> being its name.</summary>
    public IReadOnlyList<string> Templates { get; init; } = ["{}"];

    /// <summary>How often every picture is shown.</summary>
    public int Epochs { get; init; } = 10;

    /// <summary>Rate of the classifier; each block of the tower moves at four fifths of the rate of the one above it.</summary>
    public double LearningRate { get; init; } = 1e-4;

    /// <summary>Pictures per step.</summary>
    public int Batch { get; init; } = 32;

    /// <summary>Share of the fine-tuned weights in the result: 0 is the beginning, 1 is fine-tuned (Wortsman et al., 2022).</summary>
    public double Mix { get; init; } = 1;

    /// <summary>Whether half of the pictures are mirrored.</summary>
    public bool Flip { get; init; }

    /// <summary>Seed of order and crops.</summary>
    public ulong Seed { get; init; } = 1;

    /// <summary>Number format of the products.</summary>
    public Precision Precision { get; init; } = Precision.Auto;
}
