namespace Alebrije.Cli;

/// <summary>
/// Lines of a text file, or of standard input for <c>-</c>. A byte order mark is removed; a line ends in LF, CR LF or CR.
/// </summary>
internal static class TextLines
{
    private const char ByteOrderMark = '\uFEFF';
    /// <summary>Most lines of a file or of standard input: the texts of a run are in memory at once.</summary>
    private const int Most = 1_000_000;

    private static readonly string[] Ends = ["\r\n", "\n", "\r"];

    /// <summary>The lines, trimmed; empty ones are left out.</summary>
    /// <param name="pathOrDash">A file, or <c>-</c>.</param>
    /// <param name="terminal">Its input is read for <c>-</c>.</param>
    /// <param name="words">Language.</param>
    /// <param name="option">Option that named the file, for the error.</param>
    /// <exception cref="FileNotFoundException">There is no such file; one sentence.</exception>
    /// <exception cref="UsageException">There are more than a million lines.</exception>
    public static IReadOnlyList<string> Read(string pathOrDash, Terminal terminal, Words words, string option)
    {
        if (pathOrDash != "-" && !File.Exists(pathOrDash))
            throw new FileNotFoundException(words["texts.no-file", pathOrDash, option]);
        var lines = Of(pathOrDash == "-" ? All(terminal) : File.ReadAllText(pathOrDash));
        return lines.Count <= Most ? lines : throw new UsageException(words["texts.too-many", pathOrDash, lines.Count, Most]);
    }

    /// <summary>The lines of a text, trimmed; empty ones are left out.</summary>
    public static IReadOnlyList<string> Of(string text) =>
        text.TrimStart(ByteOrderMark).Split(Ends, StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);

    /// <summary>Standard input as one text, without byte order mark and without trailing line breaks.</summary>
    public static string All(Terminal terminal) => terminal.Input.ReadToEnd().TrimStart(ByteOrderMark).TrimEnd('\n', '\r');
}
