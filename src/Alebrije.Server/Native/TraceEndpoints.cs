using Alebrije.Pipelines;
using Alebrije.Server.Jobs;
using Alebrije.Server.Requests;
using Alebrije.Server.Studio;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Alebrije.Server.Native;

/// <summary><c>/api/v1/trace</c>: the chain of a finished job, stage by stage, as the studio's page shows it.</summary>
internal static class TraceEndpoints
{
    public static void Map(IEndpointRouteBuilder routes) => routes.MapGet("/api/v1/trace/{id}", (HttpContext context, string id,
        JobQueue queue) => Results.Json(Describe(Find(queue, id), Truth(context, "values"), Truth(context, "images")), ServerJson.Options));

    private static Job Find(JobQueue queue, string id)
    {
        var job = queue.Find(id) ?? throw new ApiException(404, "There is no such job; finished ones are kept for an hour.", "id",
            "job_not_found");
        if (job.Traced is not null) return job;
        throw !job.IsTraced ? new ApiException(404, "This job has no trace; POST /api/v1/jobs with \"trace\": true keeps one.", "id",
                "not_traced")
            : new ApiException(409, job.IsOver ? "The job was not completed, so it has no trace."
                : "The job is not finished; follow its events and try again.", "id", "trace_not_ready");
    }

    private static bool Truth(HttpContext context, string name) => context.Request.Query[name].ToString() switch
    {
        "" or "false" => false,
        "true" => true,
        _ => throw ApiException.Field(name, $"The parameter {name} is neither true nor false."),
    };

    private static object Describe(Job job, bool values, bool images)
    {
        var result = job.Traced!.Result;
        var request = result.Request;
        return new
        {
            job.Id, job.Model, request.Prompt, negative_prompt = request.Negative, request.Seed, prior = PriorNames.Of(request.Prior),
            request.Steps, request.Guidance, request.PriorSteps, request.PriorGuidance, result.ClipScore, result.Seconds,
            stages = ChainStage.Of(job.Traced).Select(stage => Stage(stage, values, images)).ToArray(),
        };
    }

    private static Dictionary<string, object?> Stage(ChainStage stage, bool values, bool images)
    {
        var part = stage.Part;
        var answer = new Dictionary<string, object?> { ["stage"] = stage.Key, ["shape"] = part.Shape };
        if (part.Norm is { } norm) answer["norm"] = norm;
        if (stage.Key == "tokens")
            (answer["tokens"], answer["ids"]) = (part.Tokens, stage.Ids[..Math.Min(stage.Ids.Length, part.Tokens.Count)]);
        if (stage.Key == "prior" && part.Values.Length > 0)
        {
            answer["cosine_to_text"] = part.Noted("cosine_of_predicted_embedding_to_text");
            answer["cosine_to_result"] = Figures.ToLast(part.Values, (int)part.Shape[0]);
        }

        if (stage.Key == "image" && part.Noted("cosine_to_text") is [var cosine]) answer["cosine_to_text"] = cosine;
        if (part.Values.Length > 0)
        {
            (answer["least"], answer["most"], answer["mean"]) = (part.Values.Min(), part.Values.Max(), part.Values.Average());
            if (values) answer["values"] = part.Values;
        }

        if (images && part.Png is { } png && stage.Series.Count == 0) answer["image"] = Figures.Uri(png);
        if (stage.Series.Count > 0) answer["steps"] = stage.Series.Select(step => new
        {
            step = step.Name[(step.Name.LastIndexOf(' ') + 1)..], step.Shape, step.Norm,
            image = images && step.Png is { } predicted ? Figures.Uri(predicted) : null,
        }).ToArray();
        return answer;
    }
}
