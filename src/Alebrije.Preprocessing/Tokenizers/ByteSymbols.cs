namespace Alebrije.Preprocessing.Tokenizers;

/// <summary>
/// The reversible map between bytes and printable characters of byte-level BPE: printable Latin-1 maps to itself, the other
/// 68 bytes to U+0100 onwards (<c>bytes_to_unicode</c> in openai/CLIP, clip/simple_tokenizer.py).
/// </summary>
internal static class ByteSymbols
{
    /// <summary>Suffix of the last symbol of a word.</summary>
    public const string EndOfWord = "</w>";

    private static readonly byte[] BytesInOrder = [.. Enumerable.Range(0, 256)
        .Where(IsPrintable).Concat(Enumerable.Range(0, 256).Where(b => !IsPrintable(b))).Select(b => (byte)b)];

    private static readonly char[] ByByte = BuildByByte();

    private static readonly Dictionary<char, byte> BySymbol = Enumerable.Range(0, 256).ToDictionary(b => ByByte[b], b => (byte)b);

    /// <summary>All bytes in the order of their symbols at the start of every vocabulary.</summary>
    public static ReadOnlySpan<byte> InOrder => BytesInOrder;

    /// <summary>The character of a byte.</summary>
    public static char Of(byte value) => ByByte[value];

    /// <summary>The byte of a character.</summary>
    public static bool TryGetByte(char symbol, out byte value) => BySymbol.TryGetValue(symbol, out value);

    private static bool IsPrintable(int value) => value is (>= '!' and <= '~') or (>= 0xA1 and <= 0xAC) or >= 0xAE;

    private static char[] BuildByByte()
    {
        var symbols = new char[256];
        var next = 0x100;
        foreach (var value in BytesInOrder)
            symbols[value] = (char)(IsPrintable(value) ? value : next++);
        return symbols;
    }
}
