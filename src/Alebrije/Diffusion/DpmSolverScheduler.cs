using Alebrije.Tensors;
using static TorchSharp.torch;

namespace Alebrije.Diffusion;

/// <summary>
/// DPM-Solver++ in its multistep forms of order 1, 2 and 3, and its stochastic form of order 1 and 2 (Lu et al., 2022, "DPM-Solver++",
/// algorithm 2 and §4, appendix B), after diffusers/schedulers/scheduling_dpmsolver_multistep.py. With lambda = log(alpha / sigma) and
/// h the step in lambda, each step integrates the predicted x0 exactly in its exponential weight.
/// </summary>
internal sealed class DpmSolverScheduler : SigmaScheduler
{
    private readonly OutputHistory history;
    private readonly bool stochastic, heun;

    /// <exception cref="NotSupportedException">The configuration requires a feature that this class does not support.</exception>
    public DpmSolverScheduler(SchedulerConfig config) : base(config)
    {
        stochastic = config.AlgorithmType == "sde-dpmsolver++";
        heun = config.SolverType == "heun";
        if (config.AlgorithmType is not ("dpmsolver++" or "sde-dpmsolver++" or "deis"))
            throw config.Unsupported("algorithm_type", config.AlgorithmType, "dpmsolver++, sde-dpmsolver++");
        if (config.SolverType is not ("midpoint" or "heun" or "logrho" or "bh1" or "bh2"))
            throw config.Unsupported("solver_type", config.SolverType, "midpoint, heun");
        if (config.SolverOrder < 1 || config.SolverOrder > (stochastic ? 2 : 3))
            throw config.Unsupported("solver_order", config.SolverOrder, stochastic ? "1, 2 with sde-dpmsolver++" : "1, 2, 3");
        history = new OutputHistory(config.SolverOrder);
    }

    public override void SetTimesteps(int steps)
    {
        (Steps, Levels) = SigmaGrid.Whole(Config, Schedule, steps);
        Forget();
    }

    public override SchedulerStep Step(Tensor output, int index, Tensor x, Noise noise, float eta = 0)
    {
        using var scope = NewDisposeScope();
        var (prediction, _) = Parameterisation.Split(output, x);
        var original = OriginalOf(prediction, x, Levels[index]);
        history.Push(original, index);
        var draw = stochastic ? noise.Randn(x.shape).to(x.device) : null;
        var previous = Update(OrderAt(index), index, x.to(ScalarType.Float32), draw);
        return new SchedulerStep(previous.to(x.dtype), original).MoveToOuterDisposeScope();
    }

    public override Tensor AddNoise(Tensor original, Tensor noise, int index)
    {
        using var scope = NewDisposeScope();
        var (alpha, sigma) = SigmaForm.AlphaSigma(Levels[index]);
        return (alpha * original + sigma * noise).MoveToOuterDisposeScope();
    }

    protected override void Forget() => history.Clear();

    private Tensor OriginalOf(Tensor prediction, Tensor x, float sigma)
    {
        var (alphaT, sigmaT) = SigmaForm.AlphaSigma(sigma);
        var original = Config.PredictionType switch
        {
            PredictionType.Epsilon => (x - sigmaT * prediction) / alphaT,
            PredictionType.Sample => prediction.alias(),
            _ => alphaT * x - sigmaT * prediction,
        };
        return Config.Thresholding
            ? Parameterisation.Threshold(original, Config.DynamicThresholdingRatio, Config.SampleMaxValue)
            : original;
    }

    /// <summary>Order of a step: limited by the history, and lower near the end of short runs and before sigma 0.</summary>
    private int OrderAt(int index)
    {
        var left = Steps.Length - index;
        var shortRun = Config.LowerOrderFinal && Steps.Length < 15;
        var allowed = left == 1 && (Config.EulerAtFinal || shortRun || Config.FinalSigmasType == "zero") ? 1
            : left == 2 && shortRun ? 2
            : Config.SolverOrder;
        return Math.Min(Math.Min(allowed, Config.SolverOrder), history.Count);
    }

    private Tensor Update(int order, int index, Tensor x, Tensor? draw)
    {
        var ((alphaT, sigmaT), (_, sigmaS)) = (SigmaForm.AlphaSigma(Levels[index + 1]), SigmaForm.AlphaSigma(Levels[index]));
        var h = SigmaForm.Lambda(Levels[index + 1]) - SigmaForm.Lambda(Levels[index]);

        // The stochastic form is the deterministic one with twice the step in the weight of x0, plus noise for the variance that x loses.
        var k = stochastic ? 2 * h : h;
        var decay = MathF.Exp(-k) - 1;
        var next = (stochastic ? sigmaT / sigmaS * MathF.Exp(-h) : sigmaT / sigmaS) * x - alphaT * decay * history[0];
        if (order >= 2)
        {
            var r0 = (SigmaForm.Lambda(Levels[index]) - SigmaForm.Lambda(Levels[index - 1])) / h;
            var slope = 1 / r0 * (history[0] - history[1]);
            if (order == 2)
            {
                next = next + (heun ? alphaT * ((decay / k) + 1) : -0.5f * alphaT * decay) * slope;
            }
            else
            {
                var r1 = (SigmaForm.Lambda(Levels[index - 1]) - SigmaForm.Lambda(Levels[index - 2])) / h;
                var difference = slope - 1 / r1 * (history[1] - history[2]);
                var first = slope + r0 / (r0 + r1) * difference;
                var second = 1 / (r0 + r1) * difference;
                next = next + alphaT * ((decay / k) + 1) * first - alphaT * (((decay + k) / (k * k)) - 0.5f) * second;
            }
        }

        return draw is null ? next : next + sigmaT * MathF.Sqrt(-decay) * draw;
    }
}
