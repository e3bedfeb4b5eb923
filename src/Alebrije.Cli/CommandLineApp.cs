using System.CommandLine;
using System.CommandLine.Help;
using System.Runtime.InteropServices;
using Alebrije.Cli.Commands;
using Alebrije.Tensors;

namespace Alebrije.Cli;

/// <summary>The command <c>alebrije</c>: its verbs, and how it ends. Exit status 0 done, 1 failed, 2 wrong usage.</summary>
internal static class CommandLineApp
{
    private const string Name = "alebrije";

    /// <summary>Runs one command line.</summary>
    /// <param name="args">Verb, arguments and options.</param>
    /// <param name="output">Where answers go; with <c>--json</c> one JSON document and nothing else.</param>
    /// <param name="error">Where progress and errors go.</param>
    /// <param name="input">What <c>-</c> reads; null is standard input.</param>
    /// <returns>The exit status.</returns>
    public static async Task<int> RunAsync(string[] args, TextWriter output, TextWriter error, TextReader? input = null)
    {
        var root = CreateRoot(new Terminal(output, error, input ?? Console.In));
        // A text may begin with @, which must not be read as the name of a file with further arguments.
        ParseResult parsed;
        try
        {
            parsed = root.Parse(args, new ParserConfiguration { ResponseFileTokenReplacer = null });
        }
        catch (InvalidOperationException e)
        {
            // A rule of an option asks for its value, and the parser throws where the value is of another kind.
            error.WriteLine(UsageMessages.Of(e.Message, root));
            return 2;
        }

        if (parsed.Errors.Count > 0)
        {
            // Where a word is wrong, that one is missing says nothing more.
            var problems = parsed.Errors.Where(e => parsed.Errors.Count == 1 || !UsageMessages.IsMissingVerb(e.Message));
            foreach (var problem in problems.Select(e => UsageMessages.Of(e.Message, parsed.CommandResult.Command)).Distinct()) error.WriteLine(problem);
            error.WriteLine($"Try: {VerbOf(parsed.CommandResult)} --help");
            return 2;
        }

        using var stop = new CancellationTokenSource();
        ConsoleCancelEventHandler onCancel = (_, e) =>
        {
            // The first Ctrl-C stops cleanly and keeps what is finished; the second one quits.
            e.Cancel = !stop.IsCancellationRequested;
            stop.Cancel();
        };
        Console.CancelKeyPress += onCancel;
        using var onTerminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, signal =>
        {
            signal.Cancel = !stop.IsCancellationRequested;
            stop.Cancel();
        });
        try
        {
            // No time limit: a training run that was asked to stop may need a while to save itself.
            var configuration = new InvocationConfiguration { Output = output, Error = error, EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null };
            return await parsed.InvokeAsync(configuration, stop.Token);
        }
        catch (Exception e) when (e.GetBaseException() is OperationCanceledException)
        {
            error.WriteLine(new Words(CommonOptions.LanguageOf(parsed)).In("Stopped.", "Detenido."));
            return 1;
        }
        catch (Exception e) when (e.GetBaseException() is UsageException)
        {
            error.WriteLine(e.GetBaseException().Message);
            return 2;
        }
        catch (Exception e) when (!parsed.GetValue(CommonOptions.Debug))
        {
            error.WriteLine(Sentence(e));
            return 1;
        }
        finally
        {
            Console.CancelKeyPress -= onCancel;
        }
    }

    private static RootCommand CreateRoot(Terminal terminal)
    {
        var root = new RootCommand("CLIP, DALL-E 2 and their family: text to image, and back.") { HelpName = Name };
        foreach (var option in CommonOptions.All) root.Add(option);
        foreach (var command in Verbs.Create(terminal)) root.Add(command);
        var helpOption = root.Options.OfType<HelpOption>().Single();
        helpOption.Description = "Shows this help.";
        root.Options.OfType<VersionOption>().Single().Description = "Shows the version.";
        var help = (HelpAction)helpOption.Action!;
        help.MaxWidth = terminal.Width;
        root.SetAction(parsed => help.Invoke(parsed));
        return root;
    }

    private static string VerbOf(System.CommandLine.Parsing.SymbolResult command) => command.Parent is { } parent
        ? $"{VerbOf(parent)} {((System.CommandLine.Parsing.CommandResult)command).Command.Name}" : Name;

    /// <summary>The first line of what went wrong; the innermost cause says most when the native library raised it.</summary>
    private static string Sentence(Exception exception)
    {
        var cause = exception is AggregateException or TypeInitializationException or System.Reflection.TargetInvocationException
            ? exception.GetBaseException() : exception;
        var text = cause is TorchRuntimeException ? cause.Message : cause.Message.Split('\n')[0].Trim();
        // ArgumentException appends the parameter's name, which means nothing to a person.
        var parameter = text.LastIndexOf(" (Parameter '", StringComparison.Ordinal);
        return Capitalised(parameter > 0 ? text[..parameter] : text);
    }

    /// <summary>A sentence begins with a capital; names and paths stay as they are.</summary>
    private static string Capitalised(string text) =>
        text.Split(' ', 2)[0] is "there" or "the" or "nothing" ? char.ToUpperInvariant(text[0]) + text[1..] : text;
}

/// <summary>Wrong usage that only shows once the options are read together: one sentence, exit status 2.</summary>
internal sealed class UsageException(string message) : Exception(message);
