using System.Net;
using Alebrije.Preprocessing;
using Alebrije.Server.Studio;
using Alebrije.Server.Telemetry;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Logging;

namespace Alebrije.Server.Security;

/// <summary>
/// The outermost step of every request: security headers, host and origin, key, rate; and every error in the shape of its interface.
/// </summary>
internal sealed partial class RequestGuard(
    RequestDelegate next, ServerOptions options, KeyCheck keys, RateLimits rates, ServerMetrics metrics, ILogger<RequestGuard> log)
{
    private const int Gone = 499;

    private static readonly string[] Open = ["/health", "/alive", "/healthz", "/readyz", "/v1/images/files/"];
    private static readonly string[] Loopback = ["localhost", "127.0.0.1", "[::1]"];

    public async Task InvokeAsync(HttpContext context)
    {
        Headers(context.Response.Headers);
        try
        {
            if (IsPreflight(context)) return;
            Check(context);
            await next(context).ConfigureAwait(false);
            if (context.Response is { StatusCode: 404 or 405, HasStarted: false, ContentLength: null, ContentType: null })
                throw context.Response.StatusCode == 405
                    ? new ApiException(405, $"{context.Request.Method} is not allowed here.", null, "method_not_allowed")
                    : new ApiException(404, "There is nothing at this address; docs/service.md lists all.", null, "not_found");
        }
        catch (Exception e)
        {
            await AnswerAsync(context, e).ConfigureAwait(false);
        }

        var route = (context.GetEndpoint() as RouteEndpoint)?.RoutePattern.RawText ?? "none";
        metrics.Request(route, context.Response.StatusCode);
    }

    private static void Headers(IHeaderDictionary headers)
    {
        headers.XContentTypeOptions = "nosniff";
        headers.XFrameOptions = "DENY";
        headers["Referrer-Policy"] = "no-referrer";
        headers["Cross-Origin-Resource-Policy"] = "same-origin";
        headers["Cross-Origin-Opener-Policy"] = "same-origin";
        headers["Permissions-Policy"] = "camera=(), microphone=(), geolocation=()";
        headers.ContentSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
            + "connect-src 'self'; font-src 'self'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'";
    }

    /// <summary>Answers the CORS preflight request of a browser, which has no key, for a page of an allowed origin.</summary>
    private bool IsPreflight(HttpContext context)
    {
        var request = context.Request;
        if (!HttpMethods.IsOptions(request.Method) || !request.Headers.ContainsKey("Access-Control-Request-Method")) return false;
        CheckHost(request);
        CheckOrigin(request);
        context.Response.Headers.AccessControlAllowMethods = "GET, POST, DELETE";
        context.Response.Headers.AccessControlMaxAge = "600";
        context.Response.StatusCode = 204;
        return true;
    }

    private void CheckHost(HttpRequest request)
    {
        if (options.IsLoopback && request.Host.HasValue && !Loopback.Concat(options.HostNames)
            .Contains(request.Host.Host, StringComparer.OrdinalIgnoreCase))
            throw new ApiException(400, "The service does not accept this host name; use 127.0.0.1 or localhost.", null, "invalid_host");
    }

    private void Check(HttpContext context)
    {
        var request = context.Request;
        CheckHost(request);
        CheckOrigin(request);
        var path = request.Path.Value ?? "/";
        if (Open.Any(open => path.StartsWith(open, StringComparison.OrdinalIgnoreCase))) return;
        var isAllowed = keys.Allows(request);
        if (rates.Take(Client(context, isAllowed && keys.IsNeeded)) is { } wait)
            throw new ApiException(429, $"More than {options.RatePerMinute} requests a minute; try again in {wait} s.", null,
                "rate_limit_exceeded") { RetryAfter = wait };
        if (!isAllowed && !IsPublic(path))
            throw new ApiException(401, "A key is needed: send the header Authorization: Bearer KEY.", null, "invalid_api_key");
    }

    /// <summary>True for the sign-in page, and for the studio's style sheet and scripts.</summary>
    private static bool IsPublic(string path) => path.StartsWith("/studio/", StringComparison.Ordinal)
        || StudioWords.Languages.Any(language => path == $"/{language}/sign-in");

    /// <summary>Pages of other origins reach nothing, unless their origin is allowed.</summary>
    private void CheckOrigin(HttpRequest request)
    {
        var origin = request.Headers.Origin.ToString();
        var isForeign = origin.Length > 0 ? !origin.Equals($"{request.Scheme}://{request.Host}", StringComparison.OrdinalIgnoreCase)
            : request.Headers["Sec-Fetch-Site"].ToString() is "cross-site" or "same-site" && !HttpMethods.IsGet(request.Method);
        if (!isForeign) return;
        if (!options.Origins.Contains(origin, StringComparer.OrdinalIgnoreCase))
            throw new ApiException(403, "Web pages of other origins may not call this service (--origin allows one).", null,
                "foreign_origin");
        var headers = request.HttpContext.Response.Headers;
        headers.AccessControlAllowOrigin = origin;
        headers.Vary = "Origin";
        headers.AccessControlAllowHeaders = request.Headers.AccessControlRequestHeaders is { Count: > 0 } asked
            ? asked : "authorization, content-type";
    }

    /// <summary>A client by its key, or by its address where it has none that is valid.</summary>
    private static string Client(HttpContext context, bool hasKey) =>
        hasKey && $"{context.Request.Headers.Authorization}{context.Request.Headers["X-Api-Key"]}" is { Length: > 0 } key ? key
        : (context.Connection.RemoteIpAddress ?? IPAddress.None).ToString();

    private async Task AnswerAsync(HttpContext context, Exception error)
    {
        if (error is OperationCanceledException && context.RequestAborted.IsCancellationRequested)
        {
            if (!context.Response.HasStarted) context.Response.StatusCode = Gone;
            return;
        }

        var refusal = Refusal(error);
        if (refusal.Status >= 500 && refusal.Status != 503) Failed(log, error, context.Request.Path);
        if (context.Response.HasStarted)
        {
            context.Abort();
            return;
        }

        Headers(context.Response.Headers);
        if (refusal.Status == 401 && HttpMethods.IsGet(context.Request.Method)
            && context.Request.Headers.Accept.ToString().Contains("text/html", StringComparison.Ordinal))
        {
            context.Response.Redirect($"/{StudioWords.Preferred(context.Request)}/sign-in");
            return;
        }

        context.Response.StatusCode = refusal.Status;
        if (refusal.RetryAfter is { } seconds) context.Response.Headers.RetryAfter = $"{seconds}";
        if (refusal.Status is 401) context.Response.Headers.WWWAuthenticate = "Bearer";
        var isOpenAi = context.Request.Path.StartsWithSegments("/v1", StringComparison.OrdinalIgnoreCase);
        try
        {
            await context.Response.WriteAsJsonAsync(isOpenAi ? OpenAi(refusal) : Problem(refusal, context), ServerJson.Options,
                isOpenAi ? "application/json" : "application/problem+json", context.RequestAborted).ConfigureAwait(false);
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            // The client went away.
        }
    }

    /// <summary>The refusal that stands for an error.</summary>
    internal static ApiException Refusal(Exception error) => error switch
    {
        ApiException own => own,
        BadHttpRequestException { StatusCode: 413 } => new ApiException(413, "The body is too large.", null, "too_large"),
        BadHttpRequestException bad => new ApiException(bad.StatusCode, "The request is malformed.", null, "malformed"),
        Preprocessing.Imaging.ImageFormatException image => new ApiException(400, ErrorSentence.Of(image), "image", "invalid_image"),
        ArgumentException or InvalidOperationException when IsFromLibrary(error) =>
            new ApiException(400, ErrorSentence.Of(error), null, "invalid_request"),
        Weights.WeightsException weights => new ApiException(422, ErrorSentence.Of(weights), "model", "damaged_model"),
        OperationCanceledException => ApiException.Busy("The request was canceled.", "canceled", 1),
        _ => new ApiException(500, "The service failed; its log has the reason.", null, "internal_error") { RetryAfter = 1 },
    };

    /// <summary>True for errors that the library throws for values of requests; their messages are for users.</summary>
    private static bool IsFromLibrary(Exception error) =>
        error is not ArgumentNullException && error.TargetSite?.DeclaringType?.Assembly.GetName().Name
            is "Alebrije" or "Alebrije.Preprocessing" or "Alebrije.Extensions.AI" or "Alebrije.Search";

    /// <summary>A refusal in the shape of OpenAI.</summary>
    internal static object OpenAi(ApiException refusal) => new
    {
        error = new Dictionary<string, string?>
        {
            ["message"] = refusal.Message,
            ["type"] = refusal.Status switch
            {
                429 => "rate_limit_error", 401 or 403 => "authentication_error", >= 500 => "server_error", _ => "invalid_request_error",
            },
            ["param"] = refusal.Param, ["code"] = refusal.Code,
        },
    };

    private static object Problem(ApiException refusal, HttpContext context) => new
    {
        type = $"urn:alebrije:{refusal.Code}", title = refusal.Code?.Replace('_', ' '), status = refusal.Status, detail = refusal.Message,
        instance = context.Request.Path.Value, param = refusal.Param, code = refusal.Code,
    };

    [LoggerMessage(Level = LogLevel.Error, Message = "The request to {Path} failed.")]
    private static partial void Failed(ILogger log, Exception error, string path);
}
