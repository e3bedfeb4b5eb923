using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Embeddings;

/// <summary>
/// Multinomial logistic regression: minimises mean cross entropy plus λ/2 times the squared weights (not biases); strictly convex in
/// the weights. Solved by L-BFGS (Liu and Nocedal, 1989) with backtracking, in float64.
/// </summary>
internal sealed class LogisticRegression
{
    private const int Remembered = 12, MostHalvings = 40;
    private const double SufficientDecrease = 1e-4;
    private readonly Tensor features, targets;
    private readonly int classes;

    /// <param name="features">[samples, width] float64; stays the caller's</param>
    /// <param name="targets">[samples] int64 in [0, classes); stays the caller's</param>
    /// <param name="classes">At least 2.</param>
    public LogisticRegression(Tensor features, Tensor targets, int classes) =>
        (this.features, this.targets, this.classes) = (features, targets, classes);

    /// <summary>Finds the minimum.</summary>
    /// <param name="lambda">Strength of the penalty, above 0.</param>
    /// <param name="start">[classes, width + 1] where the search begins, such as the solution for another λ; null begins at 0</param>
    /// <param name="tolerance">Norm of the gradient at which it ends.</param>
    /// <param name="iterations">Steps after which it ends in any case.</param>
    /// <returns>[classes, width + 1] float64, the last column the biases</returns>
    public Tensor Fit(double lambda, Tensor? start = null, double tolerance = 1e-6, int iterations = 1000)
    {
        using var guard = no_grad();
        using var scope = NewDisposeScope();
        var x = start?.clone() ?? zeros(classes, features.shape[1] + 1, ScalarType.Float64);
        var (value, gradient) = Evaluate(x, lambda);
        var pairs = new List<(Tensor Step, Tensor Change, double Curvature)>();
        for (var i = 0; i < iterations && gradient.norm().ToDouble() > tolerance; i++)
        {
            var direction = Direction(gradient, pairs);
            var slope = Dot(direction, gradient);
            var length = i == 0 ? Math.Min(1, 1 / gradient.norm().ToDouble()) : 1.0;
            if (Search(x, value, direction, slope, length, lambda) is not { } found) break;
            var (step, change) = (found.X - x, found.Gradient - gradient);
            if (Dot(step, change) is > 0 and var curvature) pairs.Add((step, change, curvature));
            if (pairs.Count > Remembered)
            {
                pairs[0].Step.Dispose();
                pairs[0].Change.Dispose();
                pairs.RemoveAt(0);
            }

            x.Dispose();
            gradient.Dispose();
            direction.Dispose();
            (x, value, gradient) = found;
        }

        return x.MoveToOuterDisposeScope();
    }

    /// <param name="x">[classes, width + 1]</param>
    /// <param name="lambda">Strength of the penalty.</param>
    /// <returns>The objective, and its gradient [classes, width + 1].</returns>
    public (double Value, Tensor Gradient) Evaluate(Tensor x, double lambda)
    {
        using var scope = NewDisposeScope();
        var weights = x[.., ..^1];
        var logits = Logits(features, x);                                                    // [samples, classes]
        var logs = nn.functional.log_softmax(logits, 1);
        var picked = targets.unsqueeze(1);
        var value = -logs.gather(1, picked).mean().ToDouble() + (lambda / 2 * weights.square().sum().ToDouble());
        var errors = logs.exp().scatter_add(1, picked, -ones_like(picked).to(ScalarType.Float64)) / features.shape[0];
        var gradient = cat([errors.t().mm(features) + (lambda * weights), errors.sum([0L]).unsqueeze(1)], dim: 1);
        return (value, gradient.MoveToOuterDisposeScope());
    }

    /// <returns>[samples, classes]</returns>
    public static Tensor Logits(Tensor features, Tensor x) => features.mm(x[.., ..^1].t()) + x[.., -1];

    private (Tensor X, double Value, Tensor Gradient)? Search(Tensor x,
        double value, Tensor direction, double slope, double length, double lambda)
    {
        for (var i = 0; i < MostHalvings; i++, length /= 2)
        {
            using var step = length * direction;
            var next = x + step;
            var (reached, gradient) = Evaluate(next, lambda);
            if (reached <= value + (SufficientDecrease * length * slope)) return (next, reached, gradient);
            next.Dispose();
            gradient.Dispose();
        }

        // Rounding leaves nothing to gain.
        return null;
    }

    /// <summary>Minus the L-BFGS inverse Hessian times the gradient (Nocedal and Wright, 2006, algorithm 7.4).</summary>
    private static Tensor Direction(Tensor gradient, List<(Tensor Step, Tensor Change, double Curvature)> pairs)
    {
        using var scope = NewDisposeScope();
        var q = -gradient;
        var shares = new double[pairs.Count];
        for (var i = pairs.Count - 1; i >= 0; i--)
        {
            shares[i] = Dot(pairs[i].Step, q) / pairs[i].Curvature;
            q = q - (shares[i] * pairs[i].Change);
        }

        if (pairs.Count > 0) q = q * (pairs[^1].Curvature / Dot(pairs[^1].Change, pairs[^1].Change));
        for (var i = 0; i < pairs.Count; i++) q = q + ((shares[i] - (Dot(pairs[i].Change, q) / pairs[i].Curvature)) * pairs[i].Step);
        return q.MoveToOuterDisposeScope();
    }

    private static double Dot(Tensor a, Tensor b)
    {
        using var product = a * b;
        using var sum = product.sum();
        return sum.ToDouble();
    }
}
