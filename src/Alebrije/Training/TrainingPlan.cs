using System.Globalization;
using System.Text.Json.Serialization;
using Alebrije.Tensors;
using Alebrije.Weights;

namespace Alebrije.Training;

/// <summary>Settings common to the JSON files of all training runs; an unknown key is an error.</summary>
internal abstract record TrainingPlan
{
    /// <summary>Twice the batches that CLIP was trained with (Radford et al., 2021, section 2.5).</summary>
    private const int MostBatch = 65_536;

    private const long MostSamples = 1_000_000_000_000;

    /// <summary>Seed of initial weights, scenes and noise.</summary>
    public ulong Seed { get; init; } = 1;

    /// <summary>Pictures per step.</summary>
    public int Batch { get; init; } = 64;

    /// <summary>Pictures seen in the whole run.</summary>
    public long Samples { get; init; } = 500_000;

    /// <summary>Learning rate at the end of the warm-up.</summary>
    public double LearningRate { get; init; } = 5e-4;

    /// <summary>Steps of the warm-up.</summary>
    public long WarmUp { get; init; } = 300;

    /// <summary>Update method of weight matrices: AdamW, or Muon, whose steps cost more and go further.</summary>
    public OptimizerMethod Optimizer { get; init; } = OptimizerMethod.AdamW;

    /// <summary>Decay of the moving average of the weights, which are measured and exported.</summary>
    public double EmaDecay { get; init; } = 0.999;

    /// <summary>Floating-point format of the matrix products; weights stay float32.</summary>
    public Precision Precision { get; init; } = Precision.Auto;

    /// <summary>Mixture of the scenes; null for a run on the user's images.</summary>
    public CaptionedScenes.Options? World { get; init; } = new();

    /// <summary>Steps of the whole run.</summary>
    [JsonIgnore]
    public long TotalSteps => Samples / Batch;

    /// <summary>The mixture; the default one if <see cref="World"/> is null.</summary>
    [JsonIgnore]
    public CaptionedScenes.Options Scenes => World ?? new();

    /// <summary>Minutes between two checkpoints.</summary>
    public double SaveMinutes { get; init; } = 4;

    /// <summary>
    /// Held-out scenes of each figure of an evaluation, and images of its sheet, from 1 to the trainer's own number; null takes that
    /// number. Retrieval always has a hundred or more.
    /// </summary>
    public int? MeasuredScenes { get; init; }

    /// <summary>Minutes between two evaluations, each with an export of the averaged weights.</summary>
    public double EvaluateMinutes { get; init; } = 10;

    /// <summary>Reads the JSON file of a run.</summary>
    /// <param name="file">The file; an unknown key is an error.</param>
    /// <param name="plans">Plans in what was read; null: it is one itself.</param>
    /// <exception cref="WeightsException">A value is out of its range.</exception>
    public static T Read<T>(string file, Func<T, TrainingPlan[]>? plans = null) where T : class
    {
        var read = ConfigFile.Read<T>(file, unknownKeysAllowed: false);
        foreach (var plan in plans?.Invoke(read) ?? [(TrainingPlan)(object)read]) plan.CheckRanges(file);
        return read;
    }

    private void CheckRanges(string file)
    {
        Require(Batch is >= 1 and <= MostBatch, "batch", Batch, $"between 1 and {MostBatch}");
        Require(Samples is >= 1 and <= MostSamples, "samples", Samples, $"between 1 and {MostSamples}");
        Require(LearningRate is >= 0 and <= 10, "learning_rate", LearningRate, "between 0 and 10");
        Require(WarmUp is >= 0 and <= MostSamples, "warm_up", WarmUp, $"between 0 and {MostSamples}");
        Require(EmaDecay is >= 0 and < 1, "ema_decay", EmaDecay, "at least 0 and below 1");
        Require(SaveMinutes >= 0, "save_minutes", SaveMinutes, "at least 0");
        Require(EvaluateMinutes >= 0, "evaluate_minutes", EvaluateMinutes, "at least 0");
        Require(MeasuredScenes is null or >= 1, "measured_scenes", MeasuredScenes ?? 0, "at least 1");

        void Require(bool isRight, string key, double value, string rule)
        {
            if (!isRight) throw new WeightsException(
                string.Create(CultureInfo.InvariantCulture, $"{file}: {key} is {value}, but must be {rule}."));
        }
    }

    /// <summary>Scenes of a figure.</summary>
    /// <param name="most">The trainer's own number.</param>
    internal int Measured(int most) => Math.Clamp(MeasuredScenes ?? most, 1, most);
}
