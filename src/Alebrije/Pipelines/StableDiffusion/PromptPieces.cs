using Alebrije.Preprocessing.Tokenizers;

namespace Alebrije.Pipelines.StableDiffusion;

/// <summary>
/// Texts of any length as rows of the text encoder's, each with its own begin and end, of 75 tokens each, broken behind a comma where one
/// stands among the last 20, and never within the vectors of one token (AUTOMATIC1111/stable-diffusion-webui, modules/sd_hijack_clip.py).
/// </summary>
internal static class PromptPieces
{
    /// <summary>Tokens from the end within which a comma ends a row.</summary>
    private const int CommaReach = 20;

    /// <summary>Rows that a text takes, at least 1.</summary>
    public static int Count(ClipTokenizer tokenizer, string text) => Split(tokenizer, text).Count;

    /// <summary>Rows of texts, as many for each, empty ones at the end.</summary>
    /// <param name="tokenizer">Text to ids.</param>
    /// <param name="texts">Texts.</param>
    /// <param name="count">Rows of each.</param>
    /// <returns>[texts · count, length], the rows of a text one after the other.</returns>
    public static int[][] Encode(ClipTokenizer tokenizer, IReadOnlyList<string> texts, int count) =>
    [
        .. texts.SelectMany(text =>
        {
            var pieces = Split(tokenizer, text);
            return pieces.Concat(Enumerable.Repeat(new List<int>(), count - pieces.Count));
        }).Select(piece => Row(tokenizer, piece)),
    ];

    private static int[] Row(ClipTokenizer tokenizer, List<int> piece)
    {
        var row = new int[tokenizer.MaxLength];
        Array.Fill(row, tokenizer.PadId);
        row[0] = tokenizer.StartId;
        piece.CopyTo(row, 1);
        row[piece.Count + 1] = tokenizer.EndId;
        return row;
    }

    private static List<List<int>> Split(ClipTokenizer tokenizer, string text)
    {
        var (ids, room, comma) = (tokenizer.Encode(text)[1..^1], tokenizer.MaxLength - 2, CommaOf(tokenizer));
        var (pieces, piece, lastComma) = (new List<List<int>>(), new List<int>(), -1);
        for (var at = 0; at < ids.Length;)
        {
            if (ids[at] == comma) lastComma = piece.Count;
            else if (piece.Count == room && lastComma >= 0 && room - lastComma <= CommaReach)
            {
                var moved = piece[(lastComma + 1)..];
                piece.RemoveRange(lastComma + 1, piece.Count - lastComma - 1);
                Next();
                piece.AddRange(moved);
            }

            if (piece.Count == room) Next();
            var vectors = Math.Min(tokenizer.CountAt(ids[at]), ids.Length - at);
            if (piece.Count + vectors > room) Next();
            piece.AddRange(ids.AsSpan(at, vectors));
            at += vectors;
        }

        if (piece.Count > 0 || pieces.Count == 0) pieces.Add(piece);
        return pieces;

        void Next()
        {
            pieces.Add(piece);
            (piece, lastComma) = ([], -1);
        }
    }

    private static int CommaOf(ClipTokenizer tokenizer)
    {
        for (var id = 0; id < tokenizer.Symbols.Count; id++)
            if (tokenizer.Symbols[id] == ",</w>") return id;
        return -1;
    }
}
