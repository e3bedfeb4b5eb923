using System.Security.Cryptography;
using Alebrije.Extensions.AI;
using Alebrije.Server.Models;
using Alebrije.Server.Requests;
using Alebrije.Server.Security;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.AI;

namespace Alebrije.Server.OpenAi;

/// <summary><c>/v1/chat/completions</c>: questions on images, answered by a Flamingo, whole or streamed.</summary>
internal sealed class ChatEndpoints(ServerOptions options, ModelPool pool, Uploads uploads)
{
    private const int MostTokens = 4096, MostLead = 200;
    private const double RetrySeconds = 5;

    private int waiting;

    public static void Map(IEndpointRouteBuilder routes) =>
        routes.MapPost("/v1/chat/completions", (HttpContext context, ChatEndpoints self) => self.CompleteAsync(context));

    private async Task CompleteAsync(HttpContext context)
    {
        var fields = await RequestBody.JsonAsync(context.Request).ConfigureAwait(false);
        var (model, keepAlive) = (fields.Text("model", 200), fields.Number("keep_alive", -1, 1e9));
        var isStrict = fields.Truth("strict") ?? false;
        var (isStreamed, withUsage) = (fields.Truth("stream") ?? false, WithUsage(fields));
        var sampling = Sampling(fields);
        var messages = new ChatMessages(uploads);
        var read = await messages.ReadAsync(fields, context.RequestAborted).ConfigureAwait(false);
        fields.Ignore("user");
        ImageAnswers.Unknown(context, fields, isStrict, messages.Ignored);
        if (Interlocked.Increment(ref waiting) > options.QueueLength)
        {
            Interlocked.Decrement(ref waiting);
            throw ApiException.Busy($"{options.QueueLength} chats are already waiting; try again later.", "queue_full", RetrySeconds);
        }

        try
        {
            using var lease = pool.RentChat(model, keepAlive);
            if (isStreamed) await StreamAsync(context, lease.Model, read, sampling, withUsage).ConfigureAwait(false);
            else await PlainAsync(context, lease.Model, read, sampling).ConfigureAwait(false);
        }
        finally
        {
            Interlocked.Decrement(ref waiting);
        }
    }

    private static ChatOptions Sampling(RequestFields fields)
    {
        fields.Whole("n", 1, 1);
        var (most, older) = (fields.Whole("max_completion_tokens", 1, MostTokens), fields.Whole("max_tokens", 1, MostTokens));
        var lead = fields.Text(FlamingoChatClient.LeadProperty, MostLead);
        return new ChatOptions
        {
            AdditionalProperties = lead is null ? null : new() { [FlamingoChatClient.LeadProperty] = lead },
            MaxOutputTokens = most ?? older, Temperature = (float?)fields.Number("temperature", 0, 2),
            TopP = (float?)fields.Number("top_p", 1e-6, 1), Seed = unchecked((long?)fields.Seed()),
        };
    }

    private static bool WithUsage(RequestFields fields)
    {
        if (fields.Raw("stream_options") is not { } given) return false;
        if (given.ValueKind != System.Text.Json.JsonValueKind.Object)
            throw RequestFields.Wrong("stream_options", given, "an object");
        return given.TryGetProperty("include_usage", out var usage) && usage.ValueKind == System.Text.Json.JsonValueKind.True;
    }

    private static async Task PlainAsync(HttpContext context, LoadedModel model, IReadOnlyList<ChatMessage> messages, ChatOptions sampling)
    {
        var answer = await Task.Run(() => model.Chat.GetResponseAsync(messages, sampling, context.RequestAborted), context.RequestAborted)
            .ConfigureAwait(false);
        var chunk = Chunk("chat.completion", NewId(), model.Name);
        chunk["choices"] = new[]
        {
            new Dictionary<string, object?>
            {
                ["index"] = 0, ["logprobs"] = null, ["finish_reason"] = answer.FinishReason?.Value,
                ["message"] = new Dictionary<string, object?> { ["role"] = "assistant", ["content"] = answer.Text, ["refusal"] = null },
            },
        };
        chunk["usage"] = Usage(answer.Usage);
        await context.Response.WriteAsJsonAsync(chunk, ServerJson.Options, context.RequestAborted).ConfigureAwait(false);
    }

    /// <summary>Events of one piece of text each; the first one waits until the model took the messages, so that a refusal has its
    /// status.</summary>
    private async Task StreamAsync(
        HttpContext context, LoadedModel model, IReadOnlyList<ChatMessage> messages, ChatOptions sampling, bool withUsage)
    {
        var (id, stop, usage) = (NewId(), context.RequestAborted, (UsageDetails?)null);
        var stream = new EventStream(context);
        var client = await Task.Run(() => model.Chat, stop).ConfigureAwait(false);
        await using var updates = client.GetStreamingResponseAsync(messages, sampling, stop).GetAsyncEnumerator(stop);
        try
        {
            var isFirst = true;
            for (var next = updates.MoveNextAsync().AsTask(); ;)
            {
                if (await Task.WhenAny(next, Task.Delay(options.Ping, stop)).ConfigureAwait(false) != next)
                {
                    stop.ThrowIfCancellationRequested();
                    await stream.PingAsync().ConfigureAwait(false);
                    continue;
                }

                if (!await next.ConfigureAwait(false)) break;
                if (isFirst) await stream.EventAsync(Piece("", null, role: true)).ConfigureAwait(false);
                isFirst = false;
                var update = updates.Current;
                usage ??= update.Contents.OfType<UsageContent>().FirstOrDefault()?.Details;
                await stream.EventAsync(Piece(update.Text, update.FinishReason?.Value)).ConfigureAwait(false);
                next = updates.MoveNextAsync().AsTask();
            }

            if (withUsage)
            {
                var last = Chunk("chat.completion.chunk", id, model.Name);
                (last["choices"], last["usage"]) = (Array.Empty<object>(), Usage(usage));
                await stream.EventAsync(last).ConfigureAwait(false);
            }
        }
        catch (Exception e) when (context.Response.HasStarted && e is not OperationCanceledException)
        {
            await stream.EventAsync(RequestGuard.OpenAi(RequestGuard.Refusal(e))).ConfigureAwait(false);
        }

        await stream.DoneAsync().ConfigureAwait(false);

        Dictionary<string, object?> Piece(string text, string? finish, bool role = false)
        {
            var delta = new Dictionary<string, object?>();
            if (role) delta["role"] = "assistant";
            if (role || text.Length > 0) delta["content"] = text;
            var chunk = Chunk("chat.completion.chunk", id, model.Name);
            chunk["choices"] = new[]
            {
                new Dictionary<string, object?> { ["index"] = 0, ["delta"] = delta, ["logprobs"] = null, ["finish_reason"] = finish },
            };
            return chunk;
        }
    }

    private static Dictionary<string, object?> Chunk(string kind, string id, string model) => new()
    {
        ["id"] = id, ["object"] = kind, ["created"] = DateTimeOffset.UtcNow.ToUnixTimeSeconds(), ["model"] = model,
    };

    private static object Usage(UsageDetails? usage) => new
    {
        prompt_tokens = usage?.InputTokenCount ?? 0, completion_tokens = usage?.OutputTokenCount ?? 0,
        total_tokens = usage?.TotalTokenCount ?? 0,
    };

    private static string NewId() => $"chatcmpl-{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(12))}";
}
