using Alebrije.Server.Jobs;
using Alebrije.Server.Models;
using Alebrije.Server.Telemetry;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Alebrije.Server.Native;

/// <summary>Health and metrics.</summary>
internal static class OperationEndpoints
{
    public static void Map(IEndpointRouteBuilder routes)
    {
        routes.MapGet("/alive", () => "alive");
        routes.MapGet("/healthz", () => "alive");
        routes.MapGet("/health", Ready);
        routes.MapGet("/readyz", Ready);
        routes.MapGet("/metrics", (ServerMetrics metrics, JobQueue queue, ModelPool pool) => Results.Text(metrics.Text(
        [
            ("alebrije_queue_length", queue.Length), ("alebrije_jobs_running", queue.Running.Count),
            ("alebrije_models_loaded", pool.Loaded.Count), ("alebrije_resident_bytes", Environment.WorkingSet),
        ]), "text/plain; version=0.0.4"));
    }

    /// <summary>Ready: it accepts jobs.</summary>
    private static IResult Ready(JobQueue queue, ServerOptions options) => queue.IsClosed || queue.Length >= options.QueueLength
        ? throw ApiException.Busy(queue.IsClosed ? "The service is stopping." : "The queue is full.", "not_ready", 5)
        : Results.Text("ready");
}
