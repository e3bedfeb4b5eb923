namespace Alebrije.Preprocessing.Tokenizers;

/// <summary>Texts as rows of one length for a model.</summary>
public static class TokenRows
{
    /// <summary>Rows of one length for a model, padded with <see cref="ITextTokenizer.PadId"/>.</summary>
    /// <param name="tokenizer">Tokenizer of the texts.</param>
    /// <param name="texts">Texts, one per row.</param>
    /// <param name="length">Ids of a row, at least 2; <see cref="ITextTokenizer.MaxLength"/> for the model's context length.</param>
    /// <param name="truncate">True to cut a text that is too long, its last id becoming the end; false to throw.</param>
    /// <returns>[texts, length]</returns>
    /// <exception cref="ArgumentException">A text is too long and may not be cut.</exception>
    public static int[][] EncodeBatch(this ITextTokenizer tokenizer, IReadOnlyList<string> texts, int length, bool truncate = true) =>
        tokenizer.EncodeBatch(texts, length, out _, truncate);

    /// <inheritdoc cref="EncodeBatch(ITextTokenizer, IReadOnlyList{string}, int, bool)"/>
    /// <param name="tokenizer">Tokenizer of the texts.</param>
    /// <param name="texts">Texts, one per row.</param>
    /// <param name="length">Ids of a row, at least 2.</param>
    /// <param name="lengths">Ids of each row before the padding, start and end included: ones of the attention mask.</param>
    /// <param name="truncate">True to cut a text that is too long, its last id becoming the end; false to throw.</param>
    public static int[][] EncodeBatch(
        this ITextTokenizer tokenizer, IReadOnlyList<string> texts, int length, out int[] lengths, bool truncate = true)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        ArgumentNullException.ThrowIfNull(texts);
        ArgumentOutOfRangeException.ThrowIfLessThan(length, 2);
        var rows = new int[texts.Count][];
        lengths = new int[texts.Count];
        for (var i = 0; i < rows.Length; i++)
        {
            var found = tokenizer.Encode(texts[i]);
            if (found.Length > length && !truncate)
                throw new ArgumentException(
                    $"Text {i + 1} (\"{Shorten(texts[i])}\") has {found.Length} tokens, start and end included, "
                    + $"and only {length} fit; shorten it or allow cutting.",
                    nameof(texts));
            lengths[i] = Math.Min(found.Length, length);
            if (found.Length > length) found[length - 1] = tokenizer.EndId;
            var row = new int[length];
            found.AsSpan(0, lengths[i]).CopyTo(row);
            row.AsSpan(lengths[i]).Fill(tokenizer.PadId);
            rows[i] = row;
        }

        return rows;
    }

    private static string Shorten(string text) => text.Length <= 40 ? text : text[..37] + "...";
}
