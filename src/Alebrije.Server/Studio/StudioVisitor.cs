using System.Security.Cryptography;
using Microsoft.AspNetCore.Http;

namespace Alebrije.Server.Studio;

/// <summary>An anonymous visitor: a random id in a cookie that scripts cannot read and other sites cannot send.</summary>
/// <param name="Id">32 hexadecimal digits.</param>
/// <param name="IsPassing">
/// True for a page that was opened from another site: its request has no strict cookie, so the id is valid for this page alone and
/// the page requests itself again.
/// </param>
internal sealed record StudioVisitor(string Id, bool IsPassing)
{
    private const string Cookie = "alebrije-visitor";
    private static readonly TimeSpan Kept = TimeSpan.FromDays(30);

    /// <summary>The visitor of a request; a new one gets the cookie with the answer.</summary>
    public static StudioVisitor Of(HttpContext context)
    {
        if (context.Request.Cookies.TryGetValue(Cookie, out var known) && known.Length == 32 && known.All(char.IsAsciiHexDigitLower))
            return new(known, false);
        var id = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));
        // A cookie set now would replace the one that the browser has and did not send.
        if (context.Request.Headers["Sec-Fetch-Site"] == "cross-site") return new(id, true);
        if (!context.Response.HasStarted)
            context.Response.Cookies.Append(Cookie, id, new CookieOptions
            {
                HttpOnly = true, SameSite = SameSiteMode.Strict, Secure = context.Request.IsHttps, IsEssential = true,
                MaxAge = Kept, Path = "/",
            });
        return new(id, false);
    }
}
