using System.Diagnostics;
using System.Runtime.CompilerServices;
using Alebrije.Extensions.AI.Images;
using Alebrije.Pipelines;
using Alebrije.Pipelines.Experiments;
using Alebrije.Server.Models;

namespace Alebrije.Server.Jobs;

/// <summary>
/// Accepted work: images of one request, or an experiment. Its events are kept, so that a reader may come late or again; when its last
/// waiter leaves it is canceled, unless it is detached.
/// </summary>
internal sealed class Job : IDisposable
{
    private readonly Lock gate = new();
    private readonly List<JobEvent> events = [];
    private readonly CancellationTokenSource cancellation = new();
    private readonly TaskCompletionSource done = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private TaskCompletionSource changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int waiters;

    /// <param name="lease">The model, given back at the end.</param>
    /// <param name="requests">One request for each image, equal but for their seeds.</param>
    public Job(ModelLease lease, IReadOnlyList<GenerationRequest> requests) => (Lease, Requests) = (lease, requests);

    /// <summary>128 random bits as hexadecimal digits.</summary>
    public string Id { get; } = Convert.ToHexStringLower(System.Security.Cryptography.RandomNumberGenerator.GetBytes(16));

    public DateTimeOffset Created { get; } = DateTimeOffset.UtcNow;

    public long CreatedAt { get; } = Stopwatch.GetTimestamp();

    public ModelLease Lease { get; }

    public string Model => Lease.Model.Name;

    public IReadOnlyList<GenerationRequest> Requests { get; }

    /// <summary>An experiment instead of the requests; null: none.</summary>
    public PictureExperiment? Experiment { get; init; }

    /// <summary>Files of an upload, deleted at the end.</summary>
    public TemporaryFiles? Files { get; init; }

    public required NativeSize Size { get; init; }

    /// <summary>Number of previews of an image.</summary>
    public int Previews { get; init; }

    /// <summary>Identity of the request, for joining.</summary>
    public string? Key { get; init; }

    /// <summary>Estimated seconds of drawing; null while unknown.</summary>
    public double? Estimate { get; init; }

    /// <summary>True if the stages of its one image are kept (<see cref="Traced"/>); such a job has a batch of its own.</summary>
    public bool IsTraced { get; init; }

    /// <summary>The stages of a traced job; null until it is completed.</summary>
    public TracedRun? Traced { get; set; }

    /// <summary>True if it runs on without waiters.</summary>
    public bool IsDetached { get; init; }

    public JobState State { get; private set; }

    /// <summary>A sentence of a failed job.</summary>
    public string? Error { get; private set; }

    /// <summary>The failure itself.</summary>
    public Exception? Failure { get; private set; }

    public IReadOnlyList<JobImage> Images { get; private set; } = [];

    public CancellationToken Cancellation => cancellation.Token;

    /// <summary>Bytes of its images, previews and traced stages.</summary>
    public long Bytes
    {
        get
        {
            lock (gate)
            {
                return Images.Sum(image => (long)image.Image.Pixels.Length) + events.Sum(each => each.Png?.LongLength ?? 0)
                    + (Traced?.Bytes ?? 0);
            }
        }
    }

    public bool IsOver => State is not (JobState.Queued or JobState.Running);

    public Task Done => done.Task;

    public void Add(string kind, string? stage = null, int step = 0, int of = 0, byte[]? png = null)
    {
        lock (gate)
        {
            events.Add(new JobEvent(events.Count + 1, kind, stage, step, of) { Png = png });
            var signal = changed;
            changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            signal.TrySetResult();
        }
    }

    /// <summary>Events after a number, those to come included, until the job is over.</summary>
    /// <param name="after">Number of the last event that the reader has.</param>
    /// <param name="silence">Time after which null is returned in place of an event.</param>
    /// <param name="stop">Ends the reading.</param>
    public async IAsyncEnumerable<JobEvent?> ReadAsync(int after, TimeSpan silence, [EnumeratorCancellation] CancellationToken stop)
    {
        while (true)
        {
            JobEvent[] next;
            Task signal;
            bool over;
            lock (gate) (next, signal, over) = ([.. events.Skip(after)], changed.Task, IsOver);
            foreach (var each in next) yield return each;
            after += next.Length;
            if (next.Length > 0) continue;
            if (over) yield break;
            var waited = await Task.WhenAny(signal, Task.Delay(silence, stop)).ConfigureAwait(false);
            stop.ThrowIfCancellationRequested();
            if (waited != signal) yield return null;
        }
    }

    /// <summary>The latest event of a kind; null where there is none.</summary>
    public JobEvent? Latest(string kind)
    {
        lock (gate) return events.FindLast(each => each.Kind == kind);
    }

    /// <summary>One more client waits.</summary>
    /// <returns>False if the job is over or canceled.</returns>
    public bool Join()
    {
        lock (gate)
        {
            if (IsOver || cancellation.IsCancellationRequested) return false;
            waiters++;
            return true;
        }
    }

    /// <summary>A client left; the last one cancels the job.</summary>
    public void Leave()
    {
        lock (gate)
        {
            if (--waiters > 0 || IsDetached || IsOver) return;
        }

        Cancel();
    }

    public void Cancel()
    {
        if (!IsOver) cancellation.Cancel();
    }

    public bool Start()
    {
        lock (gate)
        {
            if (State != JobState.Queued || cancellation.IsCancellationRequested) return false;
            State = JobState.Running;
        }

        Add("started");
        return true;
    }

    public void Complete(IReadOnlyList<JobImage> images)
    {
        Images = images;
        for (var i = 0; i < images.Count; i++) Add("image", null, i, images.Count);
        End(JobState.Completed, null);
    }

    public void Fail(Exception failure, string message)
    {
        Failure = failure;
        End(JobState.Failed, message);
    }

    public void EndCanceled(string message = "The job was canceled.") => End(JobState.Canceled, message);

    public void Dispose() => cancellation.Dispose();

    private void End(JobState state, string? message)
    {
        lock (gate)
        {
            if (IsOver) return;
            (State, Error) = (state, message);
        }

        Add(state switch { JobState.Completed => "completed", JobState.Failed => "failed", _ => "canceled" });
        Lease.Dispose();
        Files?.Dispose();
        done.TrySetResult();
    }
}
