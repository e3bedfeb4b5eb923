using Alebrije.Server.Models;
using Alebrije.Server.OpenAi;
using Alebrije.Server.Requests;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Alebrije.Server.Native;

/// <summary>Answer of an endpoint to the fields of a request, on the model that they name.</summary>
internal delegate Task<object> ModelAnswer(RequestFields fields, LoadedModel model, CancellationToken cancellation);

/// <summary>Addresses that take a JSON object with a model's name, and answer with one.</summary>
internal static class ModelRoutes
{
    /// <summary>Maps an address; the model is rented for the time of the answer.</summary>
    public static void Post<T>(IEndpointRouteBuilder routes, string path, Func<T, ModelAnswer> action) where T : class =>
        routes.MapPost(path, async (HttpContext context, T self, ModelPool pool) =>
        {
            var fields = await RequestBody.JsonAsync(context.Request).ConfigureAwait(false);
            var strict = fields.Truth("strict") ?? false;
            var answer = await AnswerAsync(pool, fields, action(self), context.RequestAborted).ConfigureAwait(false);
            ImageAnswers.Unknown(context, fields, strict);
            await context.Response.WriteAsJsonAsync(answer, ServerJson.Options, context.RequestAborted).ConfigureAwait(false);
        });

    /// <summary>The answer of an action on the model of the fields.</summary>
    public static async Task<object> AnswerAsync(ModelPool pool, RequestFields fields, ModelAnswer action, CancellationToken cancellation)
    {
        var keepAlive = fields.Number("keep_alive", -1, 1e9);
        using var lease = pool.Rent(fields.Text("model", 200), keepAlive);
        return await action(fields, lease.Model, cancellation).ConfigureAwait(false);
    }
}
