using Alebrije.Preprocessing.Tokenizers;

namespace Alebrije.Verification.Runners;

/// <summary>SentencePiece's unigram tokenizers.</summary>
internal static class UnigramRunners
{
    /// <summary>Comparison of one text's field with sentencepiece, or null if the field is unsupported.</summary>
    public static Func<TextCase, string?>? Text(Fixture fixture, string output) => output switch
    {
        "ids" => text => TokenizerRunners.Difference(Tokenizer(fixture).Encode(text.Text), text.Ids!),
        "normalized" => text => TokenizerRunners.Difference(Tokenizer(fixture).Clean(text.Text), text.Normalized!),
        "pieces" => text => Pieces(Tokenizer(fixture), text),
        "padded" => text => TokenizerRunners.Difference(Tokenizer(fixture).EncodeBatch([text.Text], text.Padded!.Length)[0], text.Padded),
        "mask" => text => TokenizerRunners.Difference(Mask(Tokenizer(fixture), text), text.Mask!),
        _ => null,
    };

    /// <summary>Compares the ids of a text, truncated and padded if it names a length, by the tokenizer of a component's folder.</summary>
    public static string? Ids(Fixture fixture, TextCase text)
    {
        var tokenizer = fixture.Part("tokenizer of " + text.Component, () => UnigramTokenizer.Load(fixture.Model(text.Component ?? "")));
        if (text.MaxLength is not { } max) return TokenizerRunners.Difference(tokenizer.Encode(text.Text), text.Ids!);
        var row = tokenizer.EncodeBatch([text.Text], max, out var lengths)[0];
        return text.Length is { } length && length != lengths[0] ? $"{lengths[0]} ids are text and {length} should be"
            : TokenizerRunners.Difference(row, text.Ids!);
    }

    private static string? Pieces(UnigramTokenizer tokenizer, TextCase text)
    {
        var tokens = tokenizer.Tokens(text.Text).AsSpan()[(tokenizer.StartId is null ? 0 : 1)..^1];
        for (var i = 0; i < Math.Max(tokens.Length, text.Pieces!.Length); i++)
        {
            var (ours, expected) = (i < tokens.Length ? tokens[i] : "", i < text.Pieces.Length ? text.Pieces[i] : "");
            if (ours != expected) return $"piece {i} is \"{TextVerifier.Show(ours)}\" and should be \"{TextVerifier.Show(expected)}\"";
        }

        return null;
    }

    private static int[] Mask(UnigramTokenizer tokenizer, TextCase text)
    {
        tokenizer.EncodeBatch([text.Text], text.Mask!.Length, out var lengths);
        return [.. text.Mask.Select((_, i) => i < lengths[0] ? 1 : 0)];
    }

    private static UnigramTokenizer Tokenizer(Fixture fixture) => fixture.Part(
        "tokenizer", () => fixture.Vocabulary is { } vocabulary ? UnigramTokenizer.LoadModel(vocabulary)
        : UnigramTokenizer.Load(fixture.Model()));
}
