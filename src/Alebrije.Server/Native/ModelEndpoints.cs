using System.Diagnostics;
using Alebrije.Server.Models;
using Alebrije.Server.Requests;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Alebrije.Server.Native;

/// <summary><c>/api/v1/models</c>: models on the disk and in memory.</summary>
internal static class ModelEndpoints
{
    public static void Map(IEndpointRouteBuilder routes)
    {
        routes.MapGet("/api/v1/models", (ModelPool pool) => Results.Json(new
        {
            models = pool.Known().Select(model => new { model.Name, model.Kind, model.Bytes, model.Licence }).ToArray(),
        }, ServerJson.Options));
        routes.MapGet("/api/v1/models/loaded", (ModelPool pool) => Results.Json(new
        {
            models = pool.Loaded.Select(model => new
            {
                model.Name, model.Bytes, model.Users, loaded_seconds = Math.Round(Stopwatch.GetElapsedTime(model.LoadedAt).TotalSeconds, 1),
                keep_alive_seconds = model.KeepAlive?.TotalSeconds,
            }).ToArray(),
        }, ServerJson.Options));
        routes.MapDelete("/api/v1/models/loaded/{*name}", (string name, ModelPool pool) => pool.Unload(name) ? Results.NoContent()
            : throw new ApiException(404, $"The model '{RequestFields.Short(name)}' is not loaded.", "name", "model_not_loaded"));
    }
}
