namespace Alebrije.Server;

/// <summary>Messages of the library's errors for clients.</summary>
internal static class LibraryText
{
    /// <summary>The first line, without the name of a parameter.</summary>
    public static string Of(Exception error)
    {
        var text = error.Message.Split('\n')[0].Trim();
        var parameter = text.LastIndexOf(" (Parameter '", StringComparison.Ordinal);
        return parameter > 0 ? text[..parameter] : text;
    }
}
