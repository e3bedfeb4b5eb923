using Alebrije.Preprocessing;

namespace Alebrije.Training;

/// <summary>Drops conditions in training, for classifier-free guidance; drawn from seed and step alone.</summary>
internal static class ConditionDropout
{
    /// <summary>Replaces a share of a batch's texts by the empty one.</summary>
    /// <returns>[batch]: true for a replaced text.</returns>
    public static bool[] Texts(PairBatch batch, (long[] Ids, int Length) empty, double share, ulong seed, long step)
    {
        var random = Generator(seed, step);
        var dropped = new bool[batch.Count];
        for (var i = 0; i < batch.Count; i++)
            if (dropped[i] = random.NextDouble() < share) Drop(batch, i, empty);
        return dropped;
    }

    /// <summary>Replaces one text of a batch by the empty one.</summary>
    public static void Drop(PairBatch batch, int row, (long[] Ids, int Length) empty)
    {
        empty.Ids.CopyTo(batch.Ids, row * empty.Ids.Length);
        batch.Lengths[row] = empty.Length;
    }

    /// <summary>Random generator of one step; .NET's seeded generator is the same on every machine.</summary>
    public static Random Generator(ulong seed, long step) => SeededRandom.Classic(seed, step, 0x64726F70);
}
