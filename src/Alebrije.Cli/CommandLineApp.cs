using System.CommandLine;
using System.CommandLine.Help;
using System.Runtime.InteropServices;
using Alebrije.Cli.Commands;
using Alebrije.Preprocessing;
using Alebrije.Reports;
using Alebrije.Tensors;

namespace Alebrije.Cli;

/// <summary>The command <c>alebrije</c> and its verbs. Exit status 0 done, 1 failed, 2 wrong usage.</summary>
internal static class CommandLineApp
{
    private const string Name = "alebrije";

    /// <summary>Runs one command line.</summary>
    /// <param name="args">Verb, arguments and options.</param>
    /// <param name="output">Writer of answers; with <c>--json</c> one JSON document and nothing else.</param>
    /// <param name="error">Writer of progress and errors.</param>
    /// <param name="input">Reader for <c>-</c>; null is standard input.</param>
    /// <param name="defaults">File of the user's defaults; null is that of this user.</param>
    /// <returns>The exit status.</returns>
    public static async Task<int> RunAsync(string[] args, TextWriter output,
        TextWriter error, TextReader? input = null, string? defaults = null)
    {
        ArgumentNullException.ThrowIfNull(args);
        var (terminal, words) = (new Terminal(output, error, input ?? Console.In), new Words(CommonOptions.LanguageOf(args)));
        defaults ??= UserDefaults.UserPath;
        var root = CreateRoot(terminal, defaults, words);
        // A text may begin with @, which must not be parsed as the name of a file with further arguments.
        var configuration = new ParserConfiguration { ResponseFileTokenReplacer = null };
        ParseResult parsed;
        var source = "";
        try
        {
            parsed = root.Parse(args, configuration);
            if (UnknownOptions.Find(args, parsed, words) is null)
            {
                var (given, file) = (parsed, UserDefaults.Read(defaults, root, words));
                if (file.Apply(args, parsed) is var completed && completed != args)
                {
                    parsed = root.Parse(args = completed, configuration);
                    words = new Words(CommonOptions.LanguageOf(args));
                    if (given.Errors.Count == 0 && parsed.Errors.Count > 0) source = $"{file.Path}: ";
                }
            }
        }
        catch (UsageException e)
        {
            terminal.Fail(e.Message);
            return 2;
        }
        catch (InvalidOperationException e)
        {
            // A rule of an option reads its value, and the parser throws if the value is of another kind.
            terminal.Fail(UsageMessages.Of(e.Message, root, words));
            return 2;
        }

        if (Problems(args, parsed, words) is { Count: > 0 } problems)
        {
            foreach (var (i, problem) in problems.Index()) terminal.Fail((i == 0 ? source : "") + problem);
            terminal.Fail(words["usage.try-help", VerbOf(parsed.CommandResult)]);
            return 2;
        }

        terminal.IsQuiet = parsed.GetValue(CommonOptions.Quiet);
        using var stop = new CancellationTokenSource();
        ConsoleCancelEventHandler onCancel = (_, e) =>
        {
            // The first Ctrl-C stops and keeps finished work; the second one quits.
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
            // No time limit: a training run that is being stopped may need a while to save its checkpoint.
            var invocation = new InvocationConfiguration { Output = output,
                Error = error, EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null };
            return await parsed.InvokeAsync(invocation, stop.Token);
        }
        catch (Exception e) when (e.GetBaseException() is OperationCanceledException)
        {
            terminal.Fail(Sentence(e, words));
            return 1;
        }
        catch (Exception e) when (Cause(e) is UsageException)
        {
            terminal.Fail(Cause(e).Message);
            return 2;
        }
        catch (Exception e) when (!parsed.GetValue(CommonOptions.Debug))
        {
            // The library validates values of the command line as any other caller's arguments.
            terminal.Fail(Sentence(e, words));
            return Cause(e) is ArgumentException and not ArgumentNullException ? 2 : 1;
        }
        finally
        {
            Console.CancelKeyPress -= onCancel;
        }
    }

    /// <summary>Error messages about a command line; empty if it can run.</summary>
    private static IReadOnlyList<string> Problems(string[] args, ParseResult parsed, Words words)
    {
        var (command, messages) = (parsed.CommandResult.Command, parsed.Errors.Select(e => e.Message).ToArray());
        // Drop the other messages if the first word is not a verb: the words after it and "missing command" follow from it.
        var word = command.Subcommands.Count == 0 ? null : messages.FirstOrDefault(UsageMessages.IsUnrecognized);
        if (word is not null && !UsageMessages.IsOption(word)) return [UsageMessages.Of(word, command, words)];
        if (UnknownOptions.Find(args, parsed, words) is { } unknown) return [unknown];
        if (UnknownOptions.FindWithoutValue(args, parsed, words) is { } incomplete) return [incomplete];
        return [.. messages.Select(message => UsageMessages.Of(message, command, words)).Distinct()];
    }

    private static RootCommand CreateRoot(Terminal terminal, string defaults, Words words)
    {
        var root = new RootCommand { HelpName = Name };
        foreach (var option in CommonOptions.All) root.Add(option);
        foreach (var command in Verbs.Create(terminal, defaults)) root.Add(command);
        var shown = root.Options.OfType<HelpOption>().Single();
        var help = new LocalHelp((HelpAction)shown.Action!, terminal.Width, words);
        shown.Action = help;
        root.SetAction(help.Invoke);
        return root;
    }

    private static string VerbOf(System.CommandLine.Parsing.SymbolResult command) => command.Parent is { } parent
        ? $"{VerbOf(parent)} {((System.CommandLine.Parsing.CommandResult)command).Command.Name}" : Name;

    /// <summary>First line of an error's message; of its innermost cause if the native library raised it.</summary>
    /// <param name="exception">The error, or that of a stopped run.</param>
    /// <param name="words">Language of the command's own messages.</param>
    internal static string Sentence(Exception exception, Words words)
    {
        if (exception.GetBaseException() is OperationCanceledException) return words["usage.stopped"];
        var cause = Cause(exception);
        if (cause is UnwritableFileException refusal) return OutputFile.Sentence(refusal, words);
        return LibraryErrors.In(words.Language, Capitalised(cause is TorchRuntimeException ? cause.Message : ErrorSentence.Of(cause)));
    }

    private static Exception Cause(Exception exception) =>
        exception is AggregateException or TypeInitializationException or System.Reflection.TargetInvocationException
        ? exception.GetBaseException()
        : exception.InnerException is UnwritableFileException refusal && refusal.Message == exception.Message ? refusal : exception;

    /// <summary>Capitalises a sentence; names and paths are not changed.</summary>
    private static string Capitalised(string text) =>
        text.Split(' ', 2)[0] is "there" or "the" or "nothing" ? char.ToUpperInvariant(text[0]) + text[1..] : text;
}

/// <summary>Wrong usage found after parsing, from several options together: one sentence, exit status 2.</summary>
internal sealed class UsageException(string message) : Exception(message);
