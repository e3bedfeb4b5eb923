using Alebrije.Tensors;
using static TorchSharp.torch;

namespace Alebrije.Diffusion;

/// <summary>
/// Linear multistep method of order 4 over sigma, after diffusers/schedulers/scheduling_lms_discrete.py and k-diffusion: the derivative is
/// a polynomial through its last values, integrated from one noise level to the next.
/// </summary>
internal sealed class LmsScheduler(SchedulerConfig config) : KarrasScheduler(config)
{
    private const int Order = 4;

    // Gauss-Legendre with four nodes on [-1, 1], exact for the cubic polynomials of order 4.
    private static readonly (double Node, double Weight)[] Quadrature =
    [
        (-0.8611363115940526, 0.3478548451374538), (-0.3399810435848563, 0.6521451548625461),
        (0.3399810435848563, 0.6521451548625461), (0.8611363115940526, 0.3478548451374538),
    ];

    private readonly OutputHistory derivatives = new(Order);

    public override SchedulerStep Step(Tensor output, int index, Tensor x, Noise noise, float eta = 0)
    {
        using var scope = NewDisposeScope();
        var (prediction, _) = Parameterisation.Split(output, x);
        var original = Parameterisation.OriginalAtSigma(Config.PredictionType, prediction, x, Levels[index]);
        derivatives.Push((x - original) / Levels[index], index);

        var order = Math.Min(index + 1, Order);
        var previous = x.alias();
        for (var back = 0; back < Math.Min(order, derivatives.Count); back++)
            previous = previous + (float)Coefficient(order, index, back) * derivatives[back];
        return new SchedulerStep(previous, original).MoveToOuterDisposeScope();
    }

    protected override void Forget() => derivatives.Clear();

    /// <summary>
    /// The integral, over the step, of the Lagrange polynomial that is 1 at the noise level of <paramref name="back"/> steps ago.
    /// </summary>
    private double Coefficient(int order, int index, int back)
    {
        double Level(int steps) => Levels[index - steps];
        var (middle, half) = ((Level(0) + Level(-1)) / 2, (Level(-1) - Level(0)) / 2);
        double Lagrange(double sigma) => Enumerable.Range(0, order).Where(k => k != back)
            .Aggregate(1.0, (product, k) => product * (sigma - Level(k)) / (Level(back) - Level(k)));
        return half * Quadrature.Sum(point => point.Weight * Lagrange(middle + (half * point.Node)));
    }
}
