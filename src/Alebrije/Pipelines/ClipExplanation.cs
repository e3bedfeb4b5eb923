using Alebrije.Preprocessing.Imaging;
using Alebrije.Preprocessing.Tokenizers;

namespace Alebrije.Pipelines;

/// <summary>A token and its contribution to a match.</summary>
/// <param name="Token">The token as the vocabulary spells it, with <c>&lt;/w&gt;</c> at the end of a word; or a word as it is
/// written.</param>
/// <param name="Relevance">0 and above; larger is more.</param>
public sealed record TokenRelevance(string Token, double Relevance);

/// <summary>Relevance maps of CLIP: the image patches and text tokens that a match rests on (Chefer et al., 2021).</summary>
/// <param name="Text">The text.</param>
/// <param name="Cosine">Cosine of both embeddings.</param>
/// <param name="Seen">Input of the image tower: resized and cropped.</param>
/// <param name="Grid">Patches along a side.</param>
/// <param name="Patches">[grid · grid], row by row: 0 and above, larger is more.</param>
/// <param name="Tokens">Tokens of the text, without start and end.</param>
public sealed record ClipExplanation(
    string Text, double Cosine, RgbImage Seen, int Grid, IReadOnlyList<double> Patches, IReadOnlyList<TokenRelevance> Tokens)
{
    /// <summary>Words of the text as they are written; a word counts as much as its tokens together.</summary>
    public IReadOnlyList<TokenRelevance> Words
    {
        get
        {
            var next = 0;
            return [.. WordPieces.Words([.. Tokens.Select(token => token.Token)]).Select(word =>
            {
                var relevance = Tokens.Skip(next).Take(word.Symbols).Sum(token => token.Relevance);
                next += word.Symbols;
                return new TokenRelevance(word.Word, relevance);
            })];
        }
    }
}
