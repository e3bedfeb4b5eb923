using System.Text.Json.Serialization;
using Alebrije.Tensors;

namespace Alebrije.Training;

/// <summary>What every training run is told by its JSON file; an unknown key is an error.</summary>
internal abstract record TrainingPlan
{
    /// <summary>Seed of initial weights, scenes and noise.</summary>
    public ulong Seed { get; init; } = 1;

    /// <summary>Pictures per step.</summary>
    public int Batch { get; init; } = 64;

    /// <summary>Pictures seen in the whole run.</summary>
    public long Samples { get; init; } = 500_000;

    /// <summary>Rate at the end of the warm-up.</summary>
    public double LearningRate { get; init; } = 5e-4;

    /// <summary>Steps of the warm-up.</summary>
    public long WarmUp { get; init; } = 300;

    /// <summary>How weight matrices are moved: by AdamW, or by Muon, whose steps cost more and go further.</summary>
    public OptimizerMethod Optimizer { get; init; } = OptimizerMethod.AdamW;

    /// <summary>Decay of the moving average of the weights, which is what is measured and exported.</summary>
    public double EmaDecay { get; init; } = 0.999;

    /// <summary>Number format of the products; weights stay float32.</summary>
    public Precision Precision { get; init; } = Precision.Auto;

    /// <summary>Mixture of the scenes; null where a run learns from a person's own pictures.</summary>
    public CaptionedScenes.Options? World { get; init; } = new();

    /// <summary>Steps of the whole run.</summary>
    [JsonIgnore]
    public long TotalSteps => Samples / Batch;

    /// <summary>The mixture, that of a run which says nothing about it where there is none.</summary>
    [JsonIgnore]
    public CaptionedScenes.Options Scenes => World ?? new();

    /// <summary>Minutes between two checkpoints.</summary>
    public double SaveMinutes { get; init; } = 4;

    /// <summary>Minutes between two evaluations, each with an export of the averaged weights.</summary>
    public double EvaluateMinutes { get; init; } = 10;
}
