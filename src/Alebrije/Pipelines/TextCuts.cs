using System.Text;
using Alebrije.Preprocessing.Tokenizers;

namespace Alebrije.Pipelines;

/// <summary>Rows of ids for a text encoder, and sentences about the texts that do not fit into one (diffusers, encode_prompt).</summary>
internal static class TextCuts
{
    /// <summary>Sentences of one call at most; more texts than these are counted.</summary>
    private const int MostNotes = 3;

    /// <summary>Characters of a quoted text at most, and of the beginning that names it.</summary>
    private const int MostQuoted = 300, MostNamed = 40;

    /// <summary>Tokens that one character may take.</summary>
    private const int MostOfACharacter = 8;

    /// <summary>A unigram vocabulary's decoding of unknown pieces, and its spelling of a space.</summary>
    private const char Unknown = '\u2047', Space = '\u2581';

    /// <summary>Encodes texts, cuts and pads.</summary>
    /// <param name="tokenizer">Text to ids.</param>
    /// <param name="texts">Texts, one per row.</param>
    /// <param name="length">Ids of a row.</param>
    /// <param name="lengths">Ids of each row that are text.</param>
    /// <param name="note">Called with texts that were cut, and the part that was.</param>
    /// <returns>[texts, length]</returns>
    public static int[][] Encode(ITextTokenizer tokenizer, IReadOnlyList<string> texts,
        int length, out int[] lengths, Action<RunNote>? note)
    {
        var rows = tokenizer.EncodeBatch(texts, length, out lengths);
        if (note is null) return rows;
        var full = lengths;
        var cut = texts.Where((_, i) => full[i] == length).Distinct(StringComparer.Ordinal)
            .Select(text => (Text: text, Ids: tokenizer.Encode(text))).Where(row => row.Ids.Length > length).ToList();
        foreach (var (text, ids) in cut.Take(cut.Count == MostNotes + 1 ? cut.Count : MostNotes))
            note(new TextCutNote(Short(text, MostNamed), ids.Length, length, Short(Rest(tokenizer, text, ids, length), MostQuoted)));
        if (cut.Count > MostNotes + 1) note(new MoreTextsCutNote(cut.Count - MostNotes, length));
        return rows;
    }

    /// <summary>The text of the ids that did not fit, from the first character that was not kept whole.</summary>
    private static string Rest(ITextTokenizer tokenizer, string text, int[] ids, int length)
    {
        // The last id of a row is the end; what stood there is cut too, and so is the whole text's own end.
        var from = length - 1;
        var rest = tokenizer.Decode(ids[from..^1]);
        for (var back = 1; back <= MostOfACharacter && length - 1 - back > 0 && rest.StartsWith('\uFFFD'); back++)
        {
            from = length - 1 - back;
            rest = tokenizer.Decode(ids[from..^1]);
        }

        return (rest.Contains(Unknown) ? Spelled(tokenizer, ids[from..^1], tokenizer.Tokens(text)[from..^1]) : rest).Trim();
    }

    /// <summary>The text of ids; those without a spelling in the vocabulary use the tokens.</summary>
    private static string Spelled(ITextTokenizer tokenizer, int[] ids, string[] tokens)
    {
        var (spelled, known) = (new StringBuilder(), new List<int>());
        for (var i = 0; i <= ids.Length; i++)
        {
            if (i < ids.Length && !tokenizer.Decode([ids[i]]).Contains(Unknown))
            {
                if (known.Count == 0 && tokens[i].StartsWith(Space)) spelled.Append(' ');
                known.Add(ids[i]);
                continue;
            }

            if (known.Count > 0) spelled.Append(tokenizer.Decode(known).TrimStart());
            known.Clear();
            if (i < ids.Length) spelled.Append(tokens[i].Replace(Space, ' '));
        }

        return spelled.ToString();
    }

    private static string Short(string text, int most)
    {
        if (text.Length <= most) return text;
        var end = char.IsHighSurrogate(text[most - 1]) ? most - 1 : most;
        return text[..end] + "...";
    }
}
