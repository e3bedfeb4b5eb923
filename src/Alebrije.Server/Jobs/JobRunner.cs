using System.Diagnostics;
using Alebrije.Extensions.AI.Images;
using Alebrije.Pipelines;
using Alebrije.Pipelines.Experiments;
using Alebrije.Server.Telemetry;
using Microsoft.Extensions.Logging;

namespace Alebrije.Server.Jobs;

/// <summary>Draws the images of jobs on the device; called by one thread.</summary>
internal sealed partial class JobRunner(ServerMetrics metrics, ILogger<JobRunner> log)
{
    /// <summary>True if a job can be drawn in the batch of others: one model, one shape, no experiment.</summary>
    public static bool SharesBatch(List<Job> batch, Job job) => batch[0] is var first && first.Experiment is null && job.Experiment is null
        && !first.IsTraced && !job.IsTraced
        && first.Model == job.Model && first.Requests[0].From is null && Shape(first.Requests[0]) == Shape(job.Requests[0])
        && batch.Sum(each => each.Requests.Count) + job.Requests.Count <= ImagePipeline.LargestBatch;

    /// <summary>Draws jobs of one shape; none of them is left without an end.</summary>
    public void Run(IReadOnlyList<Job> batch)
    {
        var clock = Stopwatch.StartNew();
        using var stop = new CancellationTokenSource();
        var registrations = batch.Select(job => job.Cancellation.Register(() =>
        {
            if (batch.All(each => each.Cancellation.IsCancellationRequested)) stop.Cancel();
        })).ToArray();
        using var span = ServerMetrics.Source.StartActivity($"generate_content {batch[0].Model}");
        span?.SetTag("gen_ai.operation.name", "generate_content").SetTag("gen_ai.request.model", batch[0].Model)
            .SetTag("gen_ai.output.type", "image").SetTag("gen_ai.request.choice.count", batch.Sum(job => job.Requests.Count));
        try
        {
            using var stages = new StageSpans(metrics);
            if (batch[0].Experiment is { } experiment) RunExperiment(batch[0], experiment, stages, stop.Token);
            else if (batch[0].IsTraced) RunTraced(batch[0], stages, stop.Token);
            else RunRequests(batch, stages, stop.Token);
        }
        catch (OperationCanceledException)
        {
            // The jobs end below.
        }
        catch (Exception e)
        {
            span?.SetTag("error.type", e.GetType().Name);
            var isTheirs = e is ArgumentException or InvalidOperationException or ApiException;
            if (!isTheirs) Broken(log, e, batch[0].Id);
            foreach (var job in batch) job.Fail(e, isTheirs
                ? e.Message : "The image could not be drawn; the service's log has the reason.");
        }
        finally
        {
            foreach (var registration in registrations) registration.Dispose();
            foreach (var job in batch)
            {
                job.EndCanceled();
                metrics.Finished(job.State.ToString().ToLowerInvariant(), clock.Elapsed.TotalSeconds, job.Images.Count);
            }
        }
    }

    private static void RunRequests(IReadOnlyList<Job> batch, StageSpans stages, CancellationToken stop)
    {
        var clock = Stopwatch.StartNew();
        var pipeline = batch[0].Lease.Model.Pipeline;
        int[] counts = [.. batch.Select(job => job.Requests.Count)];
        var drawn = pipeline.GenerateMany(batch.SelectMany(job => job.Requests), progress =>
        {
            stages.Enter(progress.Stage);
            for (var i = 0; i < batch.Count; i++) Report(batch[i], progress, images => FirstOf(counts, i, images));
        }, cancellation: stop).ToArray();
        batch[0].Lease.Model.Measure(clock.Elapsed.TotalSeconds, [.. drawn.Select(result => result.Request)]);
        var next = 0;
        foreach (var job in batch)
        {
            var own = drawn[next..(next += job.Requests.Count)];
            job.Complete([.. own.Select(result => new JobImage(job.Size.Fit(result.Image), result.Request.Seed,
                Recipe.Of(pipeline.Name, result), result.ClipScore))]);
        }
    }

    /// <summary>One image with every stage of the chain.</summary>
    private static void RunTraced(Job job, StageSpans stages, CancellationToken stop)
    {
        var clock = Stopwatch.StartNew();
        var pipeline = job.Lease.Model.Pipeline;
        using var files = new TemporaryFiles();
        var trace = new GenerationTrace(files.Folder);
        var result = pipeline.Generate(job.Requests[0], progress =>
        {
            stages.Enter(progress.Stage);
            Report(job, progress, _ => 0);
        }, trace, stop);
        job.Lease.Model.Measure(clock.Elapsed.TotalSeconds, [result.Request]);
        job.Traced = new TracedRun(result, [.. trace.Stages.Select(stage => TracedStage.Read(files.Folder, stage))]);
        job.Complete([new JobImage(job.Size.Fit(result.Image), result.Request.Seed, Recipe.Of(pipeline.Name, result), result.ClipScore)]);
    }

    private static void RunExperiment(Job job, PictureExperiment experiment, StageSpans stages, CancellationToken stop)
    {
        var clock = Stopwatch.StartNew();
        var pipeline = job.Lease.Model.Pipeline;
        var result = new ImageExperiments(pipeline).Run(experiment, (_, _, progress) =>
        {
            stages.Enter(progress.Stage);
            Report(job, progress, _ => 0);
        }, drawn => job.Add("drawn", null, drawn.Pictures.Count, job.Requests.Count), stop);
        job.Lease.Model.Measure(clock.Elapsed.TotalSeconds, [.. result.Pictures.Select(_ => result.Experiment.Request)]);
        job.Complete([.. result.Pictures.Select((picture, i) => new JobImage(job.Size.Fit(picture.Image),
            unchecked(result.Experiment.Request.Seed + (ulong)i), new Dictionary<string, string>(),
            picture.Numbers.TryGetValue("cosine", out var cosine) ? cosine : null)
        {
            Label = picture.Label,
            Cosines = [.. picture.Numbers.Where(number => number.Key.StartsWith("cosine to ", StringComparison.Ordinal))
                .Select(number => number.Value)],
        })]);
    }

    /// <summary>
    /// Place of a job's first image among those that are drawn together; null where they are not the images of all jobs, so that no job
    /// gets the preview of another.
    /// </summary>
    /// <param name="counts">Images of each job.</param>
    /// <param name="job">Number of the job.</param>
    /// <param name="images">Images that are drawn together.</param>
    internal static int? FirstOf(IReadOnlyList<int> counts, int job, int images) =>
        counts.Count == 1 ? 0 : counts.Sum() == images ? counts.Take(job).Sum() : null;

    private static void Report(Job job, GenerationProgress progress, Func<int, int?> place)
    {
        job.Add("progress", progress.Stage, progress.Step, progress.Of);
        if (job.Previews == 0 || progress is not { Stage: "decoder", Predicted: { } predicted }
            || !progress.IsPreview(job.Previews)) return;
        var images = predicted();
        if (place(images.Count) is { } first)
            job.Add("preview", progress.Stage, progress.Step, progress.Of, job.Size.Fit(images[first]).ToPng());
    }

    private static GenerationRequest Shape(GenerationRequest request) => request with { Prompt = "", Negative = "", Seed = 0 };

    [LoggerMessage(Level = LogLevel.Error, Message = "Job {Id} failed.")]
    private static partial void Broken(ILogger log, Exception error, string id);
}
