using System.Numerics;
using System.Runtime.InteropServices;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Alebrije.Training;

/// <summary>One parameter in training, with its optimiser's state.</summary>
internal abstract class OptimizerSlot : IDisposable
{
    private readonly bool decays;
    private Tensor? gradient;

    protected OptimizerSlot(string name, Parameter parameter, bool averaged)
    {
        if (parameter.dtype != ScalarType.Float32 || !parameter.is_contiguous())
            throw new ArgumentException($"Parameter {name} must be contiguous float32, not {parameter.dtype}.");
        (Name, Parameter, Count) = (name, parameter, checked((int)parameter.numel()));
        decays = parameter.ndim >= 2;
        Average = averaged ? parameter.detach().clone().DetachFromDisposeScope() : null;
    }

    public string Name { get; }

    public Parameter Parameter { get; }

    public int Count { get; }

    public Tensor? Average { get; }

    /// <summary>Rate of this parameter as a multiple of the step's.</summary>
    public float RateShare { get; set; } = 1;

    public bool HasGradient => gradient is not null;

    public Span<float> Gradients => Floats(gradient!);

    /// <summary>Tensors of a checkpoint.</summary>
    public IEnumerable<KeyValuePair<string, Tensor>> State =>
        Average is null ? Moments : Moments.Append(KeyValuePair.Create("ema/" + Name, Average));

    /// <summary>Moments kept by the method.</summary>
    protected abstract IEnumerable<KeyValuePair<string, Tensor>> Moments { get; }

    public void TakeGradient()
    {
        gradient = Parameter.grad;
        if (gradient is null || gradient.is_contiguous()) return;
        using var strided = gradient;
        gradient = strided.contiguous();
    }

    public void DropGradient()
    {
        gradient?.Dispose();
        gradient = null;
        Parameter.grad = null;
    }

    /// <summary>Updates a piece of the parameter and of its average; does nothing without a gradient.</summary>
    public void Update(int start, int length, in OptimizerStep step)
    {
        if (gradient is null) return;
        var own = step.At(RateShare);
        Move(start, length, decays ? own.Decay : 1f, own);
        if (Average is not null) Mix(Floats(Average).Slice(start, length), Floats(Parameter).Slice(start, length), step.Ema);
    }

    public void SwapAverage()
    {
        if (Average is null) return;
        var weights = Floats(Parameter);
        var average = Floats(Average);
        for (var i = 0; i < weights.Length; i++) (weights[i], average[i]) = (average[i], weights[i]);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    protected static Span<float> Floats(Tensor tensor) => MemoryMarshal.Cast<byte, float>(tensor.bytes);

    protected static Tensor Zeros(Tensor like)
    {
        using var _ = no_grad();
        return zeros_like(like).DetachFromDisposeScope();
    }

    /// <summary>Updates a piece of the weights.</summary>
    protected abstract void Move(int start, int length, float decay, in OptimizerStep step);

    protected virtual void Dispose(bool disposing)
    {
        Average?.Dispose();
        gradient?.Dispose();
    }

    /// <summary>average = share * average + (1 - share) * values</summary>
    protected static void Mix(Span<float> average, ReadOnlySpan<float> values, float share)
    {
        var i = 0;
        for (var size = Vector<float>.Count; i <= average.Length - size; i += size)
            ((new Vector<float>(average[i..]) * share) + (new Vector<float>(values[i..]) * (1 - share))).CopyTo(average[i..]);
        for (; i < average.Length; i++) average[i] = (average[i] * share) + (values[i] * (1 - share));
    }
}

/// <summary>AdamW (Loshchilov and Hutter, 2019, algorithm 2; torch.optim.AdamW's order of operations), in one pass over memory.</summary>
internal sealed class AdamWSlot(string name, Parameter parameter, bool averaged) : OptimizerSlot(name, parameter, averaged)
{
    private readonly Tensor m = Zeros(parameter), v = Zeros(parameter);

    /// <inheritdoc/>
    protected override IEnumerable<KeyValuePair<string, Tensor>> Moments =>
        [KeyValuePair.Create("m/" + Name, m), KeyValuePair.Create("v/" + Name, v)];

    /// <inheritdoc/>
    protected override void Move(int start, int length, float decay, in OptimizerStep c)
    {
        var g = Gradients.Slice(start, length);
        var w = Floats(Parameter).Slice(start, length);
        var m1 = Floats(m).Slice(start, length);
        var m2 = Floats(v).Slice(start, length);
        var rate = Parameter.ndim == 0 ? c.CorrectedRate * c.NumberRate : c.CorrectedRate;
        var i = 0;
        for (var size = Vector<float>.Count; i <= length - size; i += size)
        {
            var gradients = new Vector<float>(g[i..]) * c.Scale;
            var first = (new Vector<float>(m1[i..]) * c.Beta1) + (gradients * (1 - c.Beta1));
            var second = (new Vector<float>(m2[i..]) * c.Beta2) + (gradients * gradients * (1 - c.Beta2));
            first.CopyTo(m1[i..]);
            second.CopyTo(m2[i..]);
            var denominator = (Vector.SquareRoot(second) * c.InverseRootBias2) + new Vector<float>(c.Epsilon);
            ((new Vector<float>(w[i..]) * decay) - (rate * first / denominator)).CopyTo(w[i..]);
        }

        for (; i < length; i++)
        {
            var value = g[i] * c.Scale;
            m1[i] = (m1[i] * c.Beta1) + (value * (1 - c.Beta1));
            m2[i] = (m2[i] * c.Beta2) + (value * value * (1 - c.Beta2));
            w[i] = (w[i] * decay) - (rate * m1[i] / ((MathF.Sqrt(m2[i]) * c.InverseRootBias2) + c.Epsilon));
        }
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        m.Dispose();
        v.Dispose();
        base.Dispose(disposing);
    }
}

/// <summary>
/// Muon (Jordan et al., 2024): updates a weight matrix along its nearly orthogonalised Nesterov momentum, so that rare directions are
/// learnt as fast as common ones. The step is as large as AdamW's at the same rate: 0.2 √max(rows, columns) (Liu et al., 2025, §2.2).
/// A convolution is the matrix of its output channels by all other dimensions.
/// </summary>
internal sealed class MuonSlot(string name, Parameter parameter, bool averaged, ScalarType productType)
    : OptimizerSlot(name, parameter, averaged)
{
    private readonly Tensor momentum = Zeros(parameter), direction = Zeros(parameter);

    /// <inheritdoc/>
    protected override IEnumerable<KeyValuePair<string, Tensor>> Moments => [KeyValuePair.Create("m/" + Name, momentum)];

    /// <summary>
    /// Approximates the nearest orthogonal matrix: five steps of a Newton-Schulz iteration whose coefficients bring singular values
    /// between 0 and 1 to about 0.7 to 1.2 (Jordan et al., 2024).
    /// </summary>
    /// <param name="matrix">[rows, columns]</param>
    /// <param name="type">Floating-point format of the matrix products.</param>
    /// <returns>[rows, columns] of <paramref name="type"/></returns>
    public static Tensor Orthogonalize(Tensor matrix, ScalarType type)
    {
        var isTall = matrix.shape[0] > matrix.shape[1];
        var x = (matrix / (matrix.norm() + 1e-7)).to(type);
        if (isTall) x = x.t();
        for (var i = 0; i < 5; i++)
        {
            var a = x.mm(x.t());
            var b = (-4.7750 * a) + (2.0315 * a.mm(a));
            x = (3.4445 * x) + b.mm(x);
        }

        return isTall ? x.t() : x;
    }

    /// <summary>Adds the gradient to the momentum and computes the step's direction; does nothing without a gradient.</summary>
    public void Turn(in OptimizerStep c)
    {
        if (!HasGradient) return;
        using var guard = no_grad();
        using var scope = NewDisposeScope();
        var g = Gradients;
        var m = Floats(momentum);
        var d = Floats(direction);
        for (var i = 0; i < d.Length; i++)
        {
            var value = g[i] * c.Scale;
            m[i] = (m[i] * c.Momentum) + (value * (1 - c.Momentum));
            d[i] = (m[i] * c.Momentum) + (value * (1 - c.Momentum));
        }

        var matrix = direction.view(Parameter.shape[0], -1);
        matrix.copy_(Orthogonalize(matrix, productType));
    }

    /// <inheritdoc/>
    protected override void Move(int start, int length, float decay, in OptimizerStep c)
    {
        var columns = Count / (int)Parameter.shape[0];
        var rate = 0.2f * MathF.Sqrt(Math.Max((int)Parameter.shape[0], columns)) * c.Rate;
        var w = Floats(Parameter).Slice(start, length);
        var d = Floats(direction).Slice(start, length);
        var i = 0;
        for (var size = Vector<float>.Count; i <= length - size; i += size)
            ((new Vector<float>(w[i..]) * decay) - (new Vector<float>(d[i..]) * rate)).CopyTo(w[i..]);
        for (; i < length; i++) w[i] = (w[i] * decay) - (d[i] * rate);
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        momentum.Dispose();
        direction.Dispose();
        base.Dispose(disposing);
    }
}
