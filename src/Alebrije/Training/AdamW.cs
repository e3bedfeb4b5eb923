using System.Numerics;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;
using System.Runtime.InteropServices;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Alebrije.Training;

/// <summary>What the optimiser is told once; the learning rate comes with each step.</summary>
internal sealed record AdamWOptions
{
    public double Beta1 { get; init; } = 0.9;
    public double Beta2 { get; init; } = 0.98;
    public double Epsilon { get; init; } = 1e-6;

    /// <summary>Decoupled weight decay, on tensors of two dimensions or more and on no others.</summary>
    public double WeightDecay { get; init; } = 0.05;

    /// <summary>Largest norm of all gradients together; they are scaled down to it.</summary>
    public double ClipNorm { get; init; } = 1;

    /// <summary>Decay of the moving average of the weights; 0 keeps none.</summary>
    public double EmaDecay { get; init; }
}

/// <summary>
/// AdamW (Loshchilov and Hutter, 2019, algorithm 2; torch.optim.AdamW's order of operations) with gradient clipping and a moving average
/// of the weights, in one pass over the memory of float32 parameters on the CPU: a small network spends its time in optimiser overhead otherwise.
/// </summary>
internal sealed class AdamW : IDisposable
{
    private const int Chunk = 1 << 16;
    private readonly AdamWOptions options;
    private readonly Slot[] slots;
    private readonly (int Slot, int Start, int Length)[] pieces;

    /// <param name="parameters">Trained parameters by name, float32, contiguous, on the CPU.</param>
    /// <param name="options">Constants of the method.</param>
    public AdamW(IEnumerable<(string Name, Parameter Parameter)> parameters, AdamWOptions options)
    {
        this.options = options;
        slots = parameters.Select(p => new Slot(p.Name, p.Parameter, options.EmaDecay > 0)).ToArray();
        pieces = slots.SelectMany((slot, i) => Enumerable.Range(0, (slot.Count + Chunk - 1) / Chunk)
            .Select(c => (i, c * Chunk, Math.Min(Chunk, slot.Count - (c * Chunk))))).ToArray();
    }

    /// <summary>Steps taken so far.</summary>
    public long Steps { get; set; }

    /// <summary>Moments and averages by name (<c>m/…</c>, <c>v/…</c>, <c>ema/…</c>), to be saved and restored.</summary>
    public IEnumerable<KeyValuePair<string, Tensor>> State => slots.SelectMany(slot => slot.State);

    /// <summary>Average of a parameter, or the parameter itself when no average is kept.</summary>
    public IEnumerable<KeyValuePair<string, Tensor>> Averages =>
        slots.Select(slot => KeyValuePair.Create(slot.Name, slot.Average ?? slot.Parameter));

    /// <summary>Exchanges weights and their averages in place; a second call exchanges them back.</summary>
    public void SwapAverages()
    {
        foreach (var slot in slots)
        {
            if (slot.Average is null) continue;
            var weights = Slot.Floats(slot.Parameter);
            var average = Slot.Floats(slot.Average);
            for (var i = 0; i < weights.Length; i++) (weights[i], average[i]) = (average[i], weights[i]);
        }
    }

    /// <summary>Clips the gradients, takes one step and forgets them.</summary>
    /// <param name="learningRate">Rate of this step.</param>
    /// <returns>Norm of the gradients before clipping.</returns>
    public double Step(double learningRate)
    {
        foreach (var slot in slots) slot.TakeGradient();
        var squares = new double[pieces.Length];
        Parallel.For(0, pieces.Length, i =>
        {
            var (slot, start, length) = pieces[i];
            squares[i] = slots[slot].HasGradient ? TensorPrimitives.SumOfSquares(slots[slot].Gradients.Slice(start, length)) : 0;
        });
        var norm = Math.Sqrt(squares.Sum());
        if (!double.IsFinite(norm))
        {
            foreach (var slot in slots) slot.DropGradient();
            return norm;
        }

        Steps++;
        var constants = StepConstants.Create(options, learningRate, norm, Steps);
        Parallel.For(0, pieces.Length, i => slots[pieces[i].Slot].Update(pieces[i].Start, pieces[i].Length, constants));
        foreach (var slot in slots) slot.DropGradient();
        return norm;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var slot in slots) slot.Dispose();
    }

    private readonly record struct StepConstants(
        float Scale, float Decay, float Beta1, float Beta2, float Rate, float InverseRootBias2, float Epsilon, float Ema)
    {
        public static StepConstants Create(AdamWOptions options, double rate, double norm, long step)
        {
            var bias1 = 1 - Math.Pow(options.Beta1, step);
            var bias2 = 1 - Math.Pow(options.Beta2, step);
            // The average's memory grows with the run, so that it does not remember the initial weights.
            var ema = Math.Min(options.EmaDecay, (1.0 + step) / (10.0 + step));
            return new StepConstants(
                (float)Math.Min(1, options.ClipNorm / (norm + 1e-6)), (float)(1 - (rate * options.WeightDecay)), (float)options.Beta1,
                (float)options.Beta2, (float)(rate / bias1), (float)(1 / Math.Sqrt(bias2)), (float)options.Epsilon, (float)ema);
        }
    }

    private sealed class Slot : IDisposable
    {
        private readonly Tensor m, v;
        private readonly bool decays;
        private Tensor? gradient;

        public Slot(string name, Parameter parameter, bool averaged)
        {
            if (parameter.dtype != ScalarType.Float32 || !parameter.is_contiguous())
                throw new ArgumentException($"Parameter {name} must be contiguous float32, not {parameter.dtype}.");
            (Name, Parameter, Count) = (name, parameter, checked((int)parameter.numel()));
            decays = parameter.ndim >= 2;
            using var _ = no_grad();
            m = zeros_like(parameter).DetachFromDisposeScope();
            v = zeros_like(parameter).DetachFromDisposeScope();
            Average = averaged ? parameter.detach().clone().DetachFromDisposeScope() : null;
        }

        public string Name { get; }

        public Parameter Parameter { get; }

        public int Count { get; }

        public Tensor? Average { get; }

        public bool HasGradient => gradient is not null;

        public Span<float> Gradients => Floats(gradient!);

        public IEnumerable<KeyValuePair<string, Tensor>> State
        {
            get
            {
                yield return KeyValuePair.Create("m/" + Name, m);
                yield return KeyValuePair.Create("v/" + Name, v);
                if (Average is not null) yield return KeyValuePair.Create("ema/" + Name, Average);
            }
        }

        public static Span<float> Floats(Tensor tensor) => MemoryMarshal.Cast<byte, float>(tensor.bytes);

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

        public void Update(int start, int length, in StepConstants c)
        {
            if (gradient is null) return;
            var g = Gradients.Slice(start, length);
            var w = Floats(Parameter).Slice(start, length);
            var m1 = Floats(m).Slice(start, length);
            var m2 = Floats(v).Slice(start, length);
            var average = Average is null ? [] : Floats(Average).Slice(start, length);
            var decay = decays ? c.Decay : 1f;
            var i = 0;
            for (var size = Vector<float>.Count; i <= length - size; i += size)
            {
                var gradients = new Vector<float>(g[i..]) * c.Scale;
                var first = (new Vector<float>(m1[i..]) * c.Beta1) + (gradients * (1 - c.Beta1));
                var second = (new Vector<float>(m2[i..]) * c.Beta2) + (gradients * gradients * (1 - c.Beta2));
                first.CopyTo(m1[i..]);
                second.CopyTo(m2[i..]);
                var denominator = (Vector.SquareRoot(second) * c.InverseRootBias2) + new Vector<float>(c.Epsilon);
                var weights = (new Vector<float>(w[i..]) * decay) - (c.Rate * first / denominator);
                weights.CopyTo(w[i..]);
                if (average.Length > 0) ((new Vector<float>(average[i..]) * c.Ema) + (weights * (1 - c.Ema))).CopyTo(average[i..]);
            }

            for (; i < length; i++)
            {
                var value = g[i] * c.Scale;
                m1[i] = (m1[i] * c.Beta1) + (value * (1 - c.Beta1));
                m2[i] = (m2[i] * c.Beta2) + (value * value * (1 - c.Beta2));
                w[i] = (w[i] * decay) - (c.Rate * m1[i] / ((MathF.Sqrt(m2[i]) * c.InverseRootBias2) + c.Epsilon));
                if (average.Length > 0) average[i] = (average[i] * c.Ema) + (w[i] * (1 - c.Ema));
            }
        }

        public void Dispose()
        {
            m.Dispose();
            v.Dispose();
            Average?.Dispose();
            gradient?.Dispose();
        }
    }
}
