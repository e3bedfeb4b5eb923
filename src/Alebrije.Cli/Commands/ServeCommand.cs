using System.CommandLine;
using Alebrije.Catalog;
using Alebrije.Pipelines.Flamingo;
using Alebrije.Reports;
using Alebrije.Server;
using Microsoft.Extensions.Hosting;

namespace Alebrije.Cli.Commands;

/// <summary><c>alebrije serve</c>: the service, until Ctrl-C or SIGTERM.</summary>
internal static class ServeCommand
{
    private const string KeyVariable = "ALEBRIJE_KEY";

    private static readonly Option<string> Host = new("--host") { HelpName = "ADDRESS", DefaultValueFactory = _ => "127.0.0.1" };
    private static readonly Option<int> Port = new("--port") { HelpName = "N", DefaultValueFactory = _ => ServerOptions.DefaultPort };
    private static readonly Option<string[]> Key = new("--key") { HelpName = "KEY" };
    private static readonly Option<double> KeepAlive = new("--keep-alive") { HelpName = "SECONDS", DefaultValueFactory = _ => 600 };
    private static readonly Option<int> Queue = new("--queue") { HelpName = "N", DefaultValueFactory = _ => 32 };
    private static readonly Option<int> Rate = new("--rate") { HelpName = "N", DefaultValueFactory = _ => 6000 };
    private static readonly Option<string[]> Origin = new("--origin") { HelpName = "URL" };
    private static readonly Option<string[]> FetchHost = new("--fetch-host") { HelpName = "HOST" };
    private static readonly Option<string> ChatModel = new("--chat-model")
    {
        HelpName = "NAME|PATH", DefaultValueFactory = _ => ModelCatalog.CaptioningName,
    };

    private static readonly Option<bool> Insecure = new("--insecure");

    public static Command Create(Terminal terminal)
    {
        var command = new Command("serve") { Host, Port, Key, KeepAlive, Queue, Rate, Origin, FetchHost, ChatModel, Insecure };
        command.SetAction((parsed, cancellation) => RunAsync(parsed, terminal, cancellation));
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, Terminal terminal, CancellationToken cancellation)
    {
        var words = new Words(CommonOptions.LanguageOf(parsed));
        var keys = parsed.GetValue(Key) ?? [];
        if (Environment.GetEnvironmentVariable(KeyVariable) is { Length: > 0 } own) keys = [.. keys, own];
        var options = new ServerOptions
        {
            Host = parsed.GetValue(Host)!, Port = parsed.GetValue(Port), Keys = keys, Model = parsed.GetValue(CommonOptions.Model)!,
            KeepAlive = parsed.GetValue(KeepAlive) is var seconds && seconds < 0 ? null : TimeSpan.FromSeconds(Math.Min(seconds, 1e8)),
            QueueLength = parsed.GetValue(Queue), RatePerMinute = parsed.GetValue(Rate), Origins = parsed.GetValue(Origin) ?? [],
            FetchHosts = parsed.GetValue(FetchHost) ?? [], Insecure = parsed.GetValue(Insecure),
            ChatModel = parsed.GetValue(ChatModel)!, Threads = parsed.GetValue(CommonOptions.Threads),
        };
        if (options.Faults().FirstOrDefault() is { } fault) throw new UsageException(LibraryErrors.In(words.Language, fault));
        _ = ModelChoice.Find(parsed);
        if (parsed.GetResult(ChatModel) is { Implicit: false }) CheckChatModel(parsed, options.ChatModel, words);
        CommonOptions.StartTorch(parsed);
        await using var app = AlebrijeServer.Create(options);
        await app.StartAsync(cancellation).ConfigureAwait(false);
        terminal.Say(words["serve.listens", app.Urls.First(), options.Model]);
        terminal.Say(words["serve.studio", app.Urls.First()]);
        terminal.Note(words["serve.stop"]);
        await Stopped(cancellation).ConfigureAwait(false);
        terminal.Note(words["serve.stops"]);
        await app.StopAsync(CancellationToken.None).ConfigureAwait(false);
        return 0;
    }

    private static void CheckChatModel(ParseResult parsed, string name, Words words)
    {
        if (!FlamingoPipeline.IsFlamingo(ModelChoice.Find(parsed, name, "caption")))
            throw new UsageException(words["flamingo.needs-model", name]);
    }

    private static Task Stopped(CancellationToken cancellation)
    {
        var stopped = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        cancellation.Register(() => stopped.TrySetResult());
        return stopped.Task;
    }
}
