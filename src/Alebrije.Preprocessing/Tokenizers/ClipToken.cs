using System.Text;

namespace Alebrije.Preprocessing.Tokenizers;

/// <summary>A token and its range in the cleaned text.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Symbol">Its spelling in the vocabulary.</param>
/// <param name="Start">First UTF-16 unit.</param>
/// <param name="End">End, exclusive; tokens that share the bytes of one character both cover it.</param>
public readonly record struct ClipToken(int Id, string Symbol, int Start, int End);

/// <summary>Collects the tokens of a text, piece by piece, with the cleaned text that they cover.</summary>
/// <param name="symbols">Symbols by id.</param>
/// <param name="isSpecial">True for ids that cover a whole word, whatever its bytes.</param>
internal sealed class ClipTokenList(string?[] symbols, bool[] isSpecial)
{
    private readonly StringBuilder cleaned = new();
    private readonly List<ClipToken> tokens = [];

    public IReadOnlyList<ClipToken> Tokens => tokens;

    public string Cleaned => cleaned.ToString();

    /// <summary>Adds a token of an empty range: start, end.</summary>
    public void AddBetween(int id) => tokens.Add(new(id, symbols[id]!, cleaned.Length, cleaned.Length));

    /// <summary>Adds a special token spelled in the text.</summary>
    public void AddTyped(int id, ReadOnlySpan<char> spelled)
    {
        tokens.Add(new(id, symbols[id]!, cleaned.Length, cleaned.Length + spelled.Length));
        cleaned.Append(spelled);
    }

    /// <summary>Adds text between words.</summary>
    public void AddSpace(ReadOnlySpan<char> space) => cleaned.Append(space);

    /// <summary>Adds a word and its ids.</summary>
    public void AddWord(ReadOnlySpan<char> word, ReadOnlySpan<int> ids)
    {
        // The character of each byte, and the ends of characters.
        var (first, behind) = (new List<int>(word.Length), new List<int>(word.Length));
        for (var place = 0; place < word.Length;)
        {
            Rune.DecodeFromUtf16(word[place..], out var rune, out var units);
            for (var b = 0; b < rune.Utf8SequenceLength; b++)
            {
                first.Add(place);
                behind.Add(place + units);
            }

            place += units;
        }

        var from = 0;
        foreach (var id in ids)
        {
            var bytes = isSpecial[id] ? ids.Length == 1 ? first.Count : 1 : Length(symbols[id]!);
            tokens.Add(new(id, symbols[id]!, cleaned.Length + first[from], cleaned.Length + behind[from + bytes - 1]));
            from += bytes;
        }

        cleaned.Append(word);
    }

    private static int Length(string symbol) =>
        symbol.EndsWith(ByteSymbols.EndOfWord, StringComparison.Ordinal) ? symbol.Length - ByteSymbols.EndOfWord.Length : symbol.Length;
}
