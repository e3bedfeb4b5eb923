using System.CommandLine;
using Alebrije.Cluster;
using Alebrije.Cluster.Jobs;
using Alebrije.Pipelines;

namespace Alebrije.Cli.Commands;

/// <summary><c>alebrije cluster job SOURCE --out FOLDER</c> and <c>alebrije cluster status</c></summary>
internal static class ClusterJobCommand
{
    public static Command Create(Terminal terminal)
    {
        var source = new Argument<string>("SOURCE");
        var target = new Option<string>("--out") { HelpName = "FOLDER", Required = true };
        var jobName = new Option<string?>("--name") { HelpName = "NAME" };
        var (store, name, pictures) = (ClusterFlags.Store(), ClusterFlags.Name(), new PictureOptions(upright: false));
        var (images, lease, attempts) = (ClusterFlags.Count("--shard-images", 1000),
            ClusterFlags.Count("--lease", 60), ClusterFlags.Count("--attempts", 3));
        var command = new Command("job") { source, target, store, name, jobName, images, lease, attempts };
        pictures.AddTo(command);
        command.SetAction((parsed, cancellation) => Task.Run(
            async () =>
            {
                var (words, folder) = (new Words(CommonOptions.LanguageOf(parsed)), parsed.GetValue(target)!);
                OutputFile.CheckFolder(folder, "manifest.json", words);
                var found = ModelChoice.Find(parsed);
                CommonOptions.StartTorch(parsed);
                using var model = ClipModel.Load(found, CommonOptions.PrecisionOf(parsed), NoteWords.Writer(terminal, words));
                var settings = ClusterFlags.Settings(parsed.GetValue(store), parsed.GetValue(name)!);
                await using var client = settings.Store is null ? null : await ClusterClient.ConnectAsync(settings, cancellation);
                await using var node = client is null ? await ClusterNode.StartAsync(settings, cancellation) : null;
                var connection = client?.Connection ?? node!.Connection;
                var job = await connection.SubmitAsync(parsed.GetValue(source)!, folder, model.Space, new JobOptions
                {
                    Name = parsed.GetValue(jobName), Model = parsed.GetValue(CommonOptions.Model)!,
                    ShardImages = parsed.GetValue(images), Upright = pictures.IsUpright(parsed),
                    Lease = TimeSpan.FromSeconds(parsed.GetValue(lease)), Attempts = parsed.GetValue(attempts),
                }, cancellation);
                var work = node is null ? Task.CompletedTask : connection.WorkAsync(job, model, cancellation);
                var status = await WatchAsync(terminal, words, connection, job, work, cancellation);
                var skipped = pictures.Read(parsed, words);
                return Say(terminal, words, status, parsed.GetValue(CommonOptions.Json), skipped.IsStrict);
            },
            CancellationToken.None));
        return command;
    }

    public static Command Status(Terminal terminal)
    {
        var job = new Argument<string?>("JOB") { Arity = ArgumentArity.ZeroOrOne };
        var (store, name) = (ClusterFlags.Store(), ClusterFlags.Name());
        store.Required = true;
        var command = new Command("status") { job, store, name };
        command.SetAction((parsed, cancellation) => Task.Run(
            async () =>
            {
                var words = new Words(CommonOptions.LanguageOf(parsed));
                var settings = ClusterFlags.Settings(parsed.GetValue(store), parsed.GetValue(name)!);
                await using var client = await ClusterClient.ConnectAsync(settings, cancellation);
                var connection = client.Connection;
                var names = parsed.GetValue(job) is { } one ? [one] : await connection.JobsAsync(cancellation);
                var states = new List<JobStatus>();
                foreach (var each in names)
                    states.Add(await connection.StatusAsync(each, cancellation)
                        ?? throw new InvalidDataException(words["cluster.no-job", each, settings.Store]));
                var nodes = await connection.NodesAsync(cancellation);
                if (parsed.GetValue(CommonOptions.Json))
                {
                    terminal.SayJson(new { settings.Store, nodes, jobs = states.Select(Document) });
                    return 0;
                }

                terminal.SayText(words["cluster.nodes", nodes.Count, string.Join(", ", nodes)]);
                if (states.Count == 0) return 0;
                terminal.SayTable(
                    [words["word.job"], ">" + words["word.done"], ">" + words["word.leased"], ">" + words["word.given-up"],
                        ">" + words["word.shards"], ">" + words["word.images"]],
                    states.Select(state => new[] { state.Job.Name, $"{state.Done}", $"{state.Leased}", $"{state.Dead}",
                        $"{state.Job.Shards}", $"{state.Images}" }));
                return 0;
            },
            CancellationToken.None));
        return command;
    }

    private static async Task<JobStatus> WatchAsync(Terminal terminal, Words words, ClusterConnection connection, EmbeddingJob job,
        Task work, CancellationToken cancellation)
    {
        JobStatus? last = null;
        var remaining = new RemainingTime(job.Shards);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        _ = work.ContinueWith(_ => stop.Cancel(), cancellation, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
        try
        {
            await foreach (var status in connection.QueueOf(job).WatchAsync(stop.Token))
            {
                last = status;
                remaining.Add(status.Done + status.Dead - remaining.Done);
                terminal.Progress(words["cluster.progress", status.Done, job.Shards, status.Images] + remaining.Sentence(words));
            }
        }
        catch (OperationCanceledException) when (work.IsFaulted)
        {
        }

        await work;
        terminal.CloseLine();
        return last!;
    }

    private static int Say(Terminal terminal, Words words, JobStatus status, bool json, bool strict)
    {
        var hasFailed = status.Dead > 0 || (strict && status.Failures > 0);
        if (json) terminal.SayJson(Document(status));
        else
        {
            terminal.SayText(words["cluster.job-ended",
                status.Job.Name, status.Done, status.Job.Shards, status.Images, status.Job.Folder]);
        }

        foreach (var dead in status.DeadShards) terminal.Note(words["cluster.dead-shard", dead.Shard, dead.Attempts, dead.Error]);
        if (status.Failures > 0) terminal.Note(words.Count("cluster.unreadable", status.Failures, status.Job.Folder));
        return hasFailed ? 1 : 0;
    }

    private static object Document(JobStatus status) => new
    {
        job = status.Job.Name, status.Job.Model, path = status.Job.Folder, status.Job.Shards, status.Done, status.Leased,
        givenUp = status.DeadShards.Select(dead => new { dead.Shard, dead.Attempts, dead.Error }), status.Images,
        skipped = status.Failures, status.Leases, status.Expired, status.Stale, ended = status.HasEnded,
    };
}
