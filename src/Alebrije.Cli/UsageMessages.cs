using System.CommandLine;
using System.Text.RegularExpressions;

namespace Alebrije.Cli;

/// <summary>Puts what the command line's parser says into a sentence a person understands.</summary>
internal static partial class UsageMessages
{
    /// <summary>One sentence, whatever the parser's own message looks like.</summary>
    /// <param name="message">The parser's message.</param>
    /// <param name="command">The command that was recognised so far, for its verbs.</param>
    public static string Of(string message, Command command)
    {
        if (IsMissingVerb(message))
            return $"{command.Name} needs one of {string.Join(", ", command.Subcommands.Select(c => c.Name))}.";
        if (NotOfType().Match(message) is { Success: true } type)
            return $"{type.Groups["name"].Value} takes {Kind(type.Groups["type"].Value)}, not '{type.Groups["value"].Value}'.";
        if (NotAmong().Match(message) is { Success: true } among)
            return $"'{among.Groups["value"].Value}' is not possible here; choose {string.Join(", ", Quoted().Matches(among.Groups["list"].Value).Select(m => m.Groups[1].Value))}.";
        if (Unrecognized().Match(message) is { Success: true } unknown)
            return Unknown(unknown.Groups["value"].Value, command);
        if (Missing().Match(message) is { Success: true } missing)
            return $"{missing.Groups["verb"].Value} needs {missing.Groups["name"].Value}.";
        return message.ReplaceLineEndings(" ").Replace("\t", "", StringComparison.Ordinal).Trim();
    }

    /// <summary>Whether the parser misses one of a command's own verbs.</summary>
    public static bool IsMissingVerb(string message) => message.StartsWith("Required command was not provided", StringComparison.Ordinal);

    private static string Unknown(string given, Command command) => given switch
    {
        ['-', ..] => $"There is no option {given} here.",
        _ when command.Subcommands.Count > 0 => $"There is no verb '{given}'; verbs are {string.Join(", ", command.Subcommands.Select(c => c.Name))}.",
        _ => $"'{given}' is one argument too many; a text of several words stands in quotes.",
    };

    private static string Kind(string type) => type switch
    {
        var t when t.Contains("UInt", StringComparison.Ordinal) => "a whole number from 0 on",
        var t when t.Contains("Int", StringComparison.Ordinal) => "a whole number",
        var t when t.Contains("Double", StringComparison.Ordinal) || t.Contains("Single", StringComparison.Ordinal) => "a number",
        var t when t.Contains("Boolean", StringComparison.Ordinal) => "true or false",
        _ => "a value of another kind",
    };

    [GeneratedRegex("^Cannot parse argument '(?<value>.*)' for (option|argument|command) '(?<name>[^']*)' as expected type '(?<type>.*)'\\.", RegexOptions.Singleline)]
    private static partial Regex NotOfType();

    [GeneratedRegex("^Argument '(?<value>.*)' not recognized\\. Must be one of:(?<list>.*)$", RegexOptions.Singleline)]
    private static partial Regex NotAmong();

    [GeneratedRegex("^Unrecognized command or argument '(?<value>.*)'\\.", RegexOptions.Singleline)]
    private static partial Regex Unrecognized();

    [GeneratedRegex("^Required argument '?(?<name>[^']*)'? missing for command: '(?<verb>[^']*)'")]
    private static partial Regex Missing();

    [GeneratedRegex("'([^']*)'")]
    private static partial Regex Quoted();
}
