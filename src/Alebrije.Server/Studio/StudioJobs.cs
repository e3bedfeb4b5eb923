using Alebrije.Pipelines;
using Alebrije.Pipelines.Experiments;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Preprocessing;
using Alebrije.Server.Jobs;
using Alebrije.Server.Models;
using Alebrije.Server.OpenAi;

namespace Alebrije.Server.Studio;

/// <summary>Drawing for the pages: through the queue that all clients of the service share.</summary>
internal sealed class StudioJobs(ImageJobs jobs, JobQueue queue, ModelPool pool)
{
    /// <summary>Values that a model takes for a request that leaves them open, and its priors.</summary>
    public Task<(GenerationRequest Defaults, IReadOnlyList<PriorKind> Priors)> DefaultsAsync(string model) => Task.Run(() =>
    {
        using var lease = pool.Rent(model);
        var pipeline = lease.Model.Pipeline;
        return (pipeline.Complete(new GenerationRequest { Prompt = "size" }), pipeline.Priors);
    });

    /// <summary>Begins to load a model while the browser still loads the page; its errors appear when it is used.</summary>
    public void Begin(string model) => _ = DefaultsAsync(model).ContinueWith(loading => _ = loading.Exception, TaskScheduler.Default);

    /// <summary>One image with the stages of its chain.</summary>
    public Task<Job> TraceAsync(string model, GenerationRequest request) =>
        AddAsync(() => jobs.Generate(new JobForm(model, null, 16, null), [request], null, isTraced: true));

    /// <summary>An experiment.</summary>
    public Task<Job> RunAsync(PictureExperiment experiment, IReadOnlyList<RgbImage> images, RgbImage? mask = null,
        IReadOnlyList<RgbImage>? basis = null) =>
        AddAsync(() => jobs.Run(new JobForm(null, null, 0, null), experiment, images, mask, null, basis));

    /// <summary>Follows a job to its end; the job is canceled where the page goes away before.</summary>
    /// <exception cref="ApiException">It failed.</exception>
    public static async Task FollowAsync(Job job, Func<JobEvent, Task> each, CancellationToken stop)
    {
        try
        {
            await foreach (var next in job.ReadAsync(0, TimeSpan.FromSeconds(10), stop))
                if (next is not null) await each(next);
        }
        finally
        {
            job.Leave();
        }

        if (job.State == JobState.Failed)
            throw new ApiException(500, ErrorSentence.Of(job.Failure ?? new InvalidOperationException(job.Error)));
    }

    private Task<Job> AddAsync(Func<Job> create) => Task.Run(() =>
    {
        var job = create();
        job.Join();
        queue.Add(job);
        return job;
    });
}
