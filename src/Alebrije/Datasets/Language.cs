namespace Alebrije.Datasets;

/// <summary>The languages that the world is described in.</summary>
public enum Language
{
    /// <summary>English, "en".</summary>
    English,

    /// <summary>Spanish, "es".</summary>
    Spanish,
}

/// <summary>Codes of the languages.</summary>
public static class LanguageCodes
{
    /// <summary>"en" or "es".</summary>
    public static string Code(this Language language) => language == Language.English ? "en" : "es";
}
