using static TorchSharp.torch;

namespace Alebrije.Diffusion;

/// <summary>
/// The last few predictions of a run, newest first, kept outside the dispose scopes of single steps. A step that does not follow the one
/// before empties it, so that a scheduler can serve one run after another.
/// </summary>
internal sealed class OutputHistory(int capacity) : IDisposable
{
    private readonly List<Tensor> outputs = [];
    private int next = -1;

    /// <summary>Predictions kept.</summary>
    public int Count => outputs.Count;

    /// <summary>The prediction of <paramref name="back"/> steps ago.</summary>
    public Tensor this[int back] => outputs[back];

    /// <summary>Empties the history unless <paramref name="index"/> follows the step before; says whether it did.</summary>
    public bool Follows(int index)
    {
        if (index == next) return true;
        Clear();
        return false;
    }

    /// <summary>Keeps the prediction of a step, alone where that step does not follow the one before, and drops what is too old.</summary>
    public void Push(Tensor output, int index)
    {
        Follows(index);
        Add(output);
        next = index + 1;
    }

    /// <summary>Keeps a prediction whatever its step, and drops what is too old.</summary>
    public void Add(Tensor output)
    {
        outputs.Insert(0, output.alias().DetachFromDisposeScope());
        if (outputs.Count <= capacity) return;
        outputs[^1].Dispose();
        outputs.RemoveAt(outputs.Count - 1);
    }

    /// <summary>Releases all.</summary>
    public void Clear()
    {
        foreach (var output in outputs) output.Dispose();
        outputs.Clear();
        next = -1;
    }

    public void Dispose() => Clear();
}
