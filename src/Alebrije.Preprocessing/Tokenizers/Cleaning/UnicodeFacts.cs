using System.Globalization;
using System.Reflection;

namespace Alebrije.Preprocessing.Tokenizers.Cleaning;

/// <summary>
/// Canonical decompositions, combining classes and lower case of Unicode 15.0, read once from the table next to this file. .NET reads
/// them from ICU, or has none if globalization is invariant; token ids must not depend on that.
/// </summary>
internal static class UnicodeFacts
{
    private static readonly Dictionary<int, byte> CombiningClasses = [];
    private static readonly Dictionary<int, (int First, int Second)> Decompositions = [];
    private static readonly Dictionary<(int First, int Second), int> Compositions = [];
    private static readonly Dictionary<int, int> LowerCases = [];
    private static readonly HashSet<int> Unstable = [.. Enumerable.Range(0x1161, 21), .. Enumerable.Range(0x11A8, 27)];
    private static readonly bool[] UnstableUnits = new bool[0x10000];
    private static readonly Dictionary<char, string> OrdinaryWidths = [];

    static UnicodeFacts()
    {
        using var stream = Assembly.GetExecutingAssembly().GetManifestResourceStream("UnicodeFacts.txt")!;
        using var reader = new StreamReader(stream);
        var section = "";
        while (reader.ReadLine() is { } line)
        {
            if (line.StartsWith('#'))
                continue;
            if (line.StartsWith('['))
                section = line[1..line.IndexOf(']', StringComparison.Ordinal)];
            else if (section == "combining class")
                ReadCombiningClasses(line);
            else if (section == "decomposition")
                ReadDecomposition(line);
            else if (section == "lower case")
                ReadLowerCases(line);
            else
                ReadWidth(line);
        }
        foreach (var code in Unstable.Where(code => code < UnstableUnits.Length))
            UnstableUnits[code] = true;
    }

    /// <summary>
    /// True if normalization form C may change or move this character: marks that reorder, characters that compose with the one
    /// before (including the jamo of Hangul), and those that decompose permanently. Text without any is normal already.
    /// </summary>
    public static bool IsUnstable(char unit) => UnstableUnits[unit];

    /// <inheritdoc cref="IsUnstable(char)"/>
    public static bool IsUnstable(int codePoint) => Unstable.Contains(codePoint);

    /// <summary>Canonical combining class, 0 for a starter.</summary>
    public static byte CombiningClass(int codePoint) =>
        codePoint < 0x300 ? (byte)0 : CombiningClasses.GetValueOrDefault(codePoint);

    /// <summary>One step of canonical decomposition; Second is -1 for a singleton.</summary>
    public static bool TryDecompose(int codePoint, out (int First, int Second) parts) => Decompositions.TryGetValue(codePoint, out parts);

    /// <summary>The composition of a pair, if Unicode allows it.</summary>
    public static bool TryCompose(int first, int second, out int composed) => Compositions.TryGetValue((first, second), out composed);

    /// <summary>Simple lower case of one character; U+0130, the only one with a longer result, is left to the caller.</summary>
    public static int Lower(int codePoint) => LowerCases.GetValueOrDefault(codePoint, codePoint);

    /// <summary>The ordinary form of a full-width or half-width character, null if it has none.</summary>
    public static string? OrdinaryWidth(char unit) => OrdinaryWidths.GetValueOrDefault(unit);

    private static void ReadWidth(string line)
    {
        var sides = line.Split('=');
        OrdinaryWidths[(char)Hex(sides[0])] = string.Concat(sides[1].Split(' ').Select(code => (char)Hex(code)));
    }

    private static void ReadCombiningClasses(string line)
    {
        var (first, last, value) = ParseRange(line);
        for (var code = first; code <= last; code++)
        {
            CombiningClasses[code] = (byte)int.Parse(value, CultureInfo.InvariantCulture);
            Unstable.Add(code);
        }
    }

    private static void ReadDecomposition(string line)
    {
        var composes = line[0] != '!';
        var sides = line.TrimStart('!').Split('=');
        var parts = sides[1].Split(' ');
        var code = Hex(sides[0]);
        var (first, second) = (Hex(parts[0]), parts.Length > 1 ? Hex(parts[1]) : -1);
        Decompositions[code] = (first, second);
        if (composes)
            Compositions[(first, second)] = code;
        Unstable.Add(composes ? second : code);
    }

    private static void ReadLowerCases(string line)
    {
        var (first, last, value) = ParseRange(line);
        var step = value.EndsWith('/') ? 2 : 1;
        var difference = int.Parse(value.TrimEnd('/'), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
        for (var code = first; code <= last; code += step)
            LowerCases[code] = code + difference;
    }

    private static (int First, int Last, string Value) ParseRange(string line)
    {
        var (dash, equals) = (line.IndexOf('-', StringComparison.Ordinal), line.IndexOf('=', StringComparison.Ordinal));
        return (Hex(line[..dash]), Hex(line[(dash + 1)..equals]), line[(equals + 1)..]);
    }

    private static int Hex(string digits) => int.Parse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
}
