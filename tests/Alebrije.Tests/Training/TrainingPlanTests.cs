using System.Text.Json.Nodes;
using Alebrije.Training;
using Alebrije.Weights;

namespace Alebrije.Tests.Training;

/// <summary>Values that no training run can have.</summary>
public sealed class TrainingPlanTests : IDisposable
{
    private readonly string file = Path.GetTempFileName();

    public void Dispose() => File.Delete(file);

    [Theory]
    [InlineData("batch", 0, "batch is 0, but must be between 1 and 65536.")]
    [InlineData("batch", 1_000_000_000, "batch is 1000000000, but must be between 1 and 65536.")]
    [InlineData("samples", 0, "samples is 0, but must be between 1 and 1000000000000.")]
    [InlineData("learning_rate", -0.5, "learning_rate is -0.5, but must be between 0 and 10.")]
    [InlineData("warm_up", -1, "warm_up is -1, but must be between 0 and 1000000000000.")]
    [InlineData("ema_decay", 1.5, "ema_decay is 1.5, but must be at least 0 and below 1.")]
    [InlineData("save_minutes", -4, "save_minutes is -4, but must be at least 0.")]
    [InlineData("evaluate_minutes", -4, "evaluate_minutes is -4, but must be at least 0.")]
    [InlineData("measured_scenes", 0, "measured_scenes is 0, but must be at least 1.")]
    public void Value_OutsideOfItsRange_IsRefused(string key, double value, string rule)
    {
        var number = value % 1 == 0 ? JsonValue.Create((long)value) : JsonValue.Create(value);
        var clip = JsonNode.Parse(File.ReadAllText(Path.Combine(Repository.Root, "training", "mini", "clip.json")))!.AsObject();
        clip[key] = number;
        File.WriteAllText(file, clip.ToJsonString());
        Assert.Equal($"{file}: {rule}", Refusal(() => Trainers.Run("clip", file, Options)));

        var cascade = JsonNode.Parse(File.ReadAllText(Path.Combine(Repository.Root, "training", "mini", "cascade.json")))!.AsObject();
        cascade["stage2"]![key] = number.DeepClone();
        File.WriteAllText(file, cascade.ToJsonString());
        Assert.Equal($"{file}: {rule}", Refusal(() => Trainers.RunCascade(file, 1, Options)));
    }

    private static TrainingOptions Options => new(Path.Combine(Path.GetTempPath(), Path.GetRandomFileName()));

    private static string Refusal(Action run) => Assert.Throws<WeightsException>(run).Message;
}
