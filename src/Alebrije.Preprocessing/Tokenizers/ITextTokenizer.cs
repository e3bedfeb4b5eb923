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

    /// <summary>The text that ids spell.</summary>
    /// <param name="ids">Ids below <see cref="VocabularySize"/>.</param>
    /// <param name="keepSpecial">Spell start, end and other special tokens too.</param>
    /// <exception cref="ArgumentOutOfRangeException">An id is not in the vocabulary.</exception>
    string Decode(IReadOnlyList<int> ids, bool keepSpecial = false);
}
