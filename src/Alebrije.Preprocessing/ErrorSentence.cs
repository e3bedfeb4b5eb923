namespace Alebrije.Preprocessing;

/// <summary>Messages of errors as they are shown to users: one sentence of limited length.</summary>
internal static class ErrorSentence
{
    /// <summary>Most characters of a sentence: a message may quote a line of a file, of any length.</summary>
    public const int Longest = 2000;

    /// <summary>The first line of an error's message without the name of a parameter, its middle left out where it is long.</summary>
    /// <param name="error">The error.</param>
    public static string Of(Exception error)
    {
        // ArgumentException appends the parameter's name, which is of no use to users.
        var text = error.Message.Split('\n', 2)[0].Trim();
        var parameter = text.LastIndexOf(" (Parameter '", StringComparison.Ordinal);
        return Cut(parameter > 0 ? text[..parameter] : text);
    }

    /// <summary>A text of at most <see cref="Longest"/> characters: its start and its end.</summary>
    public static string Cut(string text) => text.Length <= Longest ? text
        : $"{text.AsSpan(0, Longest / 2)} ... {text.AsSpan(text.Length - (Longest / 2) + 5)}";
}
