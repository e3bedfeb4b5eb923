using Alebrije.Catalog;
using Alebrije.Tensors;
using Alebrije.Tests.Pipelines;
using Microsoft.AspNetCore.Builder;

namespace Alebrije.Server.Tests;

/// <summary>
/// One browser, and a service that lists more than the default model: a second one that draws and has a CLIP, one that only draws, and a
/// tiny Flamingo.
/// </summary>
public sealed class StudioBrowser : IAsyncLifetime
{
    /// <summary>Condition of a page whose connection is up.</summary>
    internal const string Ready = "document.documentElement.dataset.ready === 'true'";

    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-studio-").FullName;
    private WebApplication? app;
    private Chromium? page;

    public Uri Url { get; private set; } = null!;

    /// <summary>Folder of the Flamingo.</summary>
    public string Flamingo => Path.Combine(folder, "tiny-flamingo");

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    /// <summary>The page of the first visitor; the first call starts the service and the browser.</summary>
    internal async Task<Chromium> PageAsync()
    {
        if (Chromium.Path is null) Assert.Skip("No Chromium is installed.");
        if (page is not null) return page;
        TorchRuntime.Initialize();
        FlamingoFiles.Write(Flamingo, FlamingoFiles.NeoX);
        Directory.CreateSymbolicLink(Path.Combine(folder, "mini-two"), Path.Combine(AppContext.BaseDirectory, "models", "mini"));
        Directory.CreateDirectory(Path.Combine(folder, "only-draws"));
        await File.WriteAllTextAsync(Path.Combine(folder, "only-draws", "model_index.json"), """{ "_class_name": "IFPipeline" }""");
        var before = Environment.GetEnvironmentVariable(ModelCatalog.Variable);
        Environment.SetEnvironmentVariable(ModelCatalog.Variable, folder);
        (app, Url, var client) = await ServerFixture.StartAsync(new ServerOptions { Port = 0 });
        client.Dispose();
        Environment.SetEnvironmentVariable(ModelCatalog.Variable, before);
        return page = await Chromium.StartAsync(1280, 900);
    }

    public async ValueTask DisposeAsync()
    {
        if (page is not null) await page.DisposeAsync();
        if (app is not null)
        {
            await app.StopAsync();
            await app.DisposeAsync();
        }

        Directory.Delete(folder, recursive: true);
    }
}
