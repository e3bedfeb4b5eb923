using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http;

namespace Alebrije.Server.Security;

/// <summary>Browsers that gave a key on the studio's page: a random token in a cookie of this site alone, kept here as its hash.</summary>
internal sealed class SignIns(TimeProvider clock)
{
    private const string Cookie = "alebrije-session";
    private const int Most = 1000;
    private static readonly TimeSpan Kept = TimeSpan.FromHours(12);

    private readonly ConcurrentDictionary<string, DateTimeOffset> sessions = new(StringComparer.Ordinal);

    /// <summary>Begins a session.</summary>
    public void Begin(HttpContext context)
    {
        foreach (var (name, until) in sessions)
            if (until <= clock.GetUtcNow()) sessions.TryRemove(name, out _);
        if (sessions.Count >= Most) sessions.Clear();
        var token = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32));
        sessions[Hash(token)] = clock.GetUtcNow() + Kept;
        context.Response.Cookies.Append(Cookie, token, new CookieOptions
        {
            HttpOnly = true, SameSite = SameSiteMode.Strict, Secure = context.Request.IsHttps, IsEssential = true, MaxAge = Kept, Path = "/",
        });
    }

    /// <summary>True if the request comes from such a browser.</summary>
    public bool Has(HttpRequest request) => request.Cookies.TryGetValue(Cookie, out var token)
        && sessions.TryGetValue(Hash(token), out var until) && until > clock.GetUtcNow();

    private static string Hash(string token) => Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(token)));
}
