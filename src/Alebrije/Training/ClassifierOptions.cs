using Alebrije.Tensors;

namespace Alebrije.Training;

/// <summary>Data and settings of fine-tuning a classifier.</summary>
/// <param name="Images">Folder of folders named after the classes.</param>
/// <param name="Model">Folder of a run of <c>train clip</c>, a packed model such as <c>mini</c>, or a published CLIPModel.</param>
public sealed record ClassifierOptions(string Images, string Model)
{
    /// <summary>
    /// Test images in the same classes; null holds out a share of <see cref="Images"/>, the same as a probe.
    /// </summary>
    public string? Test { get; init; }

    /// <summary>Initial head, of a linear probe; null starts from zero-shot classification.</summary>
    public string? Probe { get; init; }

    /// <summary>Sentences about a class, <c>{}</c> being its name.</summary>
    public IReadOnlyList<string> Templates { get; init; } = ["{}"];

    /// <summary>Passes over the images.</summary>
    public int Epochs { get; init; } = 10;

    /// <summary>Learning rate of the classifier; each block of the tower has four fifths of the rate of the one above it.</summary>
    public double LearningRate { get; init; } = 1e-4;

    /// <summary>Images per step.</summary>
    public int Batch { get; init; } = 32;

    /// <summary>Share of the fine-tuned weights in the result: 0 is the initial model, 1 is fine-tuned (Wortsman et al., 2022).</summary>
    public double Mix { get; init; } = 1;

    /// <summary>True if half of the images are mirrored.</summary>
    public bool Flip { get; init; }

    /// <summary>Seed of order and crops.</summary>
    public ulong Seed { get; init; } = 1;

    /// <summary>Floating-point format of the matrix products.</summary>
    public Precision Precision { get; init; } = Precision.Auto;
}
