using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Alebrije.Training;

/// <summary>Update method of weight matrices; AdamW updates all other parameters.</summary>
internal enum OptimizerMethod
{
    /// <summary>Updates each element by its own moments.</summary>
    AdamW,

    /// <summary>Updates each matrix by its orthogonalised momentum (<see cref="MuonSlot"/>).</summary>
    Muon,
}

/// <summary>Constants of the optimiser; the learning rate is an argument of each step.</summary>
internal sealed record OptimizerConstants
{
    public OptimizerMethod Method { get; init; } = OptimizerMethod.AdamW;

    public double Beta1 { get; init; } = 0.9;
    public double Beta2 { get; init; } = 0.98;
    public double Epsilon { get; init; } = 1e-6;

    /// <summary>Momentum of the matrices under <see cref="OptimizerMethod.Muon"/>.</summary>
    public double Momentum { get; init; } = 0.95;

    /// <summary>Floating-point format of Muon's matrix products; a direction needs few digits.</summary>
    public ScalarType ProductType { get; init; } = ScalarType.Float32;

    /// <summary>
    /// Rate of scalars as a multiple of all others' rate: CLIP's logit scale is a logarithm that changes much in training, and by at most
    /// the rate in each step.
    /// </summary>
    public double NumberRate { get; init; } = 1;

    /// <summary>Rate of a parameter by its name, as a multiple of the step's; null: 1 for all.</summary>
    public Func<string, double>? RateOf { get; init; }

    /// <summary>Decoupled weight decay, on tensors of two dimensions or more and on no others.</summary>
    public double WeightDecay { get; init; } = 0.05;

    /// <summary>Largest norm of all gradients together; they are scaled down to it.</summary>
    public double ClipNorm { get; init; } = 1;

    /// <summary>Decay of the moving average of the weights; 0 keeps none.</summary>
    public double EmaDecay { get; init; }
}

/// <summary>
/// AdamW, or Muon for weight matrices and AdamW for the rest, with gradient clipping and a moving average of the weights, on the memory
/// of float32 CPU parameters, since overhead dominates a small network's optimiser otherwise.
/// </summary>
internal sealed class Optimizer : IDisposable
{
    private const int Chunk = 1 << 16;
    private static readonly string[] Tables =
        ["embedding.weight", "shared.weight", "relative_attention_bias.weight", "embed_in.weight", "wte.weight", "perceiver.latents"];
    private readonly OptimizerConstants options;
    private readonly OptimizerSlot[] slots;
    private readonly (OptimizerSlot Slot, int Start, int Length)[] pieces;

    /// <param name="parameters">Trained parameters by name, float32, contiguous, on the CPU.</param>
    /// <param name="options">Constants of the method.</param>
    public Optimizer(IEnumerable<(string Name, Parameter Parameter)> parameters, OptimizerConstants options)
    {
        this.options = options;
        slots = parameters.Select(p => Slot(p.Name, p.Parameter)).ToArray();
        pieces = slots.SelectMany(slot => Enumerable.Range(0, (slot.Count + Chunk - 1) / Chunk)
            .Select(c => (slot, c * Chunk, Math.Min(Chunk, slot.Count - (c * Chunk))))).ToArray();
    }

    /// <summary>Steps taken so far.</summary>
    public long Steps { get; set; }

    /// <summary>Moments and averages by name (<c>m/…</c>, <c>v/…</c>, <c>ema/…</c>), to be saved and restored.</summary>
    public IEnumerable<KeyValuePair<string, Tensor>> State => slots.SelectMany(slot => slot.State);

    /// <summary>Average of a parameter, or the parameter itself when no average is kept.</summary>
    public IEnumerable<KeyValuePair<string, Tensor>> Averages =>
        slots.Select(slot => KeyValuePair.Create(slot.Name, slot.Average ?? slot.Parameter));

    /// <summary>
    /// True if a tensor maps features to features: matrix products and convolutions do; tables of embeddings (T5's too) and single
    /// learnt vectors do not, and their rows are better moved each by its own moments.
    /// </summary>
    public static bool IsMatrix(string name, Tensor parameter) =>
        parameter.ndim >= 2 && !name.EndsWith("embedding", StringComparison.Ordinal)
        && !(parameter.ndim == 2 && Tables.Any(table => name.EndsWith(table, StringComparison.Ordinal)));

    /// <summary>Exchanges weights and their averages in place; a second call exchanges them back.</summary>
    public void SwapAverages()
    {
        foreach (var slot in slots) slot.SwapAverage();
    }

    /// <summary>Clips the gradients, takes one step and clears them.</summary>
    /// <param name="learningRate">Rate of this step.</param>
    /// <returns>Norm of the gradients before clipping.</returns>
    public double Step(double learningRate)
    {
        foreach (var slot in slots) slot.TakeGradient();
        var squares = new double[pieces.Length];
        Parallel.For(0, pieces.Length, i =>
        {
            var (slot, start, length) = pieces[i];
            squares[i] = slot.HasGradient ? TensorPrimitives.SumOfSquares(slot.Gradients.Slice(start, length)) : 0;
        });
        var norm = Math.Sqrt(squares.Sum());
        if (double.IsFinite(norm))
        {
            Steps++;
            var constants = OptimizerStep.Create(options, learningRate, norm, Steps);
            foreach (var slot in slots.OfType<MuonSlot>()) slot.Turn(constants);
            Parallel.For(0, pieces.Length, i => pieces[i].Slot.Update(pieces[i].Start, pieces[i].Length, constants));
        }

        foreach (var slot in slots) slot.DropGradient();
        return norm;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var slot in slots) slot.Dispose();
    }

    private OptimizerSlot Slot(string name, Parameter parameter)
    {
        var averaged = options.EmaDecay > 0;
        OptimizerSlot slot = options.Method == OptimizerMethod.Muon && IsMatrix(name, parameter)
            ? new MuonSlot(name, parameter, averaged, options.ProductType)
            : new AdamWSlot(name, parameter, averaged);
        slot.RateShare = (float)(options.RateOf?.Invoke(name) ?? 1);
        return slot;
    }
}

/// <summary>Constants of one step, the same for all parameters.</summary>
internal readonly record struct OptimizerStep(
    float Scale, float Rate, float Decay, float Beta1, float Beta2,
    float CorrectedRate, float InverseRootBias2, float Epsilon, float Momentum, float NumberRate,
    float Ema)
{
    /// <summary>The same step at a share of its rate.</summary>
    public OptimizerStep At(float share) => share == 1 ? this
        : this with { Rate = share * Rate, CorrectedRate = share * CorrectedRate, Decay = 1 - (share * (1 - Decay)) };

    /// <param name="options">Constants of the method.</param>
    /// <param name="rate">Learning rate.</param>
    /// <param name="norm">Norm of all gradients.</param>
    /// <param name="step">Number of the step, from 1.</param>
    public static OptimizerStep Create(OptimizerConstants options, double rate, double norm, long step)
    {
        var bias1 = 1 - Math.Pow(options.Beta1, step);
        var bias2 = 1 - Math.Pow(options.Beta2, step);
        // The average's memory grows with the run, so that the initial weights do not stay in it.
        var ema = Math.Min(options.EmaDecay, (1.0 + step) / (10.0 + step));
        return new OptimizerStep(
            (float)Math.Min(1, options.ClipNorm / (norm + 1e-6)), (float)rate,
            (float)(1 - (rate * options.WeightDecay)), (float)options.Beta1,
            (float)options.Beta2, (float)(rate / bias1), (float)(1 / Math.Sqrt(bias2)), (float)options.Epsilon, (float)options.Momentum,
            (float)options.NumberRate, (float)ema);
    }
}
