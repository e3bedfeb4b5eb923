using System.CommandLine;
using Alebrije.Cli.Commands;
using Alebrije.Tensors;

namespace Alebrije.Cli;

/// <summary>The command <c>alebrije</c>: its verbs, and how it ends. Exit status 0 done, 1 failed, 2 wrong usage.</summary>
internal static class CommandLineApp
{
    /// <summary>Runs one command line.</summary>
    /// <param name="args">Verb, arguments and options.</param>
    /// <param name="output">Where answers go; with <c>--json</c> one JSON document and nothing else.</param>
    /// <param name="error">Where progress and errors go.</param>
    /// <returns>The exit status.</returns>
    public static async Task<int> RunAsync(string[] args, TextWriter output, TextWriter error)
    {
        var root = CreateRoot(output, error);
        var parsed = root.Parse(args);
        if (parsed.Errors.Count > 0)
        {
            foreach (var problem in parsed.Errors.Select(e => e.Message).Distinct()) error.WriteLine(problem);
            error.WriteLine($"Try: alebrije {VerbOf(parsed)}--help");
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
        try
        {
            return await parsed.InvokeAsync(new InvocationConfiguration { Output = output, Error = error, EnableDefaultExceptionHandler = false }, stop.Token);
        }
        catch (Exception e) when (e.GetBaseException() is OperationCanceledException)
        {
            error.WriteLine("Stopped.");
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

    private static RootCommand CreateRoot(TextWriter output, TextWriter error)
    {
        var terminal = new Terminal(output, error);
        var root = new RootCommand("CLIP, DALL-E 2 and their family: text to image, and back.");
        foreach (var option in CommonOptions.All) root.Add(option);
        foreach (var command in Verbs.Create(terminal)) root.Add(command);
        return root;
    }

    private static string VerbOf(ParseResult parsed) =>
        parsed.CommandResult.Command is RootCommand ? "" : parsed.CommandResult.Command.Name + " ";

    /// <summary>The first line of what went wrong; the innermost cause says most when the native library raised it.</summary>
    private static string Sentence(Exception exception)
    {
        var cause = exception is AggregateException or TypeInitializationException or System.Reflection.TargetInvocationException
            ? exception.GetBaseException() : exception;
        var text = cause is TorchRuntimeException ? cause.Message : cause.Message.Split('\n')[0].Trim();
        // ArgumentException appends the parameter's name, which means nothing to a person.
        var parameter = text.LastIndexOf(" (Parameter '", StringComparison.Ordinal);
        return parameter > 0 ? text[..parameter] : text;
    }
}

/// <summary>Wrong usage that only shows once the options are read together: one sentence, exit status 2.</summary>
internal sealed class UsageException(string message) : Exception(message);
