using Alebrije.Tensors;
using static TorchSharp.torch;

namespace Alebrije.Diffusion;

/// <summary>
/// UniPC (Zhao et al., 2023, algorithms 1 and 2, data prediction), after diffusers/schedulers/scheduling_unipc_multistep.py: each call of
/// the network first corrects its input sample (UniC), then predicts the next one (UniP), with the same unified formula.
/// </summary>
internal sealed class UniPcScheduler : SigmaScheduler
{
    private readonly OutputHistory history;
    private Tensor? last;
    private int lastOrder;

    /// <exception cref="NotSupportedException">The configuration requires a feature that this class does not support.</exception>
    public UniPcScheduler(SchedulerConfig config) : base(config)
    {
        if (config.SolverType is not ("bh1" or "bh2" or "midpoint" or "heun" or "logrho"))
            throw config.Unsupported("solver_type", config.SolverType, "bh1, bh2");
        if (!config.PredictX0) throw config.Unsupported("predict_x0", false, "true");
        if (config.SolverOrder is < 1 or > 3) throw config.Unsupported("solver_order", config.SolverOrder, "1, 2, 3");
        history = new OutputHistory(config.SolverOrder);
    }

    public override void SetTimesteps(int steps)
    {
        (Steps, Levels) = SigmaGrid.Whole(Config, Schedule, steps);
        Forget();
    }

    public override SchedulerStep Step(Tensor output, int index, Tensor x, Noise noise, float eta = 0)
    {
        if (!history.Follows(index)) Forget();
        using var scope = NewDisposeScope();
        var (prediction, _) = Parameterisation.Split(output, x);
        var (alpha, sigma) = SigmaForm.AlphaSigma(Levels[index]);
        var original = Config.PredictionType switch
        {
            PredictionType.Epsilon => (x - sigma * prediction) / alpha,
            PredictionType.Sample => prediction.alias(),
            _ => alpha * x - sigma * prediction,
        };
        if (Config.Thresholding) original = Parameterisation.Threshold(original, Config.DynamicThresholdingRatio, Config.SampleMaxValue);

        var corrected = last is null || Config.DisableCorrector?.Contains(index - 1) == true
            ? x.alias()
            : Update(last, index - 1, lastOrder, original);
        history.Push(original, index);
        last?.Dispose();
        last = corrected.alias().DetachFromDisposeScope();
        lastOrder = Math.Min(Config.LowerOrderFinal ? Steps.Length - index : Config.SolverOrder, history.Count);
        var previous = Update(corrected, index, lastOrder, arrived: null);
        return new SchedulerStep(previous, original).MoveToOuterDisposeScope();
    }

    public override Tensor AddNoise(Tensor original, Tensor noise, int index)
    {
        using var scope = NewDisposeScope();
        var (alpha, sigma) = SigmaForm.AlphaSigma(Levels[index]);
        return (alpha * original + sigma * noise).MoveToOuterDisposeScope();
    }

    /// <summary>Updates x from Levels[index] to the next noise level; with a prediction at that level (UniC), or without (UniP).</summary>
    private Tensor Update(Tensor x, int index, int order, Tensor? arrived)
    {
        var ((alphaT, sigmaT), (_, sigmaS)) = (SigmaForm.AlphaSigma(Levels[index + 1]), SigmaForm.AlphaSigma(Levels[index]));
        var lambda = SigmaForm.Lambda(Levels[index]);
        var h = SigmaForm.Lambda(Levels[index + 1]) - lambda;
        var decay = (float)(Math.Exp(-h) - 1);
        var weight = Config.SolverType == "bh1" ? -h : decay;  // B(h)
        float[] ratios = [.. Enumerable.Range(1, order - 1).Select(back => (SigmaForm.Lambda(Levels[index - back]) - lambda) / h)];
        var rho = Rho(ratios, h, weight, corrector: arrived is not null);

        var next = sigmaT / sigmaS * x - alphaT * decay * history[0];
        for (var back = 1; back < order; back++)
            next = next - alphaT * weight * rho[back - 1] / ratios[back - 1] * (history[back] - history[0]);
        return arrived is null ? next : next - alphaT * weight * rho[^1] * (arrived - history[0]);
    }

    /// <summary>Solves R rho = b (eq. 11), with the paper's fixed values for the lowest orders (§3.3).</summary>
    private static float[] Rho(float[] ratios, float h, float weight, bool corrector)
    {
        var order = ratios.Length + 1;
        if (corrector && order == 1) return [0.5f];
        if (!corrector && order <= 2) return order == 2 ? [0.5f] : [];

        var (nodes, size) = ((double[])[.. ratios.Select(ratio => (double)ratio), 1], corrector ? order : order - 1);
        var system = new double[size, size + 1];
        var (phi, factorial) = (((Math.Exp(-h) - 1) / -h) - 1, 1.0);
        for (var row = 0; row < size; row++)
        {
            for (var column = 0; column < size; column++) system[row, column] = Math.Pow(nodes[column], row);
            system[row, size] = phi * factorial / weight;
            factorial *= row + 2;
            phi = (phi / -h) - (1 / factorial);
        }

        return Solve(system, size);
    }

    /// <summary>Gaussian elimination; Vandermonde systems of distinct nodes need no pivoting.</summary>
    private static float[] Solve(double[,] system, int size)
    {
        for (var pivot = 0; pivot < size; pivot++)
        {
            for (var row = 0; row < size; row++)
            {
                if (row == pivot) continue;
                var factor = system[row, pivot] / system[pivot, pivot];
                for (var column = pivot; column <= size; column++) system[row, column] -= factor * system[pivot, column];
            }
        }

        return [.. Enumerable.Range(0, size).Select(row => (float)(system[row, size] / system[row, row]))];
    }

    protected override void Forget()
    {
        history.Clear();
        last?.Dispose();
        (last, lastOrder) = (null, 0);
    }
}
