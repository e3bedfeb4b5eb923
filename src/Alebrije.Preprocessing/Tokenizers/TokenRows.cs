namespace Alebrije.Preprocessing.Tokenizers;

/// <summary>Texts as rows of one length.</summary>
internal static class TokenRows
{
    /// <summary>Encodes texts, cuts and pads.</summary>
    /// <param name="texts">Texts, one per row.</param>
    /// <param name="encode">Gives the ids of a text, whole.</param>
    /// <param name="length">Ids of a row.</param>
    /// <param name="ids">What ends a row that was cut, and what fills one.</param>
    /// <param name="truncate">Cut a text that is too long; otherwise it is an error.</param>
    /// <param name="lengths">Ids of each row that are text.</param>
    /// <exception cref="ArgumentException">A text is too long and may not be cut.</exception>
    public static int[][] Of(IReadOnlyList<string> texts, Func<string, int[]> encode, int length, (int End, int Pad) ids, bool truncate, out int[] lengths)
    {
        var rows = new int[texts.Count][];
        lengths = new int[texts.Count];
        for (var i = 0; i < rows.Length; i++)
        {
            var found = encode(texts[i]);
            if (found.Length > length && !truncate)
                throw new ArgumentException(
                    $"Text {i + 1} (\"{Shorten(texts[i])}\") has {found.Length} tokens, start and end included, and only {length} fit; shorten it or allow cutting.", nameof(texts));
            lengths[i] = Math.Min(found.Length, length);
            if (found.Length > length) found[length - 1] = ids.End;
            var row = new int[length];
            found.AsSpan(0, lengths[i]).CopyTo(row);
            row.AsSpan(lengths[i]).Fill(ids.Pad);
            rows[i] = row;
        }

        return rows;
    }

    private static string Shorten(string text) => text.Length <= 40 ? text : text[..37] + "...";
}
