using Alebrije.Datasets;
using Alebrije.Weights;

namespace Alebrije.Training;

/// <summary>Configurations of CLIP runs: read from a file, or suggested for a user's images.</summary>
internal static class ClipRuns
{
    /// <summary>Approximate passes over the images of a run without a file, within the bounds of steps below.</summary>
    private const int Epochs = 30;

    private const int MostSteps = 20_000, FewestSteps = 200, LargestBatch = 64;

    /// <summary>Reads a configuration. Missing sizes are those of the model that it starts from.</summary>
    /// <exception cref="InvalidDataException">It names both the world and a user's images.</exception>
    public static ClipTrainingConfig Read(string file, TrainingOptions options)
    {
        var keys = ConfigFile.ReadObject(file);
        var config = TrainingPlan.Read<ClipTrainingConfig>(file);
        if (config.Data is not null && keys.ContainsKey("world"))
            throw new InvalidDataException(
                $"{file} has both \"world\" and \"data\"; a run trains on the world of emoji or on own images, so leave one out.");
        if (config.Data is not null) config = config with { World = null };
        if (config.Start is { } start) config = config with { Start = options.FindModel?.Invoke(start) ?? start };
        return config.Start is { } folder && !keys.ContainsKey("model") ? config with { Model = TrainedClip.ConfigOf(folder) } : config;
    }

    /// <summary>
    /// Suggests a configuration for a user's images: mini's sizes from random weights, or the sizes of the start at a small rate; the saved
    /// configuration for a resumed run.
    /// </summary>
    /// <param name="data">Path of the images.</param>
    /// <param name="start">Folder that the run starts from, or null.</param>
    /// <param name="options">Folder of the run.</param>
    public static ClipTrainingConfig Suggest(string data, string? start, TrainingOptions options)
    {
        var saved = Path.Combine(options.Folder, "training.json");
        if (options.Resume && File.Exists(saved)) return Read(saved, options);
        var own = new PictureDataOptions { Path = data };
        var pictures = CaptionedPictures.Open(own);
        using var _ = pictures as IDisposable;
        var batch = (int)Math.Min(LargestBatch, pictures.Count);
        var steps = Math.Clamp(Epochs * pictures.Count / batch, FewestSteps, MostSteps);
        var plan = new ClipTrainingConfig
        {
            Data = own, World = null, Start = start, Batch = batch, Samples = steps * batch,
            WarmUp = Math.Min(100, steps / 10), EmaDecay = 0.99, SaveMinutes = 2, EvaluateMinutes = 5,
        };
        return start is null
            ? plan with { Model = SmallModel, LearningRate = 1e-3, VocabularySize = 3000 }
            : plan with { Model = TrainedClip.ConfigOf(start), LearningRate = 1e-4,
                PatchDropout = 0, LogitScale = TrainedClip.HasLogitScale(start) ? null : 30 };
    }

    /// <summary>Trains from a configuration.</summary>
    public static TrainingResult Train(ClipTrainingConfig config, TrainingOptions options, CancellationToken cancellation)
    {
        if (config.Data is null) return new ClipTrainer(config, CaptionedScenes.Open()).Run(options, cancellation);
        var pictures = CaptionedPictures.Open(config.Data);
        using var _ = pictures as IDisposable;
        return new ClipTrainer(config, new PicturePairs(config, pictures)).Run(options, cancellation);
    }

    private static Models.Clip.ClipConfig SmallModel { get; } = new()
    {
        ProjectionDim = 256,
        TextConfig = new()
        {
            HiddenSize = 256, IntermediateSize = 1024, NumHiddenLayers = 4,
            NumAttentionHeads = 4, ProjectionDim = 256, MaxPositionEmbeddings = 32, HiddenAct = "gelu",
        },
        VisionConfig = new()
        {
            HiddenSize = 256, IntermediateSize = 1024, NumHiddenLayers = 6,
            NumAttentionHeads = 4, ProjectionDim = 256, ImageSize = 64, PatchSize = 8, HiddenAct = "gelu",
        },
    };
}
