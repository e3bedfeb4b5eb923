namespace Alebrije.Preprocessing;

/// <summary>
/// Random numbers that depend only on a key, the same in every version of the runtime: SplitMix64 (Steele, Lea and Flood, 2014).
/// Recorded seeds refer to these streams, so they must not change.
/// </summary>
internal struct SeededRandom
{
    /// <summary>SplitMix64's increment, the golden ratio in 64 bits.</summary>
    public const ulong Golden = 0x9E3779B97F4A7C15;

    private ulong state;

    /// <summary>The stream of a seed.</summary>
    public SeededRandom(long seed) => state = (ulong)seed;

    /// <summary>The stream of a seed, an index and a purpose: scene i is drawn without drawing scene i - 1.</summary>
    public SeededRandom(ulong seed, long index, uint purpose) =>
        state = Mix(Mix(Mix(seed + Golden) ^ (ulong)index) + Golden * (purpose + 1UL));

    /// <summary>.NET's generator (the same on every machine) for a seed and a number, as the trainers draw.</summary>
    public static Random Classic(ulong seed, long number, ulong purpose = 0) =>
        new((int)(((seed * Golden) ^ ((ulong)number * 0xBF58476D1CE4E5B9) ^ purpose) >> 33));

    public ulong Next() => Mix(state += Golden);

    /// <summary>A number in [0, 1) with 53 bits.</summary>
    public double Unit() => Unit(Next());

    /// <summary>A number in [low, high).</summary>
    public double Between(double low, double high) => low + (high - low) * Unit();

    /// <summary>An integer in [0, count); its bias, count / 2⁶⁴, is negligible for the sizes drawn here.</summary>
    public int Below(int count) => (int)Math.BigMul(Next(), (ulong)count, out _);

    public bool Chance(double probability) => Unit() < probability;

    public T Pick<T>(IReadOnlyList<T> items) => items[Below(items.Count)];

    /// <summary>As many indices as there are items, drawn with replacement.</summary>
    public int[] Sample(int count)
    {
        var drawn = new int[count];
        for (var i = 0; i < count; i++) drawn[i] = Below(count);
        return drawn;
    }

    /// <summary>0..count-1 in random order (Fisher-Yates).</summary>
    public int[] Permutation(int count)
    {
        var order = new int[count];
        for (var i = 0; i < count; i++) order[i] = i;
        for (var i = count - 1; i > 0; i--)
        {
            var j = Below(i + 1);
            (order[i], order[j]) = (order[j], order[i]);
        }

        return order;
    }

    /// <summary>SplitMix64's mixer.</summary>
    public static ulong Mix(ulong z)
    {
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
        z = (z ^ z >> 27) * 0x94D049BB133111EB;
        return z ^ z >> 31;
    }

    /// <summary>64 random bits as a number in [0, 1).</summary>
    public static double Unit(ulong bits) => (bits >> 11) * (1.0 / (1UL << 53));
}
