using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Alebrije.Preprocessing.Imaging;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Hosting;

namespace Alebrije.Server.Tests;

/// <summary>One service on a free port for the tests that need no options of their own.</summary>
public sealed class ServerFixture : IAsyncLifetime
{
    /// <summary>Fields that make images cheap.</summary>
    public const string Cheap = "\"num_inference_steps\":1,\"prior\":\"linear\"";

    private WebApplication? app;

    public Uri Url { get; private set; } = null!;

    public HttpClient Client { get; private set; } = null!;

    public static byte[] Png(int side = 64, byte red = 200) => Image(side, red).ToPng();

    public static RgbImage Image(int side = 64, byte red = 200) =>
        new(side, side, [.. Enumerable.Range(0, side * side).SelectMany(i => new byte[] { red, (byte)(i % 251), 60 })]);

    /// <summary>A PNG whose middle is transparent.</summary>
    public static byte[] Mask(int side = 64)
    {
        var bitmap = new SkiaSharp.SKBitmap(side, side, SkiaSharp.SKColorType.Rgba8888, SkiaSharp.SKAlphaType.Unpremul);
        for (var y = 0; y < side; y++)
            for (var x = 0; x < side; x++)
                bitmap.SetPixel(x, y, new SkiaSharp.SKColor(0, 0, 0, (byte)(x > side / 4 && x < 3 * side / 4 ? 0 : 255)));
        using var data = bitmap.Encode(SkiaSharp.SKEncodedImageFormat.Png, 100);
        return data.ToArray();
    }

    public async ValueTask InitializeAsync()
    {
        FewSteps();
        // A loaded machine's estimates refuse nothing.
        (app, Url, Client) = await StartAsync(new ServerOptions { Port = 0, LongestPlainSeconds = 600 });
    }

    /// <summary>Few steps by default in this program's copy of the model: clients' requests name none. The copy may be a hard
    /// link.</summary>
    private static void FewSteps()
    {
        var file = Path.Combine(AppContext.BaseDirectory, "models", "mini", "generation_config.json");
        var text = File.ReadAllText(file).Replace("\"steps\": 10", "\"steps\": 3", StringComparison.Ordinal)
            .Replace("\"prior_steps\": 25", "\"prior_steps\": 3", StringComparison.Ordinal);
        File.Delete(file);
        File.WriteAllText(file, text);
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await app!.StopAsync();
        await app.DisposeAsync();
    }

    public static async Task<(WebApplication App, Uri Url, HttpClient Client)> StartAsync(ServerOptions options)
    {
        var app = AlebrijeServer.Create(options);
        await app.StartAsync();
        var url = new Uri(app.Urls.First());
        return (app, url, new HttpClient { BaseAddress = url, Timeout = TimeSpan.FromMinutes(2) });
    }

    public Task<(HttpStatusCode Status, JsonElement Body, HttpResponseMessage Answer)> PostAsync(string path, string json) =>
        PostAsync(Client, path, json);

    public static async Task<(HttpStatusCode Status, JsonElement Body, HttpResponseMessage Answer)> PostAsync(
        HttpClient client, string path, string json)
    {
        using var content = new StringContent(json, System.Text.Encoding.UTF8, "application/json");
        var answer = await client.PostAsync(path, content);
        return (answer.StatusCode, await answer.Content.ReadFromJsonAsync<JsonElement>(), answer);
    }
}

/// <summary>Tests that share the service.</summary>
[CollectionDefinition("server")]
public sealed class SharedServer : ICollectionFixture<ServerFixture>, ICollectionFixture<StudioBrowser>;
