using Alebrije.Tensors;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Alebrije.Training;

/// <summary>The parts in which training runs differ; <see cref="TrainingLoop"/> has what they share.</summary>
/// <typeparam name="TBatch">A batch, made ahead of the loop.</typeparam>
/// <param name="Network">The network in training, float32.</param>
internal sealed record TrainingTask<TBatch>(nn.Module Network)
{
    /// <summary>Sets the weights of a new run; not called when a run is resumed.</summary>
    public required Action Begin { get; init; }

    /// <summary>Opens the batches from the given number on. Batch i depends on the configuration and on i alone.</summary>
    public required Func<long, IBatches<TBatch>> Batches { get; init; }

    /// <summary>Scalar loss of a batch, by number of the step, with a generator that depends on seed and step alone.</summary>
    public required Func<TBatch, long, Generator, Tensor> Loss { get; init; }

    /// <summary>Exports the network and measures it; called while the network holds the averages of its weights.</summary>
    public Func<Dictionary<string, double>> Evaluate { get; init; } = () => [];

    /// <summary>Called after every step with its loss.</summary>
    public Action<double>? AfterStep { get; init; }

    /// <summary>Sentences for the log since the last call; called before the first step and after every one.</summary>
    public Func<IReadOnlyList<string>> Remarks { get; init; } = () => [];

    /// <summary>Parameters that are trained, by name; all of the network's by default.</summary>
    public IEnumerable<(string Name, Parameter Parameter)> Trained { get; init; } =
        Network.named_parameters().Select(p => (p.name, p.parameter));

    /// <summary>Constants of the optimizer; method, format and average are the plan's.</summary>
    public OptimizerConstants Optimizer { get; init; } = new() { Beta2 = 0.99, Epsilon = 1e-8, WeightDecay = 0 };

    /// <summary>Digits of the metrics in the log.</summary>
    public string MetricFormat { get; init; } = "F3";
}

/// <summary>
/// The loop of all training: batch, loss, gradients, clipped step at the scheduled rate, average of the weights, log, checkpoint,
/// evaluation. A run that is resumed takes bit for bit the steps that it would have taken.
/// </summary>
internal static class TrainingLoop
{
    /// <summary>Runs to the end of the schedule, of the time, or until cancelled; always saved, measured and exported.</summary>
    /// <param name="run">The run's folder and clock.</param>
    /// <param name="plan">Batch, samples, rates, intervals.</param>
    /// <param name="task">Network, batches, loss, export.</param>
    /// <param name="cancellation">Stops the run after the current step.</param>
    /// <exception cref="InvalidOperationException">The loss is not a number.</exception>
    public static TrainingResult Run<TBatch>(TrainingRun run, TrainingPlan plan, TrainingTask<TBatch> task, CancellationToken cancellation)
    {
        var (network, steps) = (task.Network, plan.TotalSteps);
        var rate = new LearningRate(plan.LearningRate, plan.WarmUp, steps);
        if (run.Checkpoint is null) task.Begin();
        using var optimizer = new Optimizer(task.Trained, task.Optimizer with
        {
            Method = plan.Optimizer, ProductType = Processor.ScalarType(plan.Precision), EmaDecay = plan.EmaDecay,
        });
        run.Restore(network, optimizer);
        run.RequireSpace(network, optimizer);
        using var batches = task.Batches(run.Step);
        Remark();

        while (run.Step < steps && !run.IsOver(cancellation))
        {
            using var scope = NewDisposeScope();
            using var generator = new Generator((plan.Seed << 32) + (ulong)run.Step);
            var loss = task.Loss(batches.Next(), run.Step, generator);
            loss.backward();
            var learningRate = rate.At(run.Step);
            var norm = optimizer.Step(learningRate);
            var value = loss.ToDouble();
            run.Count(value, norm, learningRate, plan.Batch, steps);
            task.AfterStep?.Invoke(value);
            Remark();

            if (run.IsSaveDue(plan.SaveMinutes)) run.Save(network, optimizer);
            if (run.IsEvaluationDue(plan.EvaluateMinutes)) Evaluate();
        }

        run.Save(network, optimizer);
        return new TrainingResult(run.Step, run.Seconds, run.Step >= steps, Evaluate());

        Dictionary<string, double> Evaluate()
        {
            optimizer.SwapAverages();
            var metrics = task.Evaluate();
            optimizer.SwapAverages();
            if (metrics.Count > 0) run.Note(Metrics(metrics, task.MetricFormat), steps);
            return metrics;
        }

        void Remark()
        {
            foreach (var remark in task.Remarks()) run.Note(remark, steps);
        }
    }

    private static string Metrics(Dictionary<string, double> metrics, string format) =>
        string.Join(", ", metrics.Select(m => $"{m.Key} {m.Value.ToString(format, System.Globalization.CultureInfo.InvariantCulture)}"));
}
