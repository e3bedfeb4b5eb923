using System.Globalization;

namespace Alebrije.Preprocessing.Tokenizers.Cleaning;

/// <summary>A sequence of bytes, each from a set: "E0-EF 1A,3F 80-BF" is three bytes long.</summary>
internal sealed class BytePattern
{
    private readonly bool[][] sets;

    private BytePattern(string pattern) => sets = [.. pattern.Split(' ').Select(ParseSet)];

    public int Length => sets.Length;

    public static BytePattern[] ParseAll(params ReadOnlySpan<string> patterns)
    {
        var parsed = new BytePattern[patterns.Length];
        for (var i = 0; i < patterns.Length; i++)
            parsed[i] = new(patterns[i]);
        return parsed;
    }

    /// <summary>The first of several patterns that matches here, or null.</summary>
    public static BytePattern? FirstAt(BytePattern[] patterns, ReadOnlySpan<byte> here)
    {
        foreach (var pattern in patterns)
        {
            if (pattern.Matches(here))
                return pattern;
        }
        return null;
    }

    private bool Matches(ReadOnlySpan<byte> here)
    {
        if (here.Length < sets.Length)
            return false;
        for (var i = 0; i < sets.Length; i++)
        {
            if (!sets[i][here[i]])
                return false;
        }
        return true;
    }

    private static bool[] ParseSet(string ranges)
    {
        var set = new bool[256];
        foreach (var range in ranges.Split(','))
        {
            var ends = range.Split('-');
            for (var value = Hex(ends[0]); value <= Hex(ends[^1]); value++)
                set[value] = true;
        }
        return set;
    }

    private static int Hex(string digits) => int.Parse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
}
