using System.Globalization;
using System.Reflection;
using System.Security.Cryptography;
using System.Text;
using Alebrije.Reports;
using Alebrije.Server.Security;
using Alebrije.Server.Studio.Parts;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.DataProtection.KeyManagement;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.SignalR;
using Microsoft.Extensions.DependencyInjection;

namespace Alebrije.Server.Studio;

/// <summary>The studio: pages for a browser, and the files that they need, all from this assembly.</summary>
internal static class StudioSite
{
    /// <summary>Largest message of a page: the mask of a brush.</summary>
    private const int MostMessageBytes = 512 * 1024;

    private static readonly Dictionary<string, string> Types = new(StringComparer.Ordinal)
    {
        ["css"] = "text/css; charset=utf-8", ["js"] = "text/javascript; charset=utf-8", ["svg"] = "image/svg+xml", ["png"] = "image/png",
    };

    /// <summary>Services of the pages.</summary>
    public static void Add(IServiceCollection services)
    {
        // Nothing of a session outlives the process, so its keys do not either.
        services.AddDataProtection();
        services.Configure<KeyManagementOptions>(keys => keys.XmlRepository = new SessionKeys());
        services.AddSingleton<SignIns>();
        services.AddRazorComponents().AddInteractiveServerComponents();
        services.Configure<HubOptions>(hub => hub.MaximumReceiveMessageSize = MostMessageBytes);
        services.AddSingleton<StudioClip>().AddSingleton<StudioHistories>().AddSingleton<StudioModels>().AddSingleton<StudioFlamingo>()
            .AddSingleton<StudioWorld>();
        services.AddScoped<StudioGallery>().AddScoped<StudioWords>().AddScoped<StudioShelves>().AddScoped<StudioJobs>();
    }

    /// <summary>Addresses of the pages.</summary>
    public static void Map(WebApplication app)
    {
        var files = Read();
        app.MapGet("/", (HttpContext context) => Results.Redirect($"/{StudioWords.Preferred(context.Request)}/imagine"));
        app.MapGet("/{language:length(2)}", (string language) => StudioWords.Languages.Contains(language)
            ? Results.Redirect($"/{language}/imagine") : Results.NotFound());
        app.MapGet("/studio/{**name}", (string name, HttpContext context) => Answer(files, name, context));
        app.MapGet("/_framework/blazor.web.js", (HttpContext context) => Answer(files, "blazor.web.js", context));
        app.MapRazorComponents<App>().AddInteractiveServerRenderMode(options => options.ContentSecurityFrameAncestorsPolicy = null);
    }

    private static IResult Answer(Dictionary<string, (byte[] Bytes, string Tag)> files, string name, HttpContext context)
    {
        if (!files.TryGetValue(name, out var file)) return Results.NotFound();
        context.Response.Headers.CacheControl = "no-cache";
        return Results.Bytes(file.Bytes, Types[Path.GetExtension(name)[1..]],
            entityTag: new Microsoft.Net.Http.Headers.EntityTagHeaderValue($"\"{file.Tag}\""));
    }

    private static Dictionary<string, (byte[] Bytes, string Tag)> Read()
    {
        const string prefix = "studio/";
        var assembly = Assembly.GetExecutingAssembly();
        var files = assembly.GetManifestResourceNames().Where(name => name.StartsWith(prefix, StringComparison.Ordinal))
            .Where(name => Types.ContainsKey(Path.GetExtension(name)[1..]))
            .ToDictionary(name => name[prefix.Length..].Replace('\\', '/'), name =>
        {
            using var stream = assembly.GetManifestResourceStream(name)!;
            using var bytes = new MemoryStream();
            stream.CopyTo(bytes);
            return bytes.ToArray();
        }, StringComparer.Ordinal);
        files["heat.css"] = Encoding.UTF8.GetBytes(Heat());
        return files.ToDictionary(file => file.Key, file => (file.Value, Convert.ToHexStringLower(SHA256.HashData(file.Value))[..16]),
            StringComparer.Ordinal);
    }

    /// <summary>
    /// A class for each entry of the gradient of similarity tables, its text black or white, whichever stands out more: with a contrast
    /// of 4.5 or more.
    /// </summary>
    private static string Heat() => string.Concat(Enumerable.Range(0, 256).Select(level => string.Create(CultureInfo.InvariantCulture,
        $".h{level}{{background:{BluesGradient.Background(level).Hex};color:{Ink(BluesGradient.Background(level))}}}\n")));

    /// <summary>Black or white, by the relative luminance of WCAG.</summary>
    private static string Ink(Rgb colour)
    {
        return (0.2126 * Linear(colour.R)) + (0.7152 * Linear(colour.G)) + (0.0722 * Linear(colour.B)) > 0.179 ? "#000" : "#fff";

        static double Linear(byte value) =>
            value <= 10 ? value / 255.0 / 12.92 : Math.Pow(((value / 255.0) + 0.055) / 1.055, 2.4);
    }
}
