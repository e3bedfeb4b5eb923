using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Alebrije.Nn;

/// <summary>
/// Creates all parameters. By default they are initialised as the reference's layers; inside <see cref="Skip"/> they are left uninitialised
/// (a checkpoint fills them next), inside <see cref="OnMeta"/> they have names and shapes only and no memory. The setting is per thread:
/// networks built on other threads are unaffected.
/// </summary>
internal static class WeightInit
{
    private enum Mode { Random, Unset, Meta }

    [ThreadStatic] private static Mode mode;
    [ThreadStatic] private static ScalarType? weightType;
    [ThreadStatic] private static WeightLimit? limit;

    /// <summary>Until disposed, this thread's networks are built with uninitialised weights.</summary>
    /// <param name="type">Type of the weights; null: float32.</param>
    /// <param name="within">Limit of their weights; null: <see cref="WeightLimit.General"/>.</param>
    public static IDisposable Skip(ScalarType? type = null, WeightLimit? within = null) => new Scope(Mode.Unset, type, within);

    /// <summary>Until disposed, this thread's networks are initialised as usual, within a limit.</summary>
    public static IDisposable Within(WeightLimit within) => new Scope(mode, weightType, within);

    /// <summary>Until disposed, this thread's networks are built on the meta device: shapes without storage.</summary>
    /// <param name="within">Limit of their weights; null: <see cref="WeightLimit.General"/>.</param>
    public static IDisposable OnMeta(WeightLimit? within = null) => new Scope(Mode.Meta, null, within);

    /// <summary>Uniform in [-bound, bound].</summary>
    public static Parameter Uniform(double bound, params ReadOnlySpan<long> shape) => Make(shape, x => nn.init.uniform_(x, -bound, bound));

    /// <summary>Normal with mean 0.</summary>
    public static Parameter Normal(double deviation, params ReadOnlySpan<long> shape) => Make(shape, x => nn.init.normal_(x, 0, deviation));

    /// <summary>Every element <paramref name="value"/>.</summary>
    public static Parameter Constant(double value, params ReadOnlySpan<long> shape) => Make(shape, x => nn.init.constant_(x, value));

    /// <summary>A tensor that is not a parameter, every element <paramref name="value"/>: statistics, counts.</summary>
    public static Tensor Buffer(double value, ScalarType type, params ReadOnlySpan<long> shape)
    {
        Count(shape);
        return full(shape, value, dtype: type, device: mode == Mode.Meta ? META : CPU).DetachFromDisposeScope();
    }

    /// <summary>Counts a tensor against the limit, before it takes memory.</summary>
    private static void Count(ReadOnlySpan<long> shape)
    {
        foreach (var size in shape)
            if (size < 0) throw new ArgumentException($"The sizes [{string.Join(", ", shape.ToArray())}] of a weight cannot be negative.");
        limit?.Spend(shape);
    }

    private static Parameter Make(ReadOnlySpan<long> shape, Func<Tensor, Tensor> fill)
    {
        Count(shape);
        var storage = empty(shape, dtype: weightType ?? ScalarType.Float32, device: mode == Mode.Meta ? META : CPU);
        var parameter = new Parameter(storage);
        if (mode == Mode.Random) fill(parameter);
        return parameter;
    }

    private sealed class Scope : IDisposable
    {
        private readonly (Mode, ScalarType?, WeightLimit?) before = (mode, weightType, limit);

        public Scope(Mode chosen, ScalarType? type, WeightLimit? within) =>
            (mode, weightType, limit) = (chosen, type, within ?? WeightLimit.General(takesMemory: chosen != Mode.Meta));

        public void Dispose() => (mode, weightType, limit) = before;
    }
}
