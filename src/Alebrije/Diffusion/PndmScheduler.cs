using Alebrije.Tensors;
using static TorchSharp.torch;

namespace Alebrije.Diffusion;

/// <summary>
/// Pseudo numerical methods (Liu et al., 2022, eq. 9, 12 and 13), after diffusers/schedulers/scheduling_pndm.py: a linear multistep method
/// that starts with pseudo Runge-Kutta steps of four calls each or, in Stable Diffusion's form, with one averaged step; the second timestep
/// then appears twice in the list and N steps make N + 1 calls.
/// </summary>
internal sealed class PndmScheduler : IScheduler
{
    private const int RungeKuttaOrder = 4;
    private readonly float finalAlphaBar;
    private readonly OutputHistory history = new(RungeKuttaOrder);
    private float[] timesteps = [];
    private Tensor? origin, average;
    private int stride, rungeKuttaCalls, calls, next = -1;

    /// <exception cref="NotSupportedException">The configuration requires a feature that this class does not support.</exception>
    public PndmScheduler(SchedulerConfig config)
    {
        if (config.PredictionType == PredictionType.Sample) throw config.Unsupported("prediction_type", "sample", "epsilon, v_prediction");
        (Config, Schedule) = (config, NoiseSchedule.From(config));
        finalAlphaBar = config.SetAlphaToOne ? 1 : Schedule.AlphaBar(0);
    }

    public SchedulerConfig Config { get; }
    public NoiseSchedule Schedule { get; }
    public IReadOnlyList<float> Timesteps => timesteps;

    public void SetTimesteps(int steps)
    {
        TimestepGrid.Check(Config, steps, least: Config.SkipPrkSteps ? 1 : RungeKuttaOrder);
        var grid = TimestepGrid.Spaced(Config, steps);
        stride = Config.TrainTimesteps / steps;
        float[] rungeKutta = Config.SkipPrkSteps ? [] : RungeKuttaTimesteps(grid, stride / 2);
        float[] multistep = !Config.SkipPrkSteps ? grid[3..]
            : steps > 1 ? [grid[0], grid[1], .. grid[1..]]
            : grid;
        (timesteps, rungeKuttaCalls) = ([.. rungeKutta, .. multistep], rungeKutta.Length);
        Restart();
    }

    public SchedulerStep Step(Tensor output, int index, Tensor x, Noise noise, float eta = 0)
    {
        if (index != next) Restart();
        using var scope = NewDisposeScope();
        var t = (int)timesteps[index];
        var (prediction, _) = Parameterisation.Split(output, x);
        var original = Parameterisation.Original(Config.PredictionType, prediction, x, Schedule.AlphaBar(t));
        var previous = calls < rungeKuttaCalls ? RungeKutta(prediction, t, x) : Multistep(prediction, t, x);
        (calls, next) = (calls + 1, index + 1);
        return new SchedulerStep(previous, original).MoveToOuterDisposeScope();
    }

    public void Dispose() => Restart();

    /// <summary>Each of the first four timesteps and the midpoint to the next; all except the first and the last appear twice.</summary>
    private static float[] RungeKuttaTimesteps(float[] grid, int half)
    {
        float[] pairs = [.. grid[..RungeKuttaOrder].SelectMany(t => new[] { t + half, t }).Skip(1)];
        return [.. pairs.SelectMany(t => new[] { t, t }).Skip(1).SkipLast(1)];
    }

    /// <summary>
    /// One of four calls of a Runge-Kutta step (eq. 13): weights 1/6, 1/3, 1/3, 1/6, from the initial sample of the step.
    /// </summary>
    private Tensor RungeKutta(Tensor prediction, int t, Tensor x)
    {
        var phase = calls % 4;
        var from = (int)timesteps[calls - phase];
        var to = calls % 2 == 0 ? t - (stride / 2) : t;
        if (phase == 0)
        {
            history.Add(prediction);
            Keep(ref origin, x);
        }

        var share = (phase is 0 or 3 ? 1f / 6 : 1f / 3) * prediction;
        var sum = average is null ? share : average + share;
        Keep(ref average, phase == 3 ? null : sum);
        return Transfer(origin!, from, to, phase == 3 ? sum : prediction);
    }

    /// <summary>Adams-Bashforth on the last predictions (eq. 12), of the highest order that they allow.</summary>
    private Tensor Multistep(Tensor prediction, int t, Tensor x)
    {
        if (calls == 1)
        {
            // The second call of Stable Diffusion's form repeats the first step with the mean of both ends.
            var again = Transfer(origin!, t + stride, t, (prediction + history[0]) / 2);
            Keep(ref origin, null);
            return again;
        }

        history.Add(prediction);
        if (calls == 0) Keep(ref origin, x);
        var mean = history.Count switch
        {
            1 => history[0],
            2 => (3 * history[0] - history[1]) / 2,
            3 => (23 * history[0] - 16 * history[1] + 5 * history[2]) / 12,
            _ => (55 * history[0] - 59 * history[1] + 37 * history[2] - 9 * history[3]) / 24,
        };
        return Transfer(x, t, t - stride, mean);
    }

    /// <summary>Transfers x to another timestep, given the noise (eq. 9).</summary>
    private Tensor Transfer(Tensor x, int from, int to, Tensor prediction)
    {
        var (alphaBar, alphaBarTo) = (Schedule.AlphaBar(from), to >= 0 ? Schedule.AlphaBar(to) : finalAlphaBar);
        var epsilon = Parameterisation.Epsilon(Config.PredictionType, prediction, x, alphaBar);
        var divisor = (alphaBar * MathF.Sqrt(1 - alphaBarTo)) + MathF.Sqrt(alphaBar * (1 - alphaBar) * alphaBarTo);
        return MathF.Sqrt(alphaBarTo / alphaBar) * x - (alphaBarTo - alphaBar) * epsilon / divisor;
    }

    private void Restart()
    {
        history.Clear();
        Keep(ref origin, null);
        Keep(ref average, null);
        (calls, next) = (0, -1);
    }

    private static void Keep(ref Tensor? slot, Tensor? value)
    {
        slot?.Dispose();
        slot = value?.alias().DetachFromDisposeScope();
    }
}
