using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Scalar.AspNetCore;

namespace Alebrije.Server.Reference;

/// <summary>
/// <c>/scalar</c>: the document as a page to read and to try. Its script comes from the package and sets styles of elements itself, so this
/// page alone has a policy with inline styles; scripts need its nonce, and nothing is loaded from elsewhere.
/// </summary>
internal static class ScalarPage
{
    private const string Path = "/scalar";

    public static void Map(WebApplication app)
    {
        app.Use((context, next) =>
        {
            if (context.Request.Path.StartsWithSegments(Path, StringComparison.Ordinal)) context.Response.OnStarting(() => Policy(context));
            return next(context);
        });
        app.MapScalarApiReference(Path, options =>
        {
            options.WithTitle("Alebrije").WithNonce().DisableTelemetry().DisableAgent().DisableMcp();
            (options.DefaultFonts, options.ProxyUrl, options.ShowDeveloperTools) = (false, null, DeveloperToolsVisibility.Never);
            options.OpenApiRoutePattern = "/openapi/{documentName}.json";
        });
    }

    private static Task Policy(HttpContext context)
    {
        if (context.Items[ScalarOptions.NonceHttpContextItemKey] is string nonce)
            context.Response.Headers.ContentSecurityPolicy = $"default-src 'none'; script-src 'self' 'nonce-{nonce}'; "
                + "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; connect-src 'self'; font-src 'self' data:; "
                + "base-uri 'self'; form-action 'self'; frame-ancestors 'none'";
        return Task.CompletedTask;
    }
}
