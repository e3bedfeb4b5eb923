namespace Alebrije.Datasets;

/// <summary>
/// Random numbers that depend on nothing but a key: SplitMix64 (Steele, Lea and Flood, 2014) started from the seed, the index and the
/// purpose, so that scene i never needs scene i - 1.
/// </summary>
internal struct SceneRandom(ulong seed, long index, uint purpose)
{
    private const ulong Golden = 0x9E3779B97F4A7C15;

    private ulong state = Mix(Mix(Mix(seed + Golden) ^ (ulong)index) + Golden * (purpose + 1UL));

    public ulong Next() => Mix(state += Golden);

    /// <summary>A number in [0, 1) with 53 bits.</summary>
    public double Unit() => (Next() >> 11) * (1.0 / (1UL << 53));

    /// <summary>A number in [low, high).</summary>
    public double Between(double low, double high) => low + (high - low) * Unit();

    /// <summary>A whole number in [0, count).</summary>
    public int Below(int count) => (int)(((UInt128)Next() * (ulong)count) >> 64);

    public bool Chance(double probability) => Unit() < probability;

    public T Pick<T>(IReadOnlyList<T> items) => items[Below(items.Count)];

    public static ulong Mix(ulong z)
    {
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
        z = (z ^ z >> 27) * 0x94D049BB133111EB;
        return z ^ z >> 31;
    }
}
