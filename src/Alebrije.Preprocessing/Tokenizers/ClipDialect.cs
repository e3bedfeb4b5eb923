namespace Alebrije.Preprocessing.Tokenizers;

/// <summary>Rules for cleaning and splitting a text, by reference implementation. On plain English prompts they all agree.</summary>
public enum ClipDialect
{
    /// <summary>
    /// <c>CLIPTokenizer</c> of transformers 5 (src/transformers/models/clip/tokenization_clip.py): normalization form C, white space,
    /// lower case; special tokens, including the padding, are recognised if a text spells them exactly.
    /// </summary>
    Transformers,

    /// <summary>
    /// openai/CLIP (clip/simple_tokenizer.py): ftfy, HTML entities twice, white space, lower case; <c>&lt;|startoftext|&gt;</c> and
    /// <c>&lt;|endoftext|&gt;</c> are recognised in a text, in capitals too.
    /// </summary>
    OpenAi,

    /// <summary>
    /// open_clip (src/open_clip/tokenizer.py, cleaning <c>lower</c>): as <see cref="OpenAi"/>, with the special tokens
    /// <c>&lt;start_of_text&gt;</c> and <c>&lt;end_of_text&gt;</c>.
    /// </summary>
    OpenClip,

    /// <summary>open_clip with cleaning <c>whitespace</c>: as <see cref="OpenClip"/> without lower case.</summary>
    OpenClipWhitespace,

    /// <summary>open_clip with cleaning <c>canonicalize</c>: as <see cref="OpenClip"/> without ASCII punctuation.</summary>
    OpenClipCanonicalize,
}
