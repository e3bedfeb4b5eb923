using Alebrije.Server.Jobs;
using Alebrije.Server.Mcp;
using Alebrije.Server.Models;
using Alebrije.Server.Native;
using Alebrije.Server.OpenAi;
using Alebrije.Server.Reference;
using Alebrije.Server.Requests;
using Alebrije.Server.Security;
using Alebrije.Server.Studio;
using Alebrije.Server.Telemetry;
using Alebrije.Server.WebUi;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Alebrije.Server;

/// <summary>The service: images and embeddings over HTTP, in OpenAI's shape and in its own.</summary>
public static class AlebrijeServer
{
    /// <summary>Makes the service; it listens once it is started.</summary>
    /// <param name="options">Its options; null: loopback, port 5511, the default model.</param>
    /// <exception cref="ArgumentException">An option that cannot be, such as a network address without a key.</exception>
    public static WebApplication Create(ServerOptions? options = null)
    {
        options ??= new ServerOptions();
        if (options.Faults().FirstOrDefault() is { } fault) throw new ArgumentException(fault);
        var builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions { ContentRootPath = AppContext.BaseDirectory });
        builder.Logging.SetMinimumLevel(LogLevel.Warning);
        // Keys of sessions stay in memory, whatever its warning on files states.
        builder.Logging.AddFilter("Microsoft.AspNetCore.DataProtection", LogLevel.Error);
        builder.WebHost.ConfigureKestrel(kestrel => Listen(kestrel, options));
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = options.Shutdown + TimeSpan.FromSeconds(10));
        Services(builder.Services, options);
        SpanExport.Add(builder.Services, builder.Configuration);
        var app = builder.Build();
        app.UseMiddleware<RequestGuard>();
        app.UseRouting();
        app.UseAntiforgery();
        ImageEndpoints.Map(app);
        EmbeddingEndpoints.Map(app);
        ChatEndpoints.Map(app);
        JobEndpoints.Map(app);
        ClipEndpoints.Map(app);
        SearchEndpoints.Map(app);
        TraceEndpoints.Map(app);
        WebUiEndpoints.Map(app);
        ModelEndpoints.Map(app);
        OperationEndpoints.Map(app);
        McpSite.Map(app);
        ApiDocument.Map(app);
        ScalarPage.Map(app);
        StudioSite.Map(app);
        var queue = app.Services.GetRequiredService<JobQueue>();
        app.Lifetime.ApplicationStopping.Register(queue.Close);
        return app;
    }

    private static void Services(IServiceCollection services, ServerOptions options)
    {
        services.AddSingleton(options).AddSingleton(TimeProvider.System).AddSingleton<ServerMetrics>();
        services.AddSingleton<KeyCheck>().AddSingleton<RateLimits>().AddSingleton<RemoteImages>().AddSingleton<Uploads>();
        services.AddSingleton<ModelPool>().AddHostedService(provider => provider.GetRequiredService<ModelPool>());
        services.AddSingleton<JobRunner>().AddSingleton<JobQueue>().AddHostedService(provider => provider.GetRequiredService<JobQueue>());
        services.AddSingleton<FileStore>().AddSingleton<ImageJobs>().AddSingleton<ImageAnswers>();
        services.AddSingleton<ImageEndpoints>().AddSingleton<EmbeddingEndpoints>().AddSingleton<ChatEndpoints>();
        services.AddSingleton<JobEndpoints>().AddSingleton<ClipEndpoints>().AddSingleton<SearchEndpoints>();
        services.AddSingleton<WebUiJobs>().AddSingleton<WebUiEndpoints>();
        McpSite.Add(services);
        ApiDocument.Add(services);
        StudioSite.Add(services);
    }

    private static void Listen(KestrelServerOptions kestrel, ServerOptions options)
    {
        kestrel.AddServerHeader = false;
        kestrel.Limits.MaxRequestBodySize = options.MaxBodyBytes;
        kestrel.Limits.MaxRequestHeadersTotalSize = 32 * 1024;
        kestrel.Limits.RequestHeadersTimeout = TimeSpan.FromSeconds(15);
        if (options.Host == "*") kestrel.ListenAnyIP(options.Port);
        else if (options.Host == "localhost" && options.Port != 0) kestrel.ListenLocalhost(options.Port);
        else kestrel.Listen(options.Host == "localhost" ? System.Net.IPAddress.Loopback : System.Net.IPAddress.Parse(options.Host),
            options.Port);
    }
}
