using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using System.CommandLine.Parsing;
using System.Text.RegularExpressions;

namespace Alebrije.Cli;

/// <summary>
/// Help in the language of messages, followed by examples. System.CommandLine has its headings in satellite assemblies, which programs with
/// invariant globalization do not load.
/// </summary>
internal sealed partial class LocalHelp : SynchronousCommandLineAction
{
    /// <summary>System.CommandLine's text before a default.</summary>
    private const string Default = "[default: ";

    private static readonly Lock Gate = new();
    private readonly HelpAction help;
    private readonly Words words;

    /// <param name="help">Help of System.CommandLine.</param>
    /// <param name="width">Columns of the terminal.</param>
    /// <param name="words">Language.</param>
    public LocalHelp(HelpAction help, int width, Words words)
    {
        (this.help, this.words) = (help, words);
        // Lines are broken before the text of a default is translated, which may be longer.
        help.MaxWidth = width - (Translated(Default).Length - Default.Length);
    }

    /// <inheritdoc/>
    public override bool ClearsParseErrors => true;

    /// <inheritdoc/>
    public override int Invoke(ParseResult parseResult)
    {
        var configuration = parseResult.InvocationConfiguration;
        var output = configuration.Output;
        using var written = new StringWriter();
        configuration.Output = written;
        try
        {
            // Shared options are the same objects for every command line of a process.
            lock (Gate)
            {
                Translations.Describe(parseResult.RootCommandResult.Command, words);
                help.Invoke(parseResult);
            }
        }
        finally
        {
            configuration.Output = output;
        }

        output.Write(Marks().Replace(written.ToString(), mark => Translated(mark.Value)));
        var examples = Translations.ExamplesOf(VerbOf(parseResult.CommandResult), words);
        if (examples.Count == 0) return 0;
        output.WriteLine(words["help.examples"]);
        foreach (var example in examples) output.WriteLine($"  {example}");
        output.WriteLine();
        return 0;
    }

    private static string VerbOf(CommandResult command) =>
        command.Parent is CommandResult parent ? $"{VerbOf(parent)} {command.Command.Name}".Trim() : "";

    private string Translated(string mark) => mark switch
    {
        "Description:" => words["help.description"],
        "Usage:" => words["help.usage"],
        "Arguments:" => words["help.arguments"],
        "Options:" => words["help.options"],
        "Commands:" => words["help.commands"],
        "[options]" => words["help.any-options"],
        "[command]" => words["help.any-command"],
        Default => words["help.default"],
        _ => words["help.required"],
    };

    [GeneratedRegex(@"^(Description|Usage|Arguments|Options|Commands):|\[options\]|\[command\]|\[default: |\(REQUIRED\)",
        RegexOptions.Multiline)]
    private static partial Regex Marks();
}
