using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using ModelContextProtocol.AspNetCore;
using ModelContextProtocol.Protocol;

namespace Alebrije.Server.Mcp;

/// <summary><c>/mcp</c>: the Model Context Protocol over HTTP, without sessions, so that nothing is kept between requests.</summary>
internal static class McpSite
{
    public static void Add(IServiceCollection services) => services
        .AddMcpServer(server =>
        {
            server.ServerInfo = new Implementation
            {
                Name = "alebrije", Version = $"{typeof(McpSite).Assembly.GetName().Version}", Title = "Alebrije",
            };
            server.ServerInstructions = "Draws images of texts, describes images by labels and searches indexed images, on this machine.";
        })
        .WithHttpTransport(transport => transport.SessionMode = HttpServerSessionMode.Stateless)
        .WithTools<McpTools>();

    public static void Map(WebApplication app) => app.MapMcp("/mcp");
}
