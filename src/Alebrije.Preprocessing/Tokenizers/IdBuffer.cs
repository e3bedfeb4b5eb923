using System.Buffers;

namespace Alebrije.Preprocessing.Tokenizers;

/// <summary>A growing list of ids: on the stack while they are few.</summary>
internal ref struct IdBuffer(Span<int> onStack)
{
    /// <summary>Ids to reserve on the stack.</summary>
    public const int Usual = 128;

    private Span<int> ids = onStack;
    private int[]? rented;
    private int count;

    public readonly ReadOnlySpan<int> Found => ids[..count];

    public void Add(int id)
    {
        if (count == ids.Length) Grow(1);
        ids[count++] = id;
    }

    public void AddRange(scoped ReadOnlySpan<int> more)
    {
        if (more.Length > ids.Length - count) Grow(more.Length);
        more.CopyTo(ids[count..]);
        count += more.Length;
    }

    /// <summary>Removes all ids.</summary>
    public void Clear() => count = 0;

    /// <summary>Returns the rented array.</summary>
    public void Dispose()
    {
        if (rented is not null) ArrayPool<int>.Shared.Return(rented);
        rented = null;
    }

    private void Grow(int more)
    {
        var larger = ArrayPool<int>.Shared.Rent(Math.Max(2 * ids.Length, count + more));
        ids[..count].CopyTo(larger);
        Dispose();
        rented = larger;
        ids = larger;
    }
}
