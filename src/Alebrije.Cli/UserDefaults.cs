using System.CommandLine;
using System.CommandLine.Parsing;
using System.Text.Json;
using Alebrije.Catalog;
using Alebrije.Preprocessing;

namespace Alebrije.Cli;

/// <summary>
/// Defaults of a user: a JSON file whose members are options that all verbs take, and verbs with options of their own, such as
/// <c>{"lang": "es", "imagine": {"steps": 20}}</c>. The command line overrides them.
/// </summary>
/// <param name="Path">The file; it need not exist.</param>
internal sealed record UserDefaults(string Path)
{
    private static readonly JsonDocumentOptions Format = new() { AllowTrailingCommas = true, CommentHandling = JsonCommentHandling.Skip };

    /// <summary>Verbs whose result must not depend on a user's defaults.</summary>
    private static readonly string[] Exempt = ["replay", "config", "completion"];

    /// <summary>Values by verb and option name without dashes; the verb of common options is empty.</summary>
    public IReadOnlyDictionary<(string Verb, string Option), IReadOnlyList<string>> Values { get; private init; } =
        new Dictionary<(string, string), IReadOnlyList<string>>();

    /// <summary>
    /// This user's file: <c>alebrije/config.json</c> in <c>XDG_CONFIG_HOME</c>, else <c>~/.config</c>; on Windows in <c>%APPDATA%</c>.
    /// </summary>
    public static string UserPath => System.IO.Path.Combine(
        Environment.GetFolderPath(Environment.SpecialFolder.ApplicationData, Environment.SpecialFolderOption.DoNotVerify),
        "alebrije", "config.json");

    /// <summary>Reads a file of defaults; none if it does not exist.</summary>
    /// <param name="path">The file.</param>
    /// <param name="root">The verbs and their options, for checking names.</param>
    /// <param name="words">Language of errors.</param>
    /// <exception cref="UsageException">It is not a JSON object, or names an option that does not exist.</exception>
    public static UserDefaults Read(string path, RootCommand root, Words words)
    {
        if (!File.Exists(path)) return new UserDefaults(path);
        try
        {
            using var document = JsonText.Parse(RegularFile.ReadAllText(path), Format);
            var values = new Dictionary<(string, string), IReadOnlyList<string>>();
            foreach (var member in document.RootElement.EnumerateObject())
            {
                if (member.Value.ValueKind != JsonValueKind.Object)
                {
                    values[("", Known(member.Name, root))] = TextsOf(member.Value);
                    continue;
                }

                var verb = root.Subcommands.FirstOrDefault(command => command.Name == member.Name)
                    ?? throw new UsageException(words["defaults.unknown-verb", path,
                        member.Name, Near(member.Name, root.Subcommands.Select(command => command.Name), words)]);
                foreach (var own in member.Value.EnumerateObject()) values[(verb.Name, Known(own.Name, verb))] = TextsOf(own.Value);
            }

            return new UserDefaults(path) { Values = values };
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new UsageException(words["defaults.no-json", path]);
        }

        string Known(string name, Command command)
        {
            var names = command.Options.Concat(CommonOptions.All).Select(option => option.Name[2..]).ToArray();
            if (names.Contains(name)) return name;
            var near = Near(name, names, words);
            throw new UsageException(command == root
                ? words["defaults.unknown-common-option", path, name, near]
                : words["defaults.unknown-option", path, name, command.Name, near]);
        }
    }

    /// <summary>
    /// The command line with those defaults of its verb that it does not set, inserted before <c>--</c> if present; the same array if there
    /// are none.
    /// </summary>
    /// <param name="args">The command line.</param>
    /// <param name="parsed">Its parse result.</param>
    public string[] Apply(string[] args, ParseResult parsed)
    {
        if (Values.Count == 0 || VerbOf(parsed) is not { } verb || Exempt.Contains(verb.Name)) return args;
        var added = new List<string>();
        foreach (var ((of, name), texts) in Values.OrderBy(value => value.Key.Verb.Length))
        {
            if (of.Length > 0 && of != verb.Name) continue;
            if (of.Length == 0 && Values.ContainsKey((verb.Name, name))) continue;
            var option = parsed.CommandResult.Command.Options.Concat(CommonOptions.All)
                .FirstOrDefault(option => option.Name == "--" + name);
            if (option is null || parsed.GetResult(option) is { Implicit: false }) continue;
            added.AddRange(texts.Select(text => $"{option.Name}={text}"));
        }

        if (added.Count == 0) return args;
        var at = Array.IndexOf(args, "--") is >= 0 and var dashes ? dashes : args.Length;
        return [.. args[..at], .. added, .. args[at..]];
    }

    private static Command? VerbOf(ParseResult parsed)
    {
        for (SymbolResult? result = parsed.CommandResult; result is CommandResult command; result = result.Parent)
            if (command.Parent is CommandResult { Command: RootCommand }) return command.Command;
        return null;
    }

    private static IReadOnlyList<string> TextsOf(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Array => [.. value.EnumerateArray().SelectMany(TextsOf)],
        JsonValueKind.String => [value.GetString()!],
        JsonValueKind.Null => [],
        _ => [value.GetRawText()],
    };

    private static string Near(string name, IEnumerable<string> names, Words words) =>
        Spelling.Nearest(name, names) is { } near ? words["defaults.did-you-mean", near] : ".";
}
