using System.Diagnostics;
using Alebrije.Server.Telemetry;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Alebrije.Server.Jobs;

/// <summary>
/// Bounded queue of jobs, and the one worker of the device. Equal-shaped jobs that wait at the same time are drawn in one batch. Stopping
/// finishes the accepted jobs; those that exceed its time limit are reported as canceled.
/// </summary>
internal sealed partial class JobQueue(ServerOptions options, JobRunner runner, ServerMetrics metrics, ILogger<JobQueue> log)
    : IHostedService, IDisposable
{
    private const long KeptBytes = 256L << 20;
    private static readonly TimeSpan KeptFor = TimeSpan.FromHours(1);

    private readonly Lock gate = new();
    private readonly LinkedList<Job> waiting = [];
    private readonly Dictionary<string, Job> all = new(StringComparer.Ordinal);
    private readonly SemaphoreSlim arrived = new(0);
    private List<Job> running = [];
    private Task worker = Task.CompletedTask;
    private bool closed;

    /// <summary>Jobs that wait.</summary>
    public int Length
    {
        get
        {
            lock (gate) return waiting.Count;
        }
    }

    public bool IsClosed => closed;

    /// <summary>Jobs that run now.</summary>
    public IReadOnlyList<Job> Running => running;

    /// <summary>Estimated seconds until a new job starts.</summary>
    public double Wait
    {
        get
        {
            lock (gate) return waiting.Concat(running).Where(job => !job.IsOver).Sum(job => job.Estimate ?? 1);
        }
    }

    /// <summary>A pending job of the same identity that began within the window; joined. Null: none.</summary>
    public Job? JoinPending(string key)
    {
        lock (gate)
        {
            return waiting.Concat(running).FirstOrDefault(job => job.Key == key
                && Stopwatch.GetElapsedTime(job.CreatedAt) < options.JoinWindow && job.Join());
        }
    }

    /// <summary>Accepts a job.</summary>
    /// <exception cref="ApiException">The queue is full, or the service stops.</exception>
    public void Add(Job job)
    {
        lock (gate)
        {
            if (closed || waiting.Count >= options.QueueLength)
            {
                job.EndCanceled();
                metrics.Refused();
                throw closed ? ApiException.Busy("The service is stopping; try again after its restart.", "stopping", 5)
                    : ApiException.Busy($"{waiting.Count} jobs are already waiting; try again later.", "queue_full", Wait / 2);
            }

            Forget();
            job.Add("queued", null, waiting.Count, waiting.Count);
            waiting.AddLast(job);
            all[job.Id] = job;
        }

        job.Cancellation.Register(() => Withdraw(job));
        arrived.Release();
    }

    public Job? Find(string id)
    {
        lock (gate) return all.GetValueOrDefault(id);
    }

    /// <summary>Number of jobs before one, or null where it does not wait.</summary>
    public int? PositionOf(Job job)
    {
        lock (gate) return waiting.TakeWhile(each => each != job).Count() is var place && place < waiting.Count ? place : null;
    }

    public Task StartAsync(CancellationToken cancellationToken)
    {
        worker = Task.Factory.StartNew(Work, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        return Task.CompletedTask;
    }

    /// <summary>Refuses new jobs from now on.</summary>
    public void Close() => closed = true;

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        Close();
        var accepted = Length + running.Count;
        using var limit = new CancellationTokenSource(options.Shutdown);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        arrived.Release();
        try
        {
            await worker.WaitAsync(either.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            Job[] left;
            lock (gate) left = [.. waiting, .. running];
            foreach (var job in left.Where(job => !job.IsOver))
            {
                Reported(log, job.Id, job.Model);
                job.Cancel();
            }

            arrived.Release();
            await worker.ConfigureAwait(false);
        }

        Stopped(log, accepted);
    }

    public void Dispose() => arrived.Dispose();

    private void Work()
    {
        while (true)
        {
            arrived.Wait();
            while (Take() is { Count: > 0 } batch)
            {
                try
                {
                    runner.Run(batch);
                }
                finally
                {
                    running = [];
                }
            }

            if (closed && Length == 0) return;
        }
    }

    /// <summary>The next job, and those that share its batch.</summary>
    private List<Job> Take()
    {
        var batch = new List<Job>();
        lock (gate)
        {
            for (var node = waiting.First; node is not null;)
            {
                var next = node.Next;
                var job = node.Value;
                if (batch.Count == 0 || JobRunner.SharesBatch(batch, job))
                {
                    waiting.Remove(node);
                    if (job.Start())
                    {
                        metrics.Waited(Stopwatch.GetElapsedTime(job.CreatedAt).TotalSeconds);
                        batch.Add(job);
                    }
                    else job.EndCanceled();
                }

                node = next;
            }

            running = batch;
        }

        return batch;
    }

    private void Withdraw(Job job)
    {
        bool removed;
        lock (gate) removed = waiting.Remove(job);
        if (removed) job.EndCanceled();
    }

    /// <summary>Drops finished jobs whose client had the answer, those that are old, and the oldest where they hold too many
    /// bytes.</summary>
    private void Forget()
    {
        var bytes = 0L;
        foreach (var job in all.Values.Where(job => job.IsOver).OrderByDescending(job => job.CreatedAt).ToArray())
        {
            bytes += job.Bytes;
            if (job.IsDetached && bytes <= KeptBytes && Stopwatch.GetElapsedTime(job.CreatedAt) <= KeptFor) continue;
            all.Remove(job.Id);
            job.Dispose();
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Job {Id} of {Model} was not finished before the stop; it is reported as canceled.")]
    private static partial void Reported(ILogger log, string id, string model);

    [LoggerMessage(Level = LogLevel.Information, Message = "Stopped; {Count} jobs were pending at the signal.")]
    private static partial void Stopped(ILogger log, int count);
}
