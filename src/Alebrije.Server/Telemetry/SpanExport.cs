using System.Reflection;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace Alebrije.Server.Telemetry;

/// <summary>
/// Export of the spans over OTLP, by OpenTelemetry's standard variables: nothing is sent unless <c>OTEL_EXPORTER_OTLP_ENDPOINT</c> or
/// <c>OTEL_EXPORTER_OTLP_TRACES_ENDPOINT</c> names a collector. <c>OTEL_EXPORTER_OTLP_PROTOCOL</c>, <c>_HEADERS</c> and
/// <c>OTEL_SERVICE_NAME</c> count too.
/// </summary>
internal static class SpanExport
{
    private static readonly string[] Endpoints = ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"];

    /// <summary>Adds the export where a collector is named.</summary>
    public static void Add(IServiceCollection services, IConfiguration configuration)
    {
        if (!Endpoints.Any(name => configuration[name] is { Length: > 0 })) return;
        var version = typeof(SpanExport).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion;
        // Later attributes win: the variables over the default name.
        services.AddOpenTelemetry()
            .ConfigureResource(resource => resource.AddService("alebrije", serviceVersion: version).AddEnvironmentVariableDetector())
            .WithTracing(tracing => tracing.AddSource(ServerMetrics.Source.Name).AddOtlpExporter());
    }
}
