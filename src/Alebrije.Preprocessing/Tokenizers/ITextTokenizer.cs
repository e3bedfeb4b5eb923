namespace Alebrije.Preprocessing.Tokenizers;

/// <summary>Texts to the ids that a text encoder reads. Safe to use from many threads.</summary>
public interface ITextTokenizer
{
    /// <summary>Id that ends every text.</summary>
    int EndId { get; }

    /// <summary>Id that fills a row behind its end.</summary>
    int PadId { get; }

    /// <summary>Tokens of a row that the model was made for, with what opens and ends it.</summary>
    int MaxLength { get; }

    /// <summary>Rows that an embedding of these ids needs: the largest id and one.</summary>
    int VocabularySize { get; }

    /// <summary>The text as the vocabulary sees it.</summary>
    string Clean(string text);

    /// <summary>Ids of a text, whole: with what opens and ends it, neither cut nor padded.</summary>
    int[] Encode(string text);

    /// <summary>Symbols of a text, whole, one for each id of <see cref="Encode"/>.</summary>
    string[] Tokens(string text);

    /// <summary>Rows of one length for a model, padded with <see cref="PadId"/>.</summary>
    /// <param name="texts">Texts, one per row.</param>
    /// <param name="length">Ids of a row, at least 2; <see cref="MaxLength"/> for the length that the model was made for.</param>
    /// <param name="truncate">Cut a text that is too long, its last id becoming the end; otherwise it is an error.</param>
    /// <returns>[texts, length]</returns>
    /// <exception cref="ArgumentException">A text is too long and may not be cut.</exception>
    int[][] EncodeBatch(IReadOnlyList<string> texts, int length, bool truncate = true);

    /// <inheritdoc cref="EncodeBatch(IReadOnlyList{string}, int, bool)"/>
    /// <param name="texts">Texts, one per row.</param>
    /// <param name="length">Ids of a row, at least 2.</param>
    /// <param name="lengths">Ids of each row that are text, with what opens and ends it: ones of the attention mask.</param>
    /// <param name="truncate">Cut a text that is too long, its last id becoming the end; otherwise it is an error.</param>
    int[][] EncodeBatch(IReadOnlyList<string> texts, int length, out int[] lengths, bool truncate = true);

    /// <summary>The text that ids spell.</summary>
    /// <param name="ids">Ids below <see cref="VocabularySize"/>.</param>
    /// <param name="keepSpecial">Spell start, end and other special tokens too.</param>
    /// <exception cref="ArgumentOutOfRangeException">An id is not in the vocabulary.</exception>
    string Decode(IReadOnlyList<int> ids, bool keepSpecial = false);
}
