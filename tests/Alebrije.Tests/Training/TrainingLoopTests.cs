using System.Globalization;
using Alebrije.Tensors;
using Alebrije.Training;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Alebrije.Tests.Training;

/// <summary>The common training loop on a linear layer.</summary>
public sealed class TrainingLoopTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-loop-").FullName;
    private readonly List<TrainingProgress> progress = [];
    private readonly List<string> remarks = ["one", "two"];
    private readonly List<float> exported = [];

    public TrainingLoopTests() => TorchRuntime.Initialize();

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public void Run_Whole_LearnsLogsAndExportsTheAverages()
    {
        var commas = (CultureInfo)CultureInfo.InvariantCulture.Clone();
        commas.NumberFormat.NumberDecimalSeparator = ",";
        CultureInfo.CurrentCulture = commas;
        var result = Run("run", CancellationToken.None, out var weight);
        Assert.Equal((10, true), (result.Steps, result.Finished));
        Assert.Equal(0.5, result.Metrics["half"]);
        Assert.Equal(["one", "two", "half 0.5000"], progress.Select(p => p.Note).OfType<string>());
        var last = Assert.Single(progress, p => double.IsFinite(p.Loss) && p.Step == 10);
        Assert.InRange(last.LearningRate, 0, 0.1);
        Assert.NotEqual(weight, Assert.Single(exported));
        Assert.EndsWith("\"half 0.5000\"", File.ReadAllLines(Path.Combine(folder, "run", "log.csv"))[^1], StringComparison.Ordinal);
    }

    [Fact]
    public void Run_CancelledAtAnyStep_IsSavedThere_AndResumedToTheSameEnd()
    {
        Run("whole", CancellationToken.None, out var expected);
        for (var at = 0; at < 10; at += 3)
        {
            using var stop = new CancellationTokenSource();
            var name = $"halted{at}";
            if (at == 0) stop.Cancel();
            var first = Run(name, stop.Token, out _, after: step => { if (step == at) stop.Cancel(); });
            Assert.Equal((at, false), (first.Steps, first.Finished));
            Assert.Equal(10, Run(name, CancellationToken.None, out var resumed).Steps);
            Assert.Equal(expected, resumed);
            Checkpoints.AssertEqual(Path.Combine(folder, "whole"), Path.Combine(folder, name));
        }
    }

    [Fact]
    public void Run_WithoutAFolder_KeepsNothing_AndEndsWithItsTime()
    {
        using var none = new TrainingRun(minutes: 0);
        using var network = nn.Linear(1, 1, hasBias: false);
        Assert.Equal(0, TrainingLoop.Run(none, new Plan(), Task(network), CancellationToken.None).Steps);
        using var run = new TrainingRun(minutes: null);
        Assert.Equal(10, TrainingLoop.Run(run, new Plan { SaveMinutes = 0 }, Task(network), CancellationToken.None).Steps);
        Assert.Empty(Directory.GetFileSystemEntries(folder));
        Assert.Contains("lower learning rate", Assert.Throws<InvalidOperationException>(() => run.Count(double.NaN, 1, 1, 1, 20)).Message,
            StringComparison.Ordinal);
    }

    private TrainingResult Run(string name, CancellationToken stop, out float weight, Action<long>? after = null)
    {
        var plan = new Plan { Batch = 4, Samples = 40, LearningRate = 0.1, WarmUp = 2, EmaDecay = 0.9, SaveMinutes = 1e6,
            EvaluateMinutes = 1e6, Seed = 3 };
        using var run = new TrainingRun(new TrainingOptions(Path.Combine(folder, name)) { Resume = true, OnProgress = progress.Add }, plan,
            new LossWatch(99, 99, ""));
        using var network = nn.Linear(1, 1, hasBias: false);
        var result = TrainingLoop.Run(run, plan, Task(network) with { AfterStep = _ => after?.Invoke(run.Step) }, stop);
        weight = network.weight.item<float>();
        return result;
    }

    private TrainingTask<long> Task(Linear network) => new(network)
    {
        Begin = () => SeededInit.Apply(network, 5),
        Batches = first => new BatchQueue<long>(i => i, first),
        Loss = (batch, step, generator) =>
        {
            Assert.Equal(step, batch);
            var x = randn([4, 1], generator: generator);
            return (network.call(x) - (3 * x)).square().mean();
        },
        Evaluate = () =>
        {
            exported.Add(network.weight.item<float>());
            return new Dictionary<string, double> { ["half"] = 0.5 };
        },
        Remarks = () =>
        {
            string[] taken = [.. remarks];
            remarks.Clear();
            return taken;
        },
        MetricFormat = "F4",
    };

    private sealed record Plan : TrainingPlan
    {
        public Plan() => (Batch, Samples) = (4, 40);
    }
}
