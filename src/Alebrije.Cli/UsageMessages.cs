using System.CommandLine;
using System.Text.RegularExpressions;
using Alebrije.Catalog;

namespace Alebrije.Cli;

/// <summary>Converts messages of the command line's parser to readable sentences.</summary>
internal static partial class UsageMessages
{
    /// <summary>One sentence for a message of the parser.</summary>
    /// <param name="message">The parser's message.</param>
    /// <param name="command">The command recognised so far, for its verbs.</param>
    /// <param name="words">Language of the sentence.</param>
    public static string Of(string message, Command command, Words words)
    {
        if (IsMissingVerb(message))
            return words["usage.needs-verb", command.Name, Verbs(command)];
        if (NotOfType().Match(message) is { Success: true } type)
        {
            var (name, given) = (type.Groups["name"].Value, type.Groups["value"].Value);
            var kind = Kind(type.Groups["type"].Value, words);
            return words["usage.takes-kind", name, kind, given];
        }

        if (NotAmong().Match(message) is { Success: true } among)
        {
            var choice = string.Join(", ", Quoted().Matches(among.Groups["list"].Value).Select(m => m.Groups[1].Value));
            return words["usage.choose", among.Groups["value"].Value, choice];
        }

        if (Unrecognized().Match(message) is { Success: true } unknown)
            return Unknown(unknown.Groups["value"].Value, command, words);
        if (MissingValue().Match(message) is { Success: true } value)
            return words["usage.needs-value", value.Groups["name"].Value];
        if (Missing().Match(message) is { Success: true } missing)
            return words["usage.needs-argument", missing.Groups["verb"].Value, missing.Groups["name"].Value];
        return message.ReplaceLineEndings(" ").Replace("\t", "", StringComparison.Ordinal).Trim();
    }

    /// <summary>True for a word that the parser cannot assign.</summary>
    public static bool IsUnrecognized(string message) => Unrecognized().IsMatch(message);

    /// <summary>True for such a word in the form of an option.</summary>
    public static bool IsOption(string message) => Unrecognized().Match(message) is { Success: true } unknown
        && unknown.Groups["value"].Value.StartsWith('-');

    /// <summary>True if one of a command's own verbs is missing.</summary>
    public static bool IsMissingVerb(string message) => message.StartsWith("Required command was not provided", StringComparison.Ordinal);

    private static string Unknown(string given, Command command, Words words)
    {
        if (command.Subcommands.Count == 0)
            return words["usage.argument-too-many", given];
        return Spelling.Nearest(given, command.Subcommands.Select(c => c.Name)) is { } near
            ? words["usage.unknown-verb-near", given, near]
            : words["usage.unknown-verb", given, Verbs(command)];
    }

    private static string Verbs(Command command) => string.Join(", ", command.Subcommands.Select(c => c.Name));

    private static string Kind(string type, Words words) => type switch
    {
        var t when t.Contains("UInt", StringComparison.Ordinal) => words["usage.kind-whole-number-from-0"],
        var t when t.Contains("Int", StringComparison.Ordinal) => words["usage.kind-whole-number"],
        var t when t.Contains("Double", StringComparison.Ordinal) || t.Contains("Single", StringComparison.Ordinal) =>
            words["usage.kind-number"],
        var t when t.Contains("Boolean", StringComparison.Ordinal) => words["usage.kind-boolean"],
        _ => words["usage.kind-other"],
    };

    [GeneratedRegex("^Cannot parse argument '(?<value>.*)' for (option|argument|command) "
        + "'(?<name>[^']*)' as expected type '(?<type>.*)'\\.", RegexOptions.Singleline)]
    private static partial Regex NotOfType();

    [GeneratedRegex("^Argument '(?<value>.*)' not recognized\\. Must be one of:(?<list>.*)$", RegexOptions.Singleline)]
    private static partial Regex NotAmong();

    [GeneratedRegex("^Unrecognized command or argument '(?<value>.*)'\\.", RegexOptions.Singleline)]
    private static partial Regex Unrecognized();

    [GeneratedRegex("^Required argument missing for option: '(?<name>[^']*)'")]
    private static partial Regex MissingValue();

    [GeneratedRegex("^Required argument '?(?<name>[^']*)'? missing for command: '(?<verb>[^']*)'")]
    private static partial Regex Missing();

    [GeneratedRegex("'([^']*)'")]
    private static partial Regex Quoted();
}
