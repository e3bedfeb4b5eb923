using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Orleans.Configuration;
using Orleans.Hosting;

namespace Alebrije.Cluster;

/// <summary>A client of a cluster: submits jobs, watches them and searches, and holds nothing itself.</summary>
public sealed class ClusterClient : IAsyncDisposable
{
    private readonly IHost host;

    private ClusterClient(IHost host) => this.host = host;

    /// <summary>Access to the cluster.</summary>
    public ClusterConnection Connection => new(host.Services.GetRequiredService<IClusterClient>());

    /// <summary>Connects to a cluster.</summary>
    /// <param name="settings">Store and name of the cluster.</param>
    /// <param name="cancellation">Stops the connection.</param>
    /// <exception cref="IOException">The store does not answer, or no node takes part.</exception>
    public static async Task<ClusterClient> ConnectAsync(ClusterSettings settings, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(settings);
        ArgumentException.ThrowIfNullOrEmpty(settings.Store);
        await ClusterNode.RequireStoreAsync(settings.Store);
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Services.AddSingleton<IHostLifetime, ClusterNode.CallersLifetime>();
        builder.UseOrleansClient(client =>
        {
            client.Configure<Orleans.Configuration.ClusterOptions>(options => options.ClusterId = options.ServiceId = settings.Name);
            client.AddAlebrije();
            client.UseRedisClustering(options => options.ConfigurationOptions = SiloSetup.Redis(settings.Store));
        });
        var host = builder.Build();
        try
        {
            await host.StartAsync(cancellation);
            return new ClusterClient(host);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            host.Dispose();
            throw new IOException($"No node of the cluster {settings.Name} answers; start one with "
                + $"`alebrije cluster join --store {settings.Store}`.", e);
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await host.StopAsync(CancellationToken.None);
        host.Dispose();
    }
}
