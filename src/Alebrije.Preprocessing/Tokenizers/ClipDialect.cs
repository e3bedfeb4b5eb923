namespace Alebrije.Preprocessing.Tokenizers;

/// <summary>Whose rules for cleaning and splitting a text apply. On plain English prompts they agree.</summary>
public enum ClipDialect
{
    /// <summary>
    /// <c>CLIPTokenizer</c> of transformers (src/transformers/models/clip/tokenization_clip.py): normalization form C, white space,
    /// lower case; special tokens, the padding among them, count where a text spells them exactly.
    /// </summary>
    Transformers,
}
