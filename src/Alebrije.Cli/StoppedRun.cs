namespace Alebrije.Cli;

/// <summary>Run of a verb that writes several files: with <c>--json</c>, a failed or stopped run lists the finished files.</summary>
internal static class StoppedRun
{
    /// <summary>Runs the work. On an error, writes the document of the finished files with its reason (<c>stopped</c>); rethrows.</summary>
    /// <param name="terminal">The terminal.</param>
    /// <param name="words">Language of the reason.</param>
    /// <param name="json">True if the answer is JSON; otherwise nothing is written.</param>
    /// <param name="finished">The document of the finished files; null if there is none.</param>
    /// <param name="work">The work.</param>
    public static T Guard<T>(Terminal terminal, Words words, bool json, Func<object?> finished, Func<T> work)
    {
        try
        {
            return work();
        }
        catch (Exception e)
        {
            Say(terminal, words, json, finished, e);
            throw;
        }
    }

    /// <inheritdoc cref="Guard{T}(Terminal, Words, bool, Func{object}, Func{T})"/>
    public static void Guard(Terminal terminal, Words words, bool json, Func<object?> finished, Action work) =>
        Guard(terminal, words, json, finished, () =>
    {
        work();
        return true;
    });

    /// <inheritdoc cref="Guard{T}(Terminal, Words, bool, Func{object}, Func{T})"/>
    public static async Task<T> GuardAsync<T>(Terminal terminal, Words words, bool json, Func<object?> finished, Func<Task<T>> work)
    {
        try
        {
            return await work();
        }
        catch (Exception e)
        {
            Say(terminal, words, json, finished, e);
            throw;
        }
    }

    private static void Say(Terminal terminal, Words words, bool json, Func<object?> finished, Exception reason)
    {
        if (json && finished() is { } document) terminal.SayJson(document, stopped: CommandLineApp.Sentence(reason, words));
    }
}
