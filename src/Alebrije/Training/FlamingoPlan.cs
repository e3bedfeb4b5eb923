using System.Text.Json.Serialization;
using Alebrije.Models.Flamingo;
using Alebrije.Weights;

namespace Alebrije.Training;

/// <summary>Configuration of a training run of a Flamingo.</summary>
internal sealed record FlamingoTrainingConfig
{
    /// <summary>First stage: the language model and its tokenizer, on texts alone.</summary>
    public required FlamingoLanguagePlan Stage1 { get; init; }

    /// <summary>Second stage: resampler and gated blocks, on scenes and texts.</summary>
    public required FlamingoImagePlan Stage2 { get; init; }
}

/// <summary>
/// Configuration common to both stages of a Flamingo. The batch counts scenes; a sequence has 1 to <see cref="MostScenes"/>.
/// </summary>
internal abstract record FlamingoPlan : TrainingPlan
{
    /// <summary>Most scenes of a sequence.</summary>
    public int MostScenes { get; init; } = 5;

    /// <summary>Share of the sequences of plain captions.</summary>
    public double Captions { get; init; } = 0.4;

    /// <summary>Share of the sequences of answers in one style (<see cref="Datasets.AnswerStyle"/>); the others are questions.</summary>
    public double Styles { get; init; } = 0.25;

    /// <summary>Share of the sequences of a single scene; the others have 2 to <see cref="MostScenes"/>, all equally often.</summary>
    public double Single { get; init; } = 0.35;

    /// <summary>Weight decay of the matrices.</summary>
    public double WeightDecay { get; init; } = 0.01;

    /// <summary>Mixtures of scenes in order; null takes <see cref="TrainingPlan.World"/> throughout.</summary>
    public IReadOnlyList<CurriculumStage>? Curriculum { get; init; }

    /// <exception cref="WeightsException">A value is out of its range; one sentence.</exception>
    internal virtual void Check()
    {
        CurriculumStage.Check(Curriculum);
        if (MostScenes < 1) throw new WeightsException($"most_scenes is {MostScenes}; a sequence has one scene or more.");
        for (var scenes = 2; scenes <= MostScenes; scenes++)
            if (Batch % scenes != 0)
                throw new WeightsException($"batch is {Batch}, but it must be a multiple of every number of scenes up to {MostScenes}: "
                    + "all sequences of a step have the same number of them.");
        if (!(Captions >= 0 && Styles >= 0 && Captions + Styles <= 1) || Single is not (>= 0 and <= 1))
            throw new WeightsException($"captions, styles and single are {Captions}, {Styles} and {Single}; they are shares from 0 to 1, "
                + "and captions and styles together at most 1.");
    }
}

/// <summary>Configuration of the first stage.</summary>
internal sealed record FlamingoLanguagePlan : FlamingoPlan
{
    /// <summary>Sizes of the language model; the vocabulary size is that of the tokenizer, which is made of the texts first.</summary>
    public required GptNeoXConfig Model { get; init; }

    /// <summary>Most entries of the vocabulary.</summary>
    public int VocabularySize { get; init; } = 4000;

    /// <summary>
    /// Share of the sequences in which every scene is described before its question, so that the answer follows from the text.
    /// </summary>
    public double Told { get; init; } = 0.5;

    /// <summary>Folder of an earlier language model whose weights the run starts from; null starts from random weights.</summary>
    public string? Start { get; init; }

    /// <inheritdoc cref="CurriculumStage.WorldOf"/>
    internal CaptionedScenes.Options WorldOf(long scene) => CurriculumStage.WorldOf(Curriculum, Scenes, scene, TotalSteps * Batch);
}

/// <summary>Configuration of the second stage.</summary>
internal sealed record FlamingoImagePlan : FlamingoPlan
{
    /// <summary>Name or folder of the model, or run of <c>train clip</c>, with the image tower.</summary>
    public required string Clip { get; init; }

    /// <summary>Sizes of resampler and gated blocks.</summary>
    public required FlamingoConfig Model { get; init; }

    /// <summary>Gates of a new run; 0, as published, shows the images to the language model step by step.</summary>
    public double Gate { get; init; } = 0.3;

    /// <summary>Rate of the gates as a multiple of the others' rate.</summary>
    public double GateRate { get; init; } = 3;

    /// <summary>Encoded scenes among which a batch is drawn; the oldest are replaced as new ones are encoded.</summary>
    public int Window { get; init; } = 8160;

    /// <summary>Average uses of an encoded scene before it is replaced: new scenes per step are the batch divided by this.</summary>
    public int Uses { get; init; } = 4;

    /// <summary>Folder of an earlier Flamingo whose weights the run starts from; null starts from random weights.</summary>
    public string? Start { get; init; }

    /// <summary>Scenes encoded for each step.</summary>
    [JsonIgnore]
    internal int Fresh => Batch / Uses;

    /// <inheritdoc/>
    internal override void Check()
    {
        base.Check();
        SceneWindow.Check(Batch, Uses, Window);
    }

    /// <inheritdoc cref="CurriculumStage.WorldOf"/>
    internal CaptionedScenes.Options WorldOf(long scene) =>
        CurriculumStage.WorldOf(Curriculum, Scenes, scene, Math.Max(1, TotalSteps * Fresh));
}
