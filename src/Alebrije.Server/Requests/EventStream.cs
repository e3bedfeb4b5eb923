using Microsoft.AspNetCore.Http;

namespace Alebrije.Server.Requests;

/// <summary>Server-sent events of one answer: each is flushed at once. The headers are sent with the first write.</summary>
internal sealed class EventStream(HttpContext context)
{
    private const string Type = "text/event-stream; charset=utf-8";

    /// <summary>Sends the headers alone.</summary>
    public Task StartAsync() => WriteAsync("");

    /// <summary>A comment, ignored by clients: the headers, or a sign that the connection is alive.</summary>
    public Task CommentAsync(string text) => WriteAsync($": {text}\n\n");

    /// <summary>A comment that keeps proxies from closing a quiet connection.</summary>
    public Task PingAsync() => CommentAsync("ping");

    /// <summary>An event.</summary>
    /// <param name="data">The value, written as JSON.</param>
    /// <param name="name">Its kind; null for one without, as OpenAI's chat sends them.</param>
    /// <param name="id">Its number, with which a client resumes; null for none.</param>
    public Task EventAsync(object data, string? name = null, long? id = null) =>
        WriteAsync($"{(id is null ? "" : $"id: {id}\n")}{(name is null ? "" : $"event: {name}\n")}data: {ServerJson.Text(data)}\n\n");

    /// <summary>The end of a stream of OpenAI's chat.</summary>
    public Task DoneAsync() => WriteAsync("data: [DONE]\n\n");

    private async Task WriteAsync(string text)
    {
        var (response, stop) = (context.Response, context.RequestAborted);
        if (!response.HasStarted)
        {
            response.ContentType = Type;
            response.Headers.CacheControl = "no-cache";
        }

        if (text.Length > 0) await response.WriteAsync(text, stop).ConfigureAwait(false);
        await response.Body.FlushAsync(stop).ConfigureAwait(false);
    }
}
