using System.Buffers;

namespace Alebrije.Preprocessing.Tokenizers;

/// <summary>A token found in the text itself: exactly as typed, or after cleaning if <paramref name="Normalized"/>.</summary>
internal readonly record struct AddedToken(string Content, int Id, bool Normalized)
{
    /// <summary>Number of its ids, from <see cref="Id"/> on.</summary>
    public int Count { get; init; } = 1;
}

/// <summary>Finds tokens in a text, the first one first and, if several begin at one position, the longest.</summary>
internal sealed class AddedTokens
{
    private readonly AddedToken[] tokens;
    private readonly SearchValues<char> initials;

    public AddedTokens(IEnumerable<AddedToken> tokens)
    {
        this.tokens = [.. tokens.Where(token => token.Content.Length > 0).OrderByDescending(token => token.Content.Length)];
        initials = SearchValues.Create([.. this.tokens.Select(token => token.Content[0])]);
    }

    /// <summary>The tokens, the longest first.</summary>
    public IReadOnlyList<AddedToken> Tokens => tokens;

    /// <summary>Characters that begin a token.</summary>
    public IEnumerable<char> Initials => tokens.Select(token => token.Content[0]);

    public static AddedTokens None { get; } = new([]);

    /// <summary>The next token from a position on, or null.</summary>
    public (int Start, int End, int Id, int Count)? Find(string text, int from)
    {
        for (var place = from; place < text.Length; place++)
        {
            var next = text.AsSpan(place).IndexOfAny(initials);
            if (next < 0)
                return null;
            place += next;
            foreach (var token in tokens)
            {
                if (text.AsSpan(place).StartsWith(token.Content))
                    return (place, place + token.Content.Length, token.Id, token.Count);
            }
        }
        return null;
    }
}
