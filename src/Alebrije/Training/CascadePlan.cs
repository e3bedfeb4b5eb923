using Alebrije.Models.T5;
using Alebrije.Models.UNets;
using Alebrije.Weights;

namespace Alebrije.Training;

/// <summary>Configuration of a training run of the cascade.</summary>
internal sealed record CascadeTrainingConfig
{
    /// <summary>First stage: small images from text, with its text encoder.</summary>
    public required CascadeBasePlan Stage1 { get; init; }

    /// <summary>Second stage: large images from small ones and text.</summary>
    public required CascadeLaterPlan Stage2 { get; init; }
}

/// <summary>Configuration common to both stages of the cascade.</summary>
internal abstract record CascadePlan : TrainingPlan
{
    /// <summary>Sizes of the denoiser; 6 output channels as IF's, of which the last three, a variance, are not trained.</summary>
    public required UNet2DConditionConfig Model { get; init; }

    /// <summary>Folder of an earlier cascade whose weights the run starts from; null starts from random weights.</summary>
    public string? Start { get; init; }

    /// <summary>Mixtures of scenes in order; null takes <see cref="TrainingPlan.World"/> throughout.</summary>
    public IReadOnlyList<CurriculumStage>? Curriculum { get; init; }

    /// <summary>Weight decay of the matrices.</summary>
    public double WeightDecay { get; init; } = 0.01;

    /// <summary>Share of the scenes with the empty text: the unconditional half of classifier-free guidance.</summary>
    public double Unconditional { get; init; } = 0.1;

    /// <summary>Side of the images in pixels.</summary>
    internal int Side => (Model.SampleSize ?? [0])[0];

    /// <summary>Required input channels of the denoiser.</summary>
    private protected abstract int InChannels { get; }

    /// <exception cref="WeightsException">A value is out of its range; one sentence.</exception>
    internal virtual void Check()
    {
        CurriculumStage.Check(Curriculum);
        if (Side < 16 || Side % Model.Factor != 0)
            throw new WeightsException(
                $"sample_size is {Side}; a stage draws images of 16 pixels or more, in multiples of {Model.Factor}.");
        if (Model.InChannels != InChannels || Model.OutChannels != 6)
            throw new WeightsException(
                $"in_channels and out_channels are {Model.InChannels} and {Model.OutChannels}; "
                    + $"set them to {InChannels} and 6 (image and variance), as IF's.");
    }

    /// <inheritdoc cref="CurriculumStage.WorldOf"/>
    internal CaptionedScenes.Options WorldOf(long scene) => CurriculumStage.WorldOf(Curriculum, Scenes, scene, TotalSteps * Batch);
}

/// <summary>Configuration of the first stage.</summary>
internal sealed record CascadeBasePlan : CascadePlan
{
    /// <summary>Sizes of the text encoder; the vocabulary size is that of the tokenizer, which is made of the captions first.</summary>
    public T5Config TextEncoder { get; init; } = new();

    /// <summary>Most entries of the vocabulary.</summary>
    public int VocabularySize { get; init; } = 4096;

    /// <summary>Share of the noise levels drawn from <see cref="NoisyFrom"/> to 999; the others are drawn from all levels.</summary>
    public double NoisyShare { get; init; } = 0.5;

    /// <summary>Lowest of the noisy levels, 0 to 999.</summary>
    public int NoisyFrom { get; init; } = 700;

    /// <summary>
    /// Scenes are drawn at this multiple of <see cref="CascadePlan.Side"/> and reduced, as the second stage's small images are.
    /// </summary>
    public int Oversampling { get; init; } = CascadeLaterPlan.Factor;

    /// <inheritdoc/>
    private protected override int InChannels => 3;

    /// <inheritdoc/>
    internal override void Check()
    {
        base.Check();
        if (Model.AdditionEmbedType is null && !Model.DownBlockTypes.Any(type => type.Contains("CrossAttn", StringComparison.Ordinal)))
            throw new WeightsException("The denoiser of stage 1 attends to no text; give it a down block with cross attention.");
    }
}

/// <summary>Configuration of the second stage.</summary>
internal sealed record CascadeLaterPlan : CascadePlan
{
    /// <summary>Side of the large images by that of the small ones.</summary>
    public const int Factor = 4;

    /// <summary>Side of the crops in pixels of the large image.</summary>
    public int Crop { get; init; } = 64;

    /// <summary>Share of the run trained on crops; whole images follow, a quarter as many for half the side.</summary>
    public double CropsUntil { get; init; } = 0.8;

    /// <summary>
    /// Share of the images at the level of pure noise, where sampling in few steps begins; the others' levels are uniform.
    /// </summary>
    public double PureNoise { get; init; } = 0.3;

    /// <summary>Highest noise level of the small images (noise conditioning augmentation; Ho et al., 2021), 0 to 999.</summary>
    public int HighestNoise { get; init; } = 400;

    /// <inheritdoc/>
    private protected override int InChannels => 6;

    /// <inheritdoc/>
    internal override void Check()
    {
        base.Check();
        var step = Math.Max(Factor, Model.Factor);
        if (Crop < step || Crop > Side || Crop % step != 0 || Side % Factor != 0)
            throw new WeightsException(
                $"The crop is {Crop} and the image {Side} pixels wide; both "
                    + $"must be multiples of {step}, and the crop no larger than the image.");
        if (Model.ClassEmbedType != "timestep")
            throw new WeightsException(
                "The denoiser of stage 2 needs class_embed_type \"timestep\": it is conditioned on the noise level of the small image.");
    }
}
