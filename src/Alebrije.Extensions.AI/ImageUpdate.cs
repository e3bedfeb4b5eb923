using Microsoft.Extensions.AI;

namespace Alebrije.Extensions.AI;

/// <summary>An event of <see cref="AlebrijeImageGenerator.GenerateStreamingAsync"/>: a step, with a preview or a finished image.</summary>
/// <param name="Stage"><c>prior</c>, <c>decoder</c>, <c>upsampler</c> or <c>picture</c>.</param>
/// <param name="Step">Steps done in this stage.</param>
/// <param name="Of">Steps of this stage.</param>
public sealed record ImageUpdate(string Stage, int Step, int Of)
{
    /// <summary>Number of the image, from 0; null of events without an image.</summary>
    public int? Index { get; init; }

    /// <summary>The image that the step predicts, or the finished one; null of steps without one.</summary>
    public DataContent? Image { get; init; }

    /// <summary>True if <see cref="Image"/> is finished.</summary>
    public bool IsFinished { get; init; }
}
