using System.CommandLine;
using System.Net;
using Alebrije.Catalog;
using Alebrije.Cluster;
using Alebrije.Cluster.Jobs;
using Alebrije.Pipelines;

namespace Alebrije.Cli.Commands;

/// <summary><c>alebrije cluster start|join|job|status|search</c></summary>
internal static class ClusterCommand
{
    private const int UsualPort = 5512;

    /// <summary>Adds the verbs of many machines to the verb that groups the images of an index, which has the same name.</summary>
    public static Command AddTo(Command groups, Terminal terminal)
    {
        groups.Add(Start(terminal));
        groups.Add(Join(terminal));
        groups.Add(ClusterJobCommand.Create(terminal));
        groups.Add(ClusterJobCommand.Status(terminal));
        groups.Add(ClusterSearchCommand.Create(terminal));
        return groups;
    }

    private static Command Start(Terminal terminal)
    {
        var (host, name, indexes) = (ClusterFlags.Host(), ClusterFlags.Name(), ClusterFlags.Indexes());
        var (port, storeOnly) = (new Option<int>("--port") { HelpName = "N", DefaultValueFactory = _ => UsualPort },
            new Option<bool>("--store-only"));
        var folder = new Option<string?>("--data") { HelpName = "FOLDER" };
        port.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<int>() is < 1 or > ushort.MaxValue)
                result.AddError(Words.Of(result)["usage.whole-number-between", "--port", 1, ushort.MaxValue]);
        });
        var command = new Command("start") { host, port, folder, storeOnly, name, indexes };
        command.SetAction((parsed, cancellation) => Task.Run(
            async () =>
            {
                var words = new Words(CommonOptions.LanguageOf(parsed));
                using var store = ClusterStore.Start(
                    IPAddress.Parse(parsed.GetValue(host)!), parsed.GetValue(port), parsed.GetValue(folder));
                terminal.Note(words["cluster.store-ready", store.Address]);
                if (parsed.GetValue(storeOnly))
                {
                    await ClusterWork.UntilStoppedAsync(cancellation);
                    if (parsed.GetValue(CommonOptions.Json)) terminal.SayJson(new { store = store.Address });
                    return 0;
                }

                return await ClusterWork.RunAsync(parsed, terminal, ClusterFlags.Settings(
                    store.Address, parsed.GetValue(name)!, parsed.GetValue(host), parsed.GetValue(indexes)), cancellation);
            },
            CancellationToken.None));
        return command;
    }

    private static Command Join(Terminal terminal)
    {
        var (store, host, name, indexes) =
            (ClusterFlags.Store(), ClusterFlags.Host(), ClusterFlags.Name(), ClusterFlags.Indexes());
        store.Required = true;
        var command = new Command("join") { store, host, name, indexes };
        command.SetAction((parsed, cancellation) => Task.Run(
            () => ClusterWork.RunAsync(parsed, terminal, ClusterFlags.Settings(
                parsed.GetValue(store), parsed.GetValue(name)!, parsed.GetValue(host), parsed.GetValue(indexes)), cancellation),
            CancellationToken.None));
        return command;
    }
}

/// <summary>A node that works on the jobs of a cluster until it is stopped.</summary>
internal static class ClusterWork
{
    /// <returns>The exit status: 0, as stopping is the usual end.</returns>
    public static async Task<int> RunAsync(
        ParseResult parsed, Terminal terminal, ClusterSettings settings, CancellationToken cancellation)
    {
        var words = new Words(CommonOptions.LanguageOf(parsed));
        var shards = new Dictionary<string, int>(StringComparer.Ordinal);
        CommonOptions.StartTorch(parsed);
        while (!cancellation.IsCancellationRequested)
        {
            await using var node = await ClusterNode.StartAsync(settings, cancellation);
            terminal.Note(words["cluster.joined", settings.Store]);
            try
            {
                await node.WorkAsync(
                    name => ClipModel.Load(ModelCatalog.Create().Find(name), CommonOptions.PrecisionOf(parsed)), Report, cancellation);
                terminal.Note(words["cluster.declared-dead"]);
            }
            catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
            {
            }
        }

        if (parsed.GetValue(CommonOptions.Json))
            terminal.SayJson(new { settings.Store, jobs = shards.Select(pair => new { job = pair.Key, shards = pair.Value }) });
        return 0;

        void Report(WorkReport report)
        {
            if (report.Error is not null) terminal.Note(words["cluster.job-refused", report.Job.Name, report.Error]);
            else if (!report.HasEnded) terminal.Note(words["cluster.job-begun", report.Job.Name, report.Job.Shards]);
            else
            {
                shards[report.Job.Name] = shards.GetValueOrDefault(report.Job.Name) + report.Shards;
                terminal.Note(words["cluster.job-ended-here", report.Job.Name, report.Shards]);
            }
        }
    }

    public static async Task UntilStoppedAsync(CancellationToken cancellation)
    {
        try
        {
            await Task.Delay(Timeout.Infinite, cancellation);
        }
        catch (OperationCanceledException)
        {
        }
    }
}
