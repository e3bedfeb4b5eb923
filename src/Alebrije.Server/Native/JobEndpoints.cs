using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Alebrije.Server.Jobs;
using Alebrije.Server.OpenAi;
using Alebrije.Server.Requests;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Alebrije.Server.Native;

/// <summary><c>/api/v1/jobs</c>: accepted at once, followed by events that can be resumed, canceled by DELETE.</summary>
internal sealed class JobEndpoints(ServerOptions options, ImageJobs jobs, JobQueue queue)
{
    private const int MostKeys = 1000;

    private readonly Lock gate = new();
    private readonly Dictionary<string, (string Id, string Body)> keys = new(StringComparer.Ordinal);

    public static void Map(IEndpointRouteBuilder routes)
    {
        routes.MapPost("/api/v1/jobs", (HttpContext context, JobEndpoints self) => self.CreateAsync(context));
        routes.MapGet("/api/v1/jobs/{id}", (string id, JobEndpoints self) => Results.Json(
            self.Describe(self.Find(id)), ServerJson.Options));
        routes.MapDelete("/api/v1/jobs/{id}", (string id, JobEndpoints self) =>
        {
            self.Find(id).Cancel();
            return Results.NoContent();
        });
        routes.MapGet("/api/v1/jobs/{id}/events", (HttpContext context, string id, JobEndpoints self) => self.EventsAsync(context, id));
        routes.MapGet("/api/v1/jobs/{id}/images/{number:int}", (string id, int number, JobEndpoints self) =>
            self.Find(id).Images is var images && number >= 0 && number < images.Count ? Results.Bytes(images[number].Png, "image/png")
            : throw new ApiException(404, "The job has no such image (yet).", null, "not_found"));
    }

    private async Task CreateAsync(HttpContext context)
    {
        var fields = await RequestBody.JsonAsync(context.Request).ConfigureAwait(false);
        var asked = ImageOptions.Read(fields, options);
        var (previews, isTraced) = (fields.Whole("previews", 0, 16) ?? 4, fields.Truth("trace") ?? false);
        if (isTraced && asked.Count > 1) throw ApiException.Field("trace", "A trace covers one image; set n to 1.");
        var requests = new GenerationFields(options).Read(fields, asked.Prompt(fields), asked.Count);
        ImageAnswers.Unknown(context, fields, asked.IsStrict);
        var job = Idempotent(context.Request, fields.Canonical, () =>
        {
            var created = jobs.Generate(new JobForm(asked.Model, asked.Size, previews, asked.KeepAlive), requests, null, isDetached: true,
                isTraced);
            queue.Add(created);
            return created;
        });
        context.Response.StatusCode = 202;
        context.Response.Headers.Location = $"/api/v1/jobs/{job.Id}";
        await context.Response.WriteAsJsonAsync(Describe(job), ServerJson.Options, context.RequestAborted).ConfigureAwait(false);
    }

    /// <summary>The job of an idempotency key, or a new one.</summary>
    private Job Idempotent(HttpRequest request, string body, Func<Job> create)
    {
        var given = request.Headers["Idempotency-Key"].ToString();
        if (given.Length == 0) return create();
        if (given.Length > 256) throw ApiException.Field("Idempotency-Key", "The idempotency key has more than 256 characters.");
        var key = Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes($"{request.Headers.Authorization}\n{given}")));
        lock (gate)
        {
            if (keys.TryGetValue(key, out var before) && queue.Find(before.Id) is { } pending)
            {
                return before.Body == body ? pending : throw new ApiException(422,
                    "The idempotency key was used for another request; take a new one.", "Idempotency-Key", "idempotency_key_reused");
            }

            if (keys.Count >= MostKeys) keys.Clear();
            var job = create();
            keys[key] = (job.Id, body);
            return job;
        }
    }

    private async Task EventsAsync(HttpContext context, string id)
    {
        var job = Find(id);
        var after = int.TryParse(context.Request.Headers["Last-Event-ID"].ToString(), NumberStyles.None, CultureInfo.InvariantCulture,
            out var last) ? last : 0;
        var stream = new EventStream(context);
        await stream.StartAsync().ConfigureAwait(false);
        await foreach (var each in job.ReadAsync(after, options.Ping, context.RequestAborted).ConfigureAwait(false))
            await (each is null ? stream.PingAsync() : stream.EventAsync(Data(job, each), each.Kind, each.Id)).ConfigureAwait(false);
    }

    private static object Data(Job job, JobEvent each) => each.Kind switch
    {
        "queued" => new { position = each.Step },
        "progress" => new { each.Stage, each.Step, each.Of },
        "preview" => new { each.Stage, each.Step, each.Of, image = $"data:image/png;base64,{Convert.ToBase64String(each.Png!)}" },
        "image" => new { number = each.Step, job.Images[each.Step].Seed, url = Url(job, each.Step), job.Images[each.Step].ClipScore },
        "failed" or "canceled" => new { message = job.Error },
        _ => new { job.Id },
    };

    private object Describe(Job job) => new
    {
        job.Id, job.Model, status = job.State, created = job.Created.ToUnixTimeSeconds(), position = queue.PositionOf(job),
        estimate_seconds = job.Estimate is { } seconds ? Math.Round(seconds, 1) : (double?)null, job.Error,
        events = $"/api/v1/jobs/{job.Id}/events", trace = job.IsTraced ? $"/api/v1/trace/{job.Id}" : null,
        images = job.Images.Select((image, i) => new { url = Url(job, i), image.Seed, image.ClipScore }).ToArray(),
    };

    private static string Url(Job job, int number) => $"/api/v1/jobs/{job.Id}/images/{number}";

    private Job Find(string id) => queue.Find(id)
        ?? throw new ApiException(404, "There is no such job; finished ones are kept for an hour.", "id", "job_not_found");
}
