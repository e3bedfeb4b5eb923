using Alebrije.Weights;

namespace Alebrije.Training;

/// <summary>Configuration common to the first guess and the decoder: both learn latents from image embedding and text.</summary>
internal abstract record LatentPlan : TrainingPlan
{
    /// <summary>Folder of a CLIP run, or the name or folder of a model.</summary>
    public required string Clip { get; init; }

    /// <summary>Folder of the autoencoder.</summary>
    public required string Autoencoder { get; init; }

    /// <summary>
    /// Folder of a diffusion prior on the same CLIP, or of a model or run with one: its samples replace the true image embedding for
    /// <see cref="PriorShare"/> of the scenes, so that the text decides where the embedding is vague. Null: only true embeddings.
    /// </summary>
    public string? Prior { get; init; }

    /// <summary>Share of the scenes conditioned on a sample of <see cref="Prior"/>, from 0 to 1.</summary>
    public double PriorShare { get; init; } = 1.0 / 3;

    /// <summary>Steps of the prior's sampler, 2 to 1000.</summary>
    public int PriorSteps { get; init; } = 10;

    /// <summary>Guidance scale of the prior.</summary>
    public double PriorGuidance { get; init; } = 3;

    /// <summary>Folder whose weights the run starts from; null starts from random weights.</summary>
    public string? Start { get; init; }

    /// <summary>Mixtures of scenes in order; null takes <see cref="TrainingPlan.World"/> throughout.</summary>
    public IReadOnlyList<CurriculumStage>? Curriculum { get; init; }

    /// <summary>Encoded scenes among which a batch is drawn; the oldest are replaced as new ones are encoded.</summary>
    public int Window { get; init; } = 8192;

    /// <summary>Average uses of an encoded scene before it is replaced: new scenes per step are the batch divided by this.</summary>
    public int Uses { get; init; } = 4;

    /// <summary>Weight decay of the matrices.</summary>
    public double WeightDecay { get; init; } = 0.01;

    /// <summary>Share of the scenes without image embedding and text: the unconditional half of classifier-free guidance.</summary>
    public double Unconditional { get; init; } = 0.1;

    /// <summary>Share of the scenes without text only: variations have none.</summary>
    public double TextDropout { get; init; } = 0.2;

    /// <summary>Share of the scenes without image embedding only.</summary>
    public double EmbeddingDropout { get; init; }

    /// <summary>Share of the true image embeddings that are noised, at a level up to <see cref="EmbeddingNoise"/>.</summary>
    public double NoisedEmbeddings { get; init; } = 0.5;

    /// <summary>Highest noise level of an embedding, 0 to 999.</summary>
    public int EmbeddingNoise { get; init; } = 300;

    /// <summary>Scenes whose image embeddings the normalizer's mean and standard deviation are measured on, 2 or more.</summary>
    public int Fitted { get; init; } = 2048;

    /// <summary>Scenes encoded for each step.</summary>
    internal int Fresh => Batch / Uses;

    /// <summary>Sizes of the cache.</summary>
    internal SceneWindow Sizes => new(Seed, Batch, Fresh, Window);

    /// <exception cref="WeightsException">A value is out of its range; one sentence.</exception>
    internal void Check()
    {
        if (Fitted < 2) throw new WeightsException($"fitted is {Fitted}, but a standard deviation needs two scenes or more.");
        SceneWindow.Check(Batch, Uses, Window);
        CurriculumStage.Check(Curriculum);
    }

    /// <inheritdoc cref="CurriculumStage.WorldOf"/>
    internal CaptionedScenes.Options WorldOf(long scene, long of) => CurriculumStage.WorldOf(Curriculum, Scenes, scene, of);
}
