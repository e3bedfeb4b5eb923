using System.CommandLine;
using System.Text.RegularExpressions;
using Alebrije.Catalog;

namespace Alebrije.Cli;

/// <summary>Puts what the command line's parser says into a sentence a person understands.</summary>
internal static partial class UsageMessages
{
    /// <summary>One sentence, whatever the parser's own message looks like.</summary>
    /// <param name="message">The parser's message.</param>
    /// <param name="command">The command that was recognised so far, for its verbs.</param>
    /// <param name="words">Language of the sentence.</param>
    public static string Of(string message, Command command, Words words)
    {
        if (IsMissingVerb(message))
            return words.In($"{command.Name} needs one of {Verbs(command)}.", $"{command.Name} necesita una de estas órdenes: {Verbs(command)}.");
        if (NotOfType().Match(message) is { Success: true } type)
        {
            var (name, value) = (type.Groups["name"].Value, type.Groups["value"].Value);
            var kind = Kind(type.Groups["type"].Value, words);
            return words.In($"{name} takes {kind}, not '{value}'.", $"{name} toma {kind}, no '{value}'.");
        }

        if (NotAmong().Match(message) is { Success: true } among)
        {
            var choice = string.Join(", ", Quoted().Matches(among.Groups["list"].Value).Select(m => m.Groups[1].Value));
            return words.In($"'{among.Groups["value"].Value}' is not possible here; choose {choice}.", $"'{among.Groups["value"].Value}' no es posible aquí; elige {choice}.");
        }

        if (Unrecognized().Match(message) is { Success: true } unknown)
            return Unknown(unknown.Groups["value"].Value, command, words);
        if (Missing().Match(message) is { Success: true } missing)
            return words.In($"{missing.Groups["verb"].Value} needs {missing.Groups["name"].Value}.", $"{missing.Groups["verb"].Value} necesita {missing.Groups["name"].Value}.");
        return message.ReplaceLineEndings(" ").Replace("\t", "", StringComparison.Ordinal).Trim();
    }

    /// <summary>True of a word that the parser finds no place for.</summary>
    public static bool IsUnrecognized(string message) => Unrecognized().IsMatch(message);

    /// <summary>True of such a word that has the form of an option.</summary>
    public static bool IsOption(string message) => Unrecognized().Match(message) is { Success: true } unknown && unknown.Groups["value"].Value.StartsWith('-');

    /// <summary>True where the parser misses one of a command's own verbs.</summary>
    public static bool IsMissingVerb(string message) => message.StartsWith("Required command was not provided", StringComparison.Ordinal);

    private static string Unknown(string given, Command command, Words words)
    {
        if (command.Subcommands.Count == 0)
        {
            return words.In(
                $"'{given}' is one argument too many; a text of several words stands in quotes.",
                $"'{given}' es un argumento de más; un texto de varias palabras va entre comillas.");
        }

        return Spelling.Nearest(given, command.Subcommands.Select(c => c.Name)) is { } near
            ? words.In($"There is no verb '{given}'; did you mean {near}?", $"No hay ninguna orden '{given}'; ¿querías decir {near}?")
            : words.In($"There is no verb '{given}'; verbs are {Verbs(command)}.", $"No hay ninguna orden '{given}'; las órdenes son {Verbs(command)}.");
    }

    private static string Verbs(Command command) => string.Join(", ", command.Subcommands.Select(c => c.Name));

    private static string Kind(string type, Words words) => type switch
    {
        var t when t.Contains("UInt", StringComparison.Ordinal) => words.In("a whole number from 0 on", "un número entero a partir de 0"),
        var t when t.Contains("Int", StringComparison.Ordinal) => words.In("a whole number", "un número entero"),
        var t when t.Contains("Double", StringComparison.Ordinal) || t.Contains("Single", StringComparison.Ordinal) => words.In("a number", "un número"),
        var t when t.Contains("Boolean", StringComparison.Ordinal) => words.In("true or false", "true o false"),
        _ => words.In("a value of another kind", "un valor de otro tipo"),
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
