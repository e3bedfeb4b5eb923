using Alebrije.Weights;

namespace Alebrije.Training;

/// <summary>A part of a run with its mixture of scenes.</summary>
/// <param name="Share">Share of the run's scenes; the shares of a curriculum add up to 1.</param>
/// <param name="World">Mixture of the scenes.</param>
internal sealed record CurriculumStage(double Share, CaptionedScenes.Options World)
{
    /// <exception cref="WeightsException">The shares do not add up to 1.</exception>
    internal static void Check(IReadOnlyList<CurriculumStage>? stages)
    {
        if (stages is not null && Math.Abs(stages.Sum(stage => stage.Share) - 1) > 1e-6)
            throw new WeightsException(
                $"The shares of the curriculum add up to {stages.Sum(stage => stage.Share):G4}; they must add up to 1.");
    }

    /// <summary>The mixture that a scene is drawn from.</summary>
    /// <param name="stages">The curriculum, or null.</param>
    /// <param name="otherwise">The mixture without a curriculum.</param>
    /// <param name="scene">Number of the scene in the run.</param>
    /// <param name="of">Scenes of the whole run.</param>
    internal static CaptionedScenes.Options WorldOf(IReadOnlyList<CurriculumStage>? stages, CaptionedScenes.Options otherwise, long scene,
        long of)
    {
        if (stages is null) return otherwise;
        var end = 0.0;
        foreach (var stage in stages)
        {
            end += stage.Share * of;
            if (scene < end) return stage.World;
        }

        return stages[^1].World;
    }
}
