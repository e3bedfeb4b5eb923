using Alebrije.Tensors;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Pipelines;

/// <summary>
/// A part of a pipeline that is read from its files when it is first needed, and released afterwards unless kept. For one caller
/// at a time.
/// </summary>
internal sealed class Component<T>(Func<T> load, bool keep) : IDisposable where T : class, IDisposable
{
    private T? value;
    private int borrowers;

    /// <summary>A part that is there already, and stays.</summary>
    public Component(T value) : this(() => value, keep: true) => this.value = value;

    /// <summary>True if its weights are in memory.</summary>
    public bool IsLoaded => value is not null;

    /// <summary>Loads it if need be; it stays until the last loan is disposed.</summary>
    public Loan Borrow()
    {
        if (value is null)
        {
            // It may be loaded in the middle of a run, and outlives it.
            using var ordinary = inference_mode(false);
            value = load();
            (value as nn.Module)?.OutOfScopes();
        }

        borrowers++;
        return new Loan(this, value);
    }

    /// <summary>True if a loan is one of this component.</summary>
    public bool Lends(Loan loan) => ReferenceEquals(loan.Owner, this);

    /// <summary>Uses it once.</summary>
    public TResult Use<TResult>(Func<T, TResult> action)
    {
        using var loan = Borrow();
        return action(loan.Value);
    }

    /// <summary>Releases it; the next use loads it again.</summary>
    public void Release() => Dispose();

    /// <inheritdoc/>
    public void Dispose()
    {
        if (value is null) return;
        value.Dispose();
        value = null;
        FreedMemory.Return();
    }

    private void Return()
    {
        if (--borrowers == 0 && !keep) Dispose();
    }

    /// <summary>The right to use a component until disposed.</summary>
    internal sealed class Loan(Component<T> owner, T value) : IDisposable
    {
        private bool returned;

        public T Value => value;

        internal Component<T> Owner => owner;

        public void Dispose()
        {
            if (returned) return;
            returned = true;
            owner.Return();
        }
    }
}

/// <summary>Lifetime of networks that are loaded in the middle of a run.</summary>
internal static class NetworkLifetime
{
    /// <summary>Takes a network's weights out of every dispose scope: they outlive the step that first needed them.</summary>
    public static T OutOfScopes<T>(this T network) where T : nn.Module
    {
        foreach (var parameter in network.parameters()) parameter.DetachFromDisposeScope();
        foreach (var buffer in network.buffers()) buffer.DetachFromDisposeScope();
        return network;
    }
}
