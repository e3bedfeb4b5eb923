using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Tensors;

/// <summary>
/// Random values of one run: torch's CPU generator (mt19937), so that a seed gives the stream of <c>torch.manual_seed(seed)</c> on every
/// device. There is no global seed; this object is passed to every consumer. Not thread-safe.
/// </summary>
internal sealed class Noise : IDisposable
{
    private readonly Generator[] generators = [];
    private readonly Queue<Tensor>? recorded;
    private readonly bool zeros;

    /// <summary>Starts the stream of <paramref name="seed"/>; negative seeds are converted as in torch (two's complement).</summary>
    public Noise(long seed) : this([seed]) { }

    /// <summary>
    /// One stream per sample of a batch: draws have one row per sample, or the same number of rows, and each sample gets the values that it
    /// gets when drawn alone.
    /// </summary>
    /// <param name="seeds">The samples' seeds, at least one.</param>
    public Noise(IEnumerable<long> seeds) => generators = [.. seeds.Select(seed => new Generator(unchecked((ulong)seed)))];

    private Noise(bool zeros) => this.zeros = zeros;

    private Noise(IEnumerable<Tensor> draws) => recorded = new Queue<Tensor>(draws);

    /// <summary>
    /// A source that replays recorded normal draws in order, for comparison with a reference run. The tensors stay the caller's.
    /// </summary>
    public static Noise Replay(IEnumerable<Tensor> draws) => new(draws);

    /// <summary>A source of zeros, the most likely draw, for deterministic runs.</summary>
    public static Noise Zeros() => new(zeros: true);

    /// <summary>Draws standard normal values, float32 on the CPU.</summary>
    /// <exception cref="InvalidOperationException">The next draw of a replayed source has another shape.</exception>
    public Tensor Randn(params long[] shape)
    {
        if (zeros) return torch.zeros(shape, dtype: ScalarType.Float32);
        if (recorded is null) return Draw(shape, (rows, generator) => randn(rows, dtype: ScalarType.Float32, generator: generator));
        if (!recorded.TryDequeue(out var next))
            throw new InvalidOperationException(
                $"A draw of shape [{Join(shape)}] was requested from recorded noise, but all its tensors are used: record one more.");
        if (!next.shape.AsSpan().SequenceEqual(shape))
            throw new InvalidOperationException(
                $"A draw of shape [{Join(shape)}] was requested from recorded noise, but its next tensor is [{Join(next.shape)}]: "
                + "give the draws in order of use.");
        return next.to(ScalarType.Float32).alias();
    }

    /// <summary>Draws standard normal values of the shape, type and device of <paramref name="x"/>, in float32 on the CPU.</summary>
    public Tensor RandnLike(Tensor x) => Randn(x.shape).to(x.dtype, x.device);

    /// <summary>Draws uniform values in [0, 1), float32 on the CPU.</summary>
    public Tensor Uniform(params long[] shape) =>
        Draw(shape, (rows, generator) => rand(rows, dtype: ScalarType.Float32, generator: generator));

    /// <summary>Draws uniform integers in [0, <paramref name="high"/>), int64 on the CPU.</summary>
    public Tensor Integers(long high, params long[] shape) =>
        Draw(shape, (rows, generator) => randint(high, rows, dtype: ScalarType.Int64, generator: generator));

    /// <summary>State of the generator, for checkpoints; <see cref="Restore"/> continues the stream exactly there.</summary>
    public byte[] Save()
    {
        using var state = Seeded().get_state();
        return state.data<byte>().ToArray();
    }

    /// <summary>Continues the stream from the state of <see cref="Save"/>.</summary>
    public void Restore(byte[] state)
    {
        using var tensor = torch.tensor(state, dtype: ScalarType.Byte);
        Seeded().set_state(tensor);
    }

    /// <summary>Releases the generator.</summary>
    public void Dispose()
    {
        foreach (var generator in generators) generator.Dispose();
    }

    private Tensor Draw(long[] shape, Func<long[], Generator, Tensor> draw)
    {
        if (generators.Length == 0)
            throw new InvalidOperationException("Recorded noise has normal draws only: use a seeded source for anything else.");
        if (generators is [var single]) return draw(shape, single);
        if (shape.Length == 0 || shape[0] % generators.Length != 0)
            throw new InvalidOperationException($"A draw of shape [{Join(shape)}] "
                + $"cannot be shared by {generators.Length} samples: its rows have to be a multiple of them.");
        long[] part = [shape[0] / generators.Length, .. shape[1..]];
        using var scope = NewDisposeScope();
        return cat([.. generators.Select(generator => draw(part, generator))]).MoveToOuterDisposeScope();
    }

    private Generator Seeded() => generators is [var single] ? single
        : throw new InvalidOperationException("Only a source with one stream can save its state.");

    private static string Join(long[] shape) => string.Join(", ", shape);
}
