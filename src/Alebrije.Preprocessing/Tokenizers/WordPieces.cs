using System.Text;

namespace Alebrije.Preprocessing.Tokenizers;

/// <summary>
/// Readable text of a vocabulary's symbols. Byte-level symbols spell bytes and may end inside a letter: their bytes are joined at the
/// borders of UTF-8. Symbols of SentencePiece are letters already, and a word begins with U+2581.
/// </summary>
public static class WordPieces
{
    private const char StartOfWord = '\u2581';

    /// <summary>The text that each symbol completes: empty for one that ends inside its first letter.</summary>
    /// <param name="symbols">Symbols of one text in order.</param>
    public static IReadOnlyList<string> Pieces(IReadOnlyList<string> symbols)
    {
        ArgumentNullException.ThrowIfNull(symbols);
        var isByteLevel = !symbols.Any(symbol => symbol.Contains(StartOfWord, StringComparison.Ordinal));
        var decoder = Encoding.UTF8.GetDecoder();
        var pieces = new string[symbols.Count];
        for (var i = 0; i < pieces.Length; i++)
        {
            var symbol = symbols[i];
            pieces[i] = !isByteLevel ? symbol.Replace(StartOfWord.ToString(), "", StringComparison.Ordinal)
                : IsSpecial(symbol) ? symbol : Decode(decoder, Stem(symbol), flush: Ends(symbol) || i == pieces.Length - 1);
        }

        return pieces;
    }

    /// <summary>Symbols joined to words.</summary>
    /// <param name="symbols">Symbols of one text in order.</param>
    /// <returns>Words, each with its number of symbols.</returns>
    public static IReadOnlyList<(string Word, int Symbols)> Words(IReadOnlyList<string> symbols)
    {
        var pieces = Pieces(symbols);
        var words = new List<(string, int)>();
        var (word, count) = (new StringBuilder(), 0);
        for (var i = 0; i < symbols.Count; i++)
        {
            word.Append(pieces[i]);
            count++;
            if (i + 1 < symbols.Count && !Ends(symbols[i]) && !IsSpecial(symbols[i])
                && !IsSpecial(symbols[i + 1]) && symbols[i + 1][0] != StartOfWord) continue;
            words.Add((word.ToString(), count));
            (_, count) = (word.Clear(), 0);
        }

        return words;
    }

    private static string Decode(Decoder decoder, ReadOnlySpan<char> symbol, bool flush)
    {
        var bytes = new List<byte>(symbol.Length);
        foreach (var unit in symbol)
        {
            if (ByteSymbols.TryGetByte(unit, out var value)) bytes.Add(value);
            else bytes.AddRange(Encoding.UTF8.GetBytes(unit.ToString()));
        }

        var letters = new char[bytes.Count + 4];
        return new string(letters, 0, decoder.GetChars([.. bytes], letters, flush));
    }

    private static bool Ends(string symbol) => symbol.EndsWith(ByteSymbols.EndOfWord, StringComparison.Ordinal);

    private static ReadOnlySpan<char> Stem(string symbol) =>
        Ends(symbol) ? symbol.AsSpan(0, symbol.Length - ByteSymbols.EndOfWord.Length) : symbol;

    /// <summary>True for special tokens such as start and end, which are never joined.</summary>
    private static bool IsSpecial(string symbol) => symbol.Length > 4
        && symbol.StartsWith("<|", StringComparison.Ordinal) && symbol.EndsWith("|>", StringComparison.Ordinal);
}
