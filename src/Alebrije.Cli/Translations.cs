using System.CommandLine;
using System.CommandLine.Help;
using System.Text.Json;

namespace Alebrije.Cli;

/// <summary>
/// All texts of the command, in both languages: the embedded <c>Translations.json</c>. Its <c>texts</c> are the descriptions of verbs,
/// arguments and options, by verb and name (<c>imagine --count</c>, <c>train clip</c>, <c>vary &lt;picture&gt;</c>), or by the name alone
/// if several verbs share them. Its <c>messages</c> are composite formats, filled by <see cref="Words"/>: <c>{0}</c> is a value, a
/// literal brace is doubled.
/// </summary>
internal static class Translations
{
    private static readonly JsonSerializerOptions Format = new(JsonSerializerDefaults.Web) { AllowDuplicateProperties = false };

    private static readonly Lazy<Document> Loaded = new(() =>
    {
        using var stream = typeof(Translations).Assembly.GetManifestResourceStream("Translations.json")!;
        return JsonSerializer.Deserialize<Document>(stream, Format)!;
    });

    /// <summary>Descriptions for help by their key.</summary>
    internal static IReadOnlyDictionary<string, Text> Texts => Loaded.Value.Texts;

    /// <summary>Messages by their key.</summary>
    internal static IReadOnlyDictionary<string, Text> Messages => Loaded.Value.Messages;

    /// <summary>Example command lines by their verb.</summary>
    internal static IReadOnlyDictionary<string, Lines> Examples => Loaded.Value.Examples;

    /// <summary>Sets the descriptions of a command and all below it.</summary>
    /// <param name="command">The command.</param>
    /// <param name="words">Language.</param>
    public static void Describe(Command command, Words words) => Describe(command, "", words, new HashSet<string>());

    /// <summary>Example command lines of a verb; none for a verb with subcommands.</summary>
    /// <param name="verb">Full name of the verb, such as <c>train clip</c>.</param>
    /// <param name="words">Language.</param>
    public static IReadOnlyList<string> ExamplesOf(string verb, Words words) =>
        Examples.TryGetValue(verb, out var lines) ? words.Language == "es" ? lines.Es : lines.En : [];

    /// <summary>A message by its key.</summary>
    internal static Text Message(string key) => Messages.TryGetValue(key, out var text) ? text : throw Missing(key);

    /// <summary>Sets descriptions, and collects the used keys.</summary>
    internal static void Describe(Command command, string verb, Words words, ISet<string> used)
    {
        command.Description = Of(verb.Length == 0 ? "alebrije" : verb);
        foreach (var argument in command.Arguments) argument.Description = Of($"{verb} <{argument.Name}>");
        foreach (var option in command.Options)
            option.Description = Texts.ContainsKey($"{verb} {option.Name}") ? Of($"{verb} {option.Name}") : Of(option.Name);
        foreach (var below in command.Subcommands) Describe(below, $"{verb} {below.Name}".Trim(), words, used);

        string Of(string key)
        {
            used.Add(key);
            return Texts.TryGetValue(key, out var text) ? text.In(words.Language) : throw Missing(key);
        }
    }

    private static InvalidOperationException Missing(string key) =>
        new($"Translations.json has no text for '{key}'; add it in both languages.");

    /// <summary>A text in both languages.</summary>
    internal sealed record Text(string En, string Es)
    {
        /// <summary>The text in a language, English for any other.</summary>
        public string In(string language) => language == "es" ? Es : En;
    }

    /// <summary>Command lines in both languages.</summary>
    internal sealed record Lines(IReadOnlyList<string> En, IReadOnlyList<string> Es);

    private sealed record Document(Dictionary<string, Text> Texts,
        Dictionary<string, Lines> Examples, Dictionary<string, Text> Messages);
}
