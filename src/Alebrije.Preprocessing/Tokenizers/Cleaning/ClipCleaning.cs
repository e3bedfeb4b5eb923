namespace Alebrije.Preprocessing.Tokenizers.Cleaning;

/// <summary>What each dialect does to a text before it looks for words.</summary>
internal static class ClipCleaning
{
    public static string Clean(string text, ClipDialect dialect) => dialect switch
    {
        ClipDialect.Transformers => Transformers(text),
        _ => throw new ArgumentOutOfRangeException(nameof(dialect), dialect, "There is no such dialect."),
    };

    /// <summary>Normalization form C, runs of white space to one space, lower case character by character.</summary>
    public static string Transformers(string text) =>
        PlainText.Lower(PlainText.CollapseWhiteSpace(CanonicalComposition.Normalize(text)), finalSigma: false);
}
