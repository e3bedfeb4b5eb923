using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using System.CommandLine.Parsing;
using System.Text.RegularExpressions;

namespace Alebrije.Cli;

/// <summary>Help in the language of messages, with examples at its end. The library's own headings exist as satellite assemblies, which programs without cultures do not load.</summary>
internal sealed partial class LocalHelp : SynchronousCommandLineAction
{
    /// <summary>Columns by which a Spanish remark about a default is longer than the English one.</summary>
    private const int LongerRemark = 4;

    private static readonly Lock Gate = new();
    private readonly HelpAction help;
    private readonly Words words;

    /// <param name="help">The library's help.</param>
    /// <param name="width">Columns of the terminal.</param>
    /// <param name="words">Language.</param>
    public LocalHelp(HelpAction help, int width, Words words)
    {
        (this.help, this.words) = (help, words);
        help.MaxWidth = words.Language == "es" ? width - LongerRemark : width;
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
            // Options that verbs share are the same objects for every command line of a process.
            lock (Gate)
            {
                HelpTexts.Describe(parseResult.RootCommandResult.Command, words);
                help.Invoke(parseResult);
            }
        }
        finally
        {
            configuration.Output = output;
        }

        output.Write(words.Language == "es" ? InSpanish(written.ToString()) : written.ToString());
        var examples = HelpTexts.ExamplesOf(VerbOf(parseResult.CommandResult), words);
        if (examples.Count == 0) return 0;
        output.WriteLine(words.In("Examples:", "Ejemplos:"));
        foreach (var example in examples) output.WriteLine($"  {example}");
        output.WriteLine();
        return 0;
    }

    private static string VerbOf(CommandResult command) => command.Parent is CommandResult parent ? $"{VerbOf(parent)} {command.Command.Name}".Trim() : "";

    private static string InSpanish(string help) => Marks().Replace(help, mark => mark.Value switch
    {
        "Description:" => "Descripción:",
        "Usage:" => "Uso:",
        "Arguments:" => "Argumentos:",
        "Options:" => "Opciones:",
        "Commands:" => "Órdenes:",
        "[options]" => "[opciones]",
        "[command]" => "[orden]",
        "[default: " => "[por defecto: ",
        _ => "(OBLIGATORIO)",
    });

    [GeneratedRegex(@"^(Description|Usage|Arguments|Options|Commands):|\[options\]|\[command\]|\[default: |\(REQUIRED\)", RegexOptions.Multiline)]
    private static partial Regex Marks();
}
