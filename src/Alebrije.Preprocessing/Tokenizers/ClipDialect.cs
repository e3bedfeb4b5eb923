namespace Alebrije.Preprocessing.Tokenizers;

/// <summary>Whose rules for cleaning and splitting a text apply. On plain English prompts they all agree.</summary>
public enum ClipDialect
{
    /// <summary>
    /// <c>CLIPTokenizer</c> of transformers 5 (src/transformers/models/clip/tokenization_clip.py): normalization form C, white space,
    /// lower case; special tokens, the padding among them, count where a text spells them exactly.
    /// </summary>
    Transformers,

    /// <summary>
    /// openai/CLIP (clip/simple_tokenizer.py): ftfy, HTML entities twice, white space, lower case; <c>&lt;|startoftext|&gt;</c> and
    /// <c>&lt;|endoftext|&gt;</c> count in a text, in capitals too.
    /// </summary>
    OpenAi,

    /// <summary>
    /// open_clip (src/open_clip/tokenizer.py, cleaning <c>lower</c>): as <see cref="OpenAi"/>, the specials being
    /// <c>&lt;start_of_text&gt;</c> and <c>&lt;end_of_text&gt;</c>.
    /// </summary>
    OpenClip,

    /// <summary>open_clip with cleaning <c>whitespace</c>: as <see cref="OpenClip"/> without lower case.</summary>
    OpenClipWhitespace,

    /// <summary>open_clip with cleaning <c>canonicalize</c>: as <see cref="OpenClip"/> without ASCII punctuation.</summary>
    OpenClipCanonicalize,
}
