using static TorchSharp.torch;

namespace Alebrije.Diffusion;

/// <summary>
/// The last predictions of a run, newest first, outside the dispose scopes of single steps. A step that does not follow the previous one
/// empties it, so that a scheduler can serve one run after another.
/// </summary>
internal sealed class OutputHistory(int capacity) : IDisposable
{
    private readonly List<Tensor> outputs = [];
    private int next = -1;

    /// <summary>Number of predictions.</summary>
    public int Count => outputs.Count;

    /// <summary>The prediction <paramref name="back"/> steps ago.</summary>
    public Tensor this[int back] => outputs[back];

    /// <summary>Empties the history unless <paramref name="index"/> follows the previous step; returns true if it does.</summary>
    public bool Follows(int index)
    {
        if (index == next) return true;
        Clear();
        return false;
    }

    /// <summary>Adds the prediction of a step, after clearing if the step does not follow the previous one, and drops the oldest.</summary>
    public void Push(Tensor output, int index)
    {
        Follows(index);
        Add(output);
        next = index + 1;
    }

    /// <summary>Adds a prediction regardless of its step, and drops the oldest.</summary>
    public void Add(Tensor output)
    {
        outputs.Insert(0, output.alias().DetachFromDisposeScope());
        if (outputs.Count <= capacity) return;
        outputs[^1].Dispose();
        outputs.RemoveAt(outputs.Count - 1);
    }

    /// <summary>Disposes all predictions.</summary>
    public void Clear()
    {
        foreach (var output in outputs) output.Dispose();
        outputs.Clear();
        next = -1;
    }

    public void Dispose() => Clear();
}
