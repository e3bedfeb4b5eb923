namespace Alebrije.Datasets.Words;

/// <summary>Takes articles off a phrase.</summary>
internal static class Articles
{
    private static readonly string[] English = ["a ", "an ", "the ", "some "];
    private static readonly string[] Spanish = ["un ", "una ", "unos ", "unas ", "el ", "la ", "los ", "las "];

    public static string Strip(string phrase, Language language)
    {
        var trimmed = phrase.Trim();
        var article = (language == Language.English ? English : Spanish)
            .FirstOrDefault(word => trimmed.StartsWith(word, StringComparison.OrdinalIgnoreCase));
        return article is null ? trimmed : trimmed[article.Length..];
    }
}
