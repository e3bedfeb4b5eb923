using Alebrije.Preprocessing;

namespace Alebrije.Datasets;

/// <summary>
/// Combinations that training never shows, for evaluation: a tenth of the unordered pairs of concepts and a tenth of the pairs of
/// concept and style. Membership follows from code points alone (FNV-1a, 64 bits), so it stays when concepts are added or reordered.
/// </summary>
public static class HeldOut
{
    private const ulong OneIn = 10;

    // "STYLE" in ASCII above the style's number: no code point is that large.
    private const ulong StyleTag = 0x5354594C45000000;

    /// <summary>True if two concepts are never shown together in training. Order does not matter.</summary>
    public static bool Pair(Concept a, Concept b)
    {
        ArgumentNullException.ThrowIfNull(a);
        ArgumentNullException.ThrowIfNull(b);
        return Pair(a.CodePoint, b.CodePoint);
    }

    /// <summary>True if a concept is never shown in this style in training. The plain style is never held out.</summary>
    public static bool Styled(Concept concept, SceneStyle style)
    {
        ArgumentNullException.ThrowIfNull(concept);
        return style != SceneStyle.Plain && Hash((uint)concept.CodePoint, StyleTag | (uint)style) % OneIn == 0;
    }

    internal static bool Pair(int a, int b) => a != b && Hash((uint)Math.Min(a, b), (uint)Math.Max(a, b)) % OneIn == 0;

    private static ulong Hash(ulong first, ulong second)
    {
        const ulong prime = 0x100000001B3;
        var hash = 0xCBF29CE484222325;
        foreach (var word in (ReadOnlySpan<ulong>)[first, second])
            for (var shift = 0; shift < 64; shift += 8)
                hash = unchecked((hash ^ (word >> shift & 0xFF)) * prime);
        // FNV's low bits are weak; the finaliser spreads them before the remainder is taken.
        return SeededRandom.Mix(hash);
    }
}
