using System.Globalization;
using System.Reflection;

namespace Alebrije.Preprocessing.Tokenizers.Cleaning;

/// <summary>
/// A single-byte encoding with a character for every byte: an undefined byte maps to itself, and U+FFFD is written as 1A, the
/// substitute byte (ftfy's "sloppy" codecs).
/// </summary>
internal sealed class CodePage
{
    private const byte Lost = 0x1A;

    private readonly char[] characters = new char[256];
    private readonly Dictionary<char, byte> bytes = [];

    /// <param name="name">Name of the encoding.</param>
    /// <param name="upperHalf">Characters of the bytes 80 to FF.</param>
    /// <param name="isSloppy">True if U+FFFD may be written.</param>
    public CodePage(string name, ReadOnlySpan<char> upperHalf, bool isSloppy)
    {
        (Name, IsSloppy) = (name, isSloppy);
        for (var value = 0; value < 128; value++)
            characters[value] = (char)value;
        upperHalf.CopyTo(characters.AsSpan(128));
        if (isSloppy)
            characters[Lost] = '\uFFFD';
        for (var value = 128; value < 256; value++)
            bytes[characters[value]] = (byte)value;
    }

    public string Name { get; }

    public bool IsSloppy { get; }

    public char Decode(byte value) => characters[value];

    /// <summary>Bytes of a text, or null if the encoding cannot spell it.</summary>
    public byte[]? TryEncode(string text)
    {
        var result = new byte[text.Length];
        for (var i = 0; i < text.Length; i++)
        {
            var unit = text[i];
            if (unit < 0x80 && characters[unit] == unit)
                result[i] = (byte)unit;
            else if (IsSloppy && unit == '\uFFFD')
                result[i] = Lost;
            else if (!bytes.TryGetValue(unit, out result[i]))
                return null;
        }
        return result;
    }
}

/// <summary>The encodings in which UTF-8 is most often misread.</summary>
internal static class CodePages
{
    private static readonly Dictionary<string, char[]> UpperHalves = Read();

    public static CodePage Windows1252 { get; } = Sloppy("windows-1252");

    /// <summary>Encodings in the order of the attempts (ftfy 6.3.1, chardata.py).</summary>
    public static IReadOnlyList<CodePage> All { get; } =
    [
        new("latin-1", [.. Enumerable.Range(0x80, 0x80).Select(code => (char)code)], isSloppy: false),
        Windows1252,
        Sloppy("windows-1251"),
        Sloppy("windows-1250"),
        Sloppy("windows-1253"),
        Sloppy("windows-1254"),
        Sloppy("windows-1257"),
        new("iso-8859-2", UpperHalves["iso-8859-2"], isSloppy: false),
        new("macintosh", UpperHalves["macintosh"], isSloppy: false),
        new("cp437", UpperHalves["cp437"], isSloppy: false),
    ];

    private static CodePage Sloppy(string name) => new(name, UpperHalves[name], isSloppy: true);

    private static Dictionary<string, char[]> Read()
    {
        using var stream = Assembly.GetExecutingAssembly().GetManifestResourceStream("CodePages.txt")!;
        using var reader = new StreamReader(stream);
        var halves = new Dictionary<string, char[]>(StringComparer.Ordinal);
        while (reader.ReadLine() is { } line)
        {
            if (line.StartsWith('#'))
                continue;
            var sides = line.Split('=');
            halves[sides[0]] = [.. sides[1].Split(' ')
                .Select(code => (char)int.Parse(code, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture))];
        }
        return halves;
    }
}
