using System.Globalization;
using Alebrije.Preprocessing;
using Alebrije.Server.Jobs;
using Alebrije.Server.Requests;
using Microsoft.AspNetCore.Http;

namespace Alebrije.Server.OpenAi;

/// <summary>Answers of image jobs in OpenAI's shape: one JSON document, or a stream of events with pings.</summary>
internal sealed class ImageAnswers(ServerOptions options, JobQueue queue, FileStore files)
{
    /// <summary>Locks by the identity of a request: of two identical ones at once, the second finds the job of the first.</summary>
    private readonly Lock[] locks = [.. Enumerable.Range(0, 64).Select(_ => new Lock())];

    /// <summary>Runs or joins a job and answers with its images.</summary>
    /// <param name="context">The request.</param>
    /// <param name="asked">Form of the answer.</param>
    /// <param name="key">Identity of the request.</param>
    /// <param name="create">Makes the job.</param>
    /// <param name="streamed">Name of the events of a stream.</param>
    public async Task SendAsync(HttpContext context, ImageOptions asked, string key, Func<Job> create, string streamed)
    {
        Job? job;
        lock (locks[(uint)key.GetHashCode(StringComparison.Ordinal) % locks.Length])
        {
            job = queue.JoinPending(key);
            if (job is null) job = Begin(create(), asked.IsStreamed);
            else context.Response.Headers["X-Alebrije-Joined"] = job.Id;
        }

        try
        {
            var native = job.Size.Native ?? (job.Lease.Model.Pipeline.Size, job.Lease.Model.Pipeline.Size);
            context.Response.Headers["X-Alebrije-Native-Size"] = Text(native);
            context.Response.Headers["X-Alebrije-Size"] = Text(job.Size.Asked ?? native);
            context.Response.Headers["X-Alebrije-Job"] = job.Id;
            if (asked.IsStreamed) await StreamAsync(context, asked, job, streamed).ConfigureAwait(false);
            else await PlainAsync(context, asked, job).ConfigureAwait(false);
        }
        finally
        {
            job.Leave();
        }
    }

    /// <summary>Names unknown fields in a header, or refuses them.</summary>
    public static void Unknown(HttpContext context, RequestFields fields, bool isStrict, params IReadOnlyList<string> further)
    {
        string[] unknown = [.. fields.Unknown, .. further];
        if (unknown.Length == 0) return;
        var names = string.Join(", ", unknown.Take(16).Select(name =>
            new string([.. RequestFields.Short(name).Select(c => c is > ' ' and < '\u007f' and not ',' ? c : '?')])));
        if (isStrict)
        throw new ApiException(400, $"Unknown fields: {names}. Leave them out, or set strict to false.", unknown[0], "unknown_field");
        context.Response.Headers["X-Ignored-Fields"] = names;
    }

    /// <summary>Accepts a new job for a client that waits; the client leaves it afterwards.</summary>
    /// <exception cref="ApiException">A plain answer would take too long, the queue is full, or the service stops.</exception>
    public Job Begin(Job job, bool isStreamed = false)
    {
        if (!isStreamed && (job.Estimate ?? 0) + queue.Wait is var seconds && seconds > options.LongestPlainSeconds)
        {
            job.EndCanceled();
            throw ApiException.Busy(string.Create(CultureInfo.InvariantCulture,
                $"The request takes about {seconds:0} s, longer than clients wait ")
                + "for a plain response: set stream to true, or use POST /api/v1/jobs.", "too_slow", seconds);
        }

        job.Join();
        queue.Add(job);
        return job;
    }

    private async Task PlainAsync(HttpContext context, ImageOptions asked, Job job)
    {
        await job.Done.WaitAsync(context.RequestAborted).ConfigureAwait(false);
        ThrowUnlessDone(job);
        await context.Response.WriteAsJsonAsync(new
        {
            created = job.Created.ToUnixTimeSeconds(),
            data = job.Images.Select(image => asked.ByUrl
                ? (object)new { url = Address(context, asked, image), seed = image.Seed, clip_score = image.ClipScore }
                : new { b64_json = Convert.ToBase64String(asked.Encode(image)), seed = image.Seed, clip_score = image.ClipScore })
                .ToArray(),
            background = "opaque", output_format = asked.Format, quality = asked.Quality, size = SizeOf(job), usage = Usage(job),
        }, ServerJson.Options, context.RequestAborted).ConfigureAwait(false);
    }

    private async Task StreamAsync(HttpContext context, ImageOptions asked, Job job, string name)
    {
        var stream = new EventStream(context);
        await stream.CommentAsync("accepted").ConfigureAwait(false);
        var partial = 0;
        await foreach (var each in job.ReadAsync(0, options.Ping, context.RequestAborted).ConfigureAwait(false))
        {
            await (each switch
            {
                null => stream.PingAsync(),
                { Kind: "preview", Png: { } png } when partial < asked.Partial => stream.EventAsync(new
                {
                    type = $"{name}.partial_image", b64_json = Convert.ToBase64String(asked.Encode(png)),
                    created_at = DateTimeOffset.UtcNow.ToUnixTimeSeconds(), size = SizeOf(job), quality = asked.Quality,
                    background = "opaque", output_format = asked.Format, partial_image_index = partial++,
                }, $"{name}.partial_image"),
                { Kind: "image" } => stream.EventAsync(new
                {
                    type = $"{name}.completed", b64_json = Convert.ToBase64String(asked.Encode(job.Images[each.Step])),
                    created_at = DateTimeOffset.UtcNow.ToUnixTimeSeconds(), size = SizeOf(job), quality = asked.Quality,
                    background = "opaque", output_format = asked.Format, seed = job.Images[each.Step].Seed, usage = Usage(job),
                }, $"{name}.completed"),
                { Kind: "failed" or "canceled" } => stream.EventAsync(new
                {
                    type = "error", error = new { message = job.Error, type = "server_error", code = each.Kind },
                }, "error"),
                _ => Task.CompletedTask,
            }).ConfigureAwait(false);
        }
    }

    /// <exception cref="ApiException">The job has no images.</exception>
    internal static void ThrowUnlessDone(Job job)
    {
        if (job.State == JobState.Completed) return;
        if (job.Failure is ApiException own) throw own;
        if (job.Failure is ArgumentException or InvalidOperationException)
            throw new ApiException(400, ErrorSentence.Of(job.Failure), null, "invalid_request");
        throw job.State == JobState.Canceled ? ApiException.Busy("The job was canceled; send the request again.", "canceled", 1)
            : new ApiException(500, job.Error!, null, "generation_failed");
    }

    private string Address(HttpContext context, ImageOptions asked, JobImage image) =>
        $"{context.Request.Scheme}://{context.Request.Host}/v1/images/files/{files.Add(asked.Encode(image), asked.MediaType)}";

    private static object Usage(Job job)
    {
        var tokens = job.Requests[0].Prompt.Split(' ', StringSplitOptions.RemoveEmptyEntries).Length;
        return new
        {
            input_tokens = tokens, output_tokens = 0, total_tokens = tokens,
            input_tokens_details = new { image_tokens = 0, text_tokens = tokens },
        };
    }

    private static string SizeOf(Job job) => job.Images is [var first, ..] ? Text((first.Image.Width, first.Image.Height))
        : job.Size.Asked is { } asked ? Text(asked) : "auto";

    private static string Text((int Width, int Height) size) => string.Create(CultureInfo.InvariantCulture, $"{size.Width}x{size.Height}");
}
