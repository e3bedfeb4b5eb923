using System.Globalization;
using Alebrije.Tensors;
using Alebrije.Training;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Alebrije.Tests.Training;

public sealed class TrainingRunTests : IDisposable
{
    private static readonly LossWatch Watch = new(Math.Log(8), 5, "Look at the captions.");
    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-run-").FullName;
    private readonly DisposeScope scope;
    private readonly Linear network;
    private readonly Optimizer optimizer;

    public TrainingRunTests()
    {
        TorchRuntime.Initialize();
        scope = NewDisposeScope();
        network = nn.Linear(3, 2);
        optimizer = new Optimizer(network.named_parameters(), new OptimizerConstants { EmaDecay = 0.9 });
    }

    public void Dispose()
    {
        optimizer.Dispose();
        network.Dispose();
        scope.Dispose();
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public void Folder_ThatHoldsARun_IsRefusedWithoutResume()
    {
        using (var run = Open(resume: false)) run.Save(network, optimizer);
        var message = Assert.Throws<InvalidOperationException>(() => Open(resume: false)).Message;
        Assert.Contains("--resume", message, StringComparison.Ordinal);
        Assert.Contains(folder, message, StringComparison.Ordinal);
        Assert.False(File.Exists(Path.Combine(folder, "training.json.new")));
        using var resumed = Open(resume: true);
    }

    [Fact]
    public void Configuration_OtherThanTheRunsOwn_IsRefusedAndTheOldOneKept()
    {
        using (var run = Open(resume: false)) run.Save(network, optimizer);
        var saved = File.ReadAllText(Path.Combine(folder, "training.json"));
        var message = Assert.Throws<InvalidOperationException>(() =>
            new TrainingRun(Options(resume: true), new { LearningRate = 0.2 }, Watch)).Message;
        Assert.Contains("configuration differs", message, StringComparison.Ordinal);
        Assert.Equal(saved, File.ReadAllText(Path.Combine(folder, "training.json")));
        Assert.False(File.Exists(Path.Combine(folder, "training.json.new")));
    }

    [Fact]
    public void Configuration_WithoutACheckpoint_MayChange()
    {
        Open(resume: false).Dispose();
        using var run = new TrainingRun(Options(resume: false), new { LearningRate = 0.2 }, Watch);
        Assert.Contains("0.2", File.ReadAllText(Path.Combine(folder, "training.json")), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(double.NaN, 1)]
    [InlineData(1, double.NaN)]
    [InlineData(double.PositiveInfinity, 1)]
    public void LossThatIsNoNumber_EndsTheRunWithOneSentenceAndWhatToDo(double loss, double norm)
    {
        using var run = Open(resume: false);
        run.Count(2, 1, 0.1, 4, 10);
        var message = Assert.Throws<InvalidOperationException>(() => run.Count(loss, norm, 0.1, 4, 10)).Message;
        Assert.Contains("not a number at step 2", message, StringComparison.Ordinal);
        Assert.Contains("lower learning_rate", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Checkpoint_SavedAndRestored_IsBitEqual()
    {
        Train(3);
        var expected = Everything();
        using (var run = Open(resume: false))
        {
            run.Count(1, 1, 0.1, 4, 10);
            run.Save(network, optimizer);
        }

        Train(2);
        Assert.NotEqual(expected, Everything());
        using var resumed = Open(resume: true);
        resumed.Restore(network, optimizer);
        Assert.Equal(expected, Everything());
        Assert.Equal((1, 3), (resumed.Step, optimizer.Steps));
    }

    [Fact]
    public void Seconds_OfEarlierSessions_AreCountedIn()
    {
        double earlier;
        using (var run = Open(resume: false))
        {
            earlier = run.Seconds;
            run.Save(network, optimizer);
        }

        using var resumed = Open(resume: true);
        Assert.True(resumed.Seconds >= earlier);
    }

    [Fact]
    public void UnfinishedCheckpoint_OfAKilledRun_IsSweptAway()
    {
        using (var run = Open(resume: false)) run.Save(network, optimizer);
        var torn = Path.Combine(folder, ".checkpoint.safetensors.alebrije");
        File.WriteAllText(torn, "half");
        using var resumed = Open(resume: true);
        Assert.False(File.Exists(torn));
        resumed.Restore(network, optimizer);
    }

    [Fact]
    public void Log_OfAKilledRun_LosesTheRowsAfterItsCheckpoint_AndATornOne()
    {
        using (var run = Open(resume: false))
        {
            run.Note("first", 10);
            run.Save(network, optimizer);
        }

        var log = Path.Combine(folder, "log.csv");
        var whole = File.ReadAllText(log);
        File.AppendAllText(log, "1,2.0,1,0.1,1,5,\"later\"\n0,3.0,1,0.1,1,5,\"to");
        using (Open(resume: true)) Assert.Equal(whole, File.ReadAllText(log));

        // Killed before its first checkpoint, a run begins again, and so does its log.
        File.Delete(Path.Combine(folder, "checkpoint.safetensors"));
        File.AppendAllText(log, "3,2.0,1,0.1,1,5,\"later\"\n");
        using (Open(resume: true)) Assert.Equal(whole[..(whole.IndexOf('\n', StringComparison.Ordinal) + 1)], File.ReadAllText(log));
    }

    [Fact]
    public void SecondRun_InTheSameFolder_IsRefused()
    {
        using (Open(resume: false))
        {
            var error = Assert.Throws<InvalidOperationException>(() => Open(resume: true));
            Assert.Equal($"Another run is active in {folder}; wait for it, or choose another folder.", error.Message);
        }

        using (Open(resume: true)) Assert.NotEmpty(Directory.GetFiles(folder, ".run.lock"));
        Assert.Empty(Directory.GetFiles(folder, ".*"));
    }

    [Fact]
    public void Log_HasARowPerReportAndNote_AndGoesOnWhenResumed()
    {
        var told = new List<TrainingProgress>();
        for (var session = 0; session < 2; session++)
        {
            using var run = new TrainingRun(Options(resume: true) with { OnProgress = told.Add }, new { LearningRate = 0.1 }, Watch);
            var total = 2 * (session + 1);
            run.Count(2, 0.5, 0.01, 4, total);
            run.Count(4, 1.5, 0.02, 4, total);
            run.Note("psnr_db 20.000, \"quoted\"", total);
            run.Save(network, optimizer);
        }

        var lines = File.ReadAllLines(Path.Combine(folder, "log.csv"));
        Assert.Equal("step,seconds,loss,learning_rate,gradient_norm,samples_per_second,note", lines[0]);
        Assert.Equal(5, lines.Length);
        Assert.Equal(["2", "3", "0.02", "1"], new[] { 0, 2, 3, 4 }.Select(i => lines[1].Split(',')[i]));
        Assert.EndsWith("\"psnr_db 20.000, 'quoted'\"", lines[2], StringComparison.Ordinal);
        Assert.Equal("4", lines[3].Split(',')[0]);
        Assert.Equal(4, told.Count);
        Assert.Equal((2, 3.0, 1.0), (told[0].Step, told[0].Loss, told[0].GradientNorm));
    }

    [Theory]
    [InlineData(6, 2.07, true)]
    [InlineData(5, 2.07, false)]
    [InlineData(600, 2.05, true)]
    [InlineData(600, 1.9, false)]
    public void Stuck_AtTheLossOfGuessing_IsSaidInPlainWords(long step, double loss, bool said)
    {
        var words = Watch.Say(step, loss);
        if (!said) Assert.Null(words);
        else Assert.Equal(string.Create(CultureInfo.InvariantCulture,
            $"The loss ({loss:F3}) is still that of guessing (2.079) after {step} steps. Look at the captions."), words);
    }

    [Fact]
    public void Time_ThatIsOver_EndsTheRun()
    {
        using var run = new TrainingRun(Options(resume: false) with { Minutes = 1e-9 }, new { LearningRate = 0.1 }, Watch);
        Assert.True(run.IsOver(CancellationToken.None));
        using var endless = new TrainingRun(new TrainingOptions(Path.Combine(folder, "other")), new { LearningRate = 0.1 }, Watch);
        Assert.False(endless.IsOver(CancellationToken.None));
        Assert.True(endless.IsOver(new CancellationToken(canceled: true)));
        Assert.True(endless.IsSaveDue(0));
        Assert.False(endless.IsSaveDue(1));
        Assert.False(endless.IsEvaluationDue(1));
        Assert.True(endless.IsEvaluationDue(0));
    }

    private TrainingOptions Options(bool resume) => new(folder) { Resume = resume };

    private TrainingRun Open(bool resume) => new(Options(resume), new { LearningRate = 0.1 }, Watch);

    private void Train(int steps)
    {
        for (var i = 0; i < steps; i++)
        {
            network.call(ones(4, 3)).square().sum().backward();
            optimizer.Step(0.1);
        }
    }

    private List<float> Everything() =>
        [.. network.state_dict().Select(p => p.Value).Concat(optimizer.State.Select(s => s.Value))
            .SelectMany(t => t.detach().contiguous().data<float>().ToArray())];
}
