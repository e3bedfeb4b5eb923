namespace Alebrije.Preprocessing.Tokenizers;

/// <summary>Converts texts to the ids of a text encoder. Safe to use from many threads.</summary>
public interface ITextTokenizer
{
    /// <summary>Id that ends every text.</summary>
    int EndId { get; }

    /// <summary>Id of the padding after the end.</summary>
    int PadId { get; }

    /// <summary>Context length of the model in tokens, start and end included.</summary>
    int MaxLength { get; }

    /// <summary>Rows of an embedding table for these ids: the largest id plus one.</summary>
    int VocabularySize { get; }

    /// <summary>The text as the vocabulary reads it.</summary>
    string Clean(string text);

    /// <summary>Ids of a whole text, start and end included; neither cut nor padded.</summary>
    int[] Encode(string text);

    /// <summary>Symbols of a whole text, one for each id of <see cref="Encode"/>.</summary>
    string[] Tokens(string text);

    /// <summary>Text of ids.</summary>
    /// <param name="ids">Ids below <see cref="VocabularySize"/>.</param>
    /// <param name="keepSpecial">True to include start, end and other special tokens.</param>
    /// <exception cref="ArgumentOutOfRangeException">An id is not in the vocabulary.</exception>
    string Decode(IReadOnlyList<int> ids, bool keepSpecial = false);
}
