using System.CommandLine;
using System.CommandLine.Parsing;
using System.Text.RegularExpressions;
using Alebrije.Catalog;

namespace Alebrije.Cli;

/// <summary>
/// Rejects words in the form of an option that the verb does not have, and options of the verb in place of another's value. The parser
/// alone would use them as values: of arguments of any number, such as prompts and labels, or of the option before them.
/// </summary>
internal static partial class UnknownOptions
{
    /// <summary>A sentence about the first of them, with the nearest option; null if there is none.</summary>
    /// <param name="args">The command line. Words after <c>--</c> and words with a space are text.</param>
    /// <param name="parsed">Its parse result.</param>
    /// <param name="words">Language of the sentence.</param>
    public static string? Find(IEnumerable<string> args, ParseResult parsed, Words words)
    {
        var known = NamesFor(parsed.CommandResult).ToArray();
        var unknown = args.TakeWhile(arg => arg != "--").Select(arg => OptionForm().Match(arg)).Where(match => match.Success)
            .Select(match => match.Groups["name"].Value).FirstOrDefault(name => !known.Contains(name));
        if (unknown is null) return null;
        return Nearest(unknown, known) is { } near
            ? words["usage.unknown-option-near", unknown, near]
            : words["usage.unknown-option", unknown];
    }

    /// <summary>A sentence about the first option whose value is missing because another option follows; null if there is none.</summary>
    /// <param name="args">The command line. <c>--option=--value</c> is accepted.</param>
    /// <param name="parsed">Its parse result.</param>
    /// <param name="words">Language of the sentence.</param>
    public static string? FindWithoutValue(IEnumerable<string> args, ParseResult parsed, Words words)
    {
        var known = NamesFor(parsed.CommandResult).ToHashSet();
        var needy = OptionsFor(parsed.CommandResult).Where(option => option.Arity.MinimumNumberOfValues > 0)
            .SelectMany(option => option.Aliases.Append(option.Name)).ToHashSet();
        string[] given = [.. args.TakeWhile(arg => arg != "--")];
        var at = Array.FindIndex(given, option => known.Contains(option));
        while (at >= 0 && (at == 0 || !needy.Contains(given[at - 1])))
            at = Array.FindIndex(given, at + 1, option => known.Contains(option));
        return at < 0 ? null : words["usage.needs-value-before", given[at - 1], given[at]];
    }

    private static string? Nearest(string unknown, IEnumerable<string> known)
    {
        var names = known.Where(name => name.StartsWith("--", StringComparison.Ordinal)).ToDictionary(name => name[2..]);
        return unknown.TrimStart('-') is { Length: > 0 } typed && Spelling.Nearest(typed, names.Keys) is { } near ? names[near] : null;
    }

    /// <summary>Names and aliases of the options of a command, and of the recursive ones of its parents.</summary>
    private static IEnumerable<string> NamesFor(CommandResult command) =>
        OptionsFor(command).SelectMany(option => option.Aliases.Prepend(option.Name));

    /// <summary>The options of a command, and the recursive ones of its parents.</summary>
    private static IEnumerable<Option> OptionsFor(CommandResult command)
    {
        for (SymbolResult? result = command; result is CommandResult { Command: { } at }; result = result.Parent)
            foreach (var option in at.Options.Where(option => at == command.Command || option.Recursive))
                yield return option;
    }

    [GeneratedRegex(@"^(?<name>-+\p{L}[^\s=]*)(=.*)?$", RegexOptions.Singleline)]
    private static partial Regex OptionForm();
}
