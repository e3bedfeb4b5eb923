using System.Diagnostics;
using Alebrije.Catalog;

namespace Alebrije.Tests.Catalog;

/// <summary>Hubs that answer slowly, or ask to wait: each pull ends in a time that can be set.</summary>
public sealed class SlowHubTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-slow-hub-").FullName;
    private readonly HubServer server = new();

    public SlowHubTests()
    {
        server.Files["config.json"] = """{"architectures":["CLIPModel"]}"""u8.ToArray();
        server.Files["model.safetensors"] = new byte[100_000];
        server.Files["vocab.json"] = "{}"u8.ToArray();
        server.Files["merges.txt"] = "#version\n"u8.ToArray();
    }

    private HubSettings Settings => new()
    {
        Cache = Path.Combine(folder, "hub"), Endpoint = new Uri(server.Address), Attempts = 2, StallTimeout = TimeSpan.FromSeconds(0.5),
        Backoff = TimeSpan.FromMilliseconds(5), LongestBackoff = TimeSpan.FromMilliseconds(50), LeastRate = 1000,
    };

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        server.Dispose();
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public async Task Files_ThatDrip_AreGivenUp_AndTheirPartIsKept()
    {
        server.Before = request => IsWeights(request)
            ? HubServer.File(request, server.Files["model.safetensors"]) with { Drips = TimeSpan.FromMilliseconds(20) } : null;
        var clock = Stopwatch.StartNew();
        var error = await Refusal(Settings);
        Assert.Contains("bytes a second came for 0.5 s", error, StringComparison.Ordinal);
        Assert.Contains("2 times in a row; the fetched part is kept", error, StringComparison.Ordinal);
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(10), $"{clock.Elapsed}");
    }

    [Fact]
    public async Task Files_ThatDrip_AreFetchedWhereAnyRateIsAllowed()
    {
        server.Files["merges.txt"] = new byte[60];
        server.Before = request => request.Path.EndsWith("/merges.txt", StringComparison.Ordinal)
            ? HubServer.File(request, server.Files["merges.txt"]) with { Drips = TimeSpan.FromMilliseconds(20) } : null;
        using var hub = new ModelHub(Settings with { LeastRate = 0 });
        var plan = await hub.PlanAsync("owner/model", cancellation: Cancellation);
        Assert.True(await hub.PullAsync(plan, cancellation: Cancellation) > 100_000);
    }

    [Fact]
    public async Task Lists_ThatDrip_EndAtTheLimitOfListing()
    {
        server.Before = request => request.Path.StartsWith("/api/", StringComparison.Ordinal)
            ? new HubAnswer(200, new byte[10_000]) { Drips = TimeSpan.FromMilliseconds(10) } : null;
        var clock = Stopwatch.StartNew();
        Assert.Equal("127.0.0.1 has not listed the files of owner/model within 1 s; nothing was fetched. Try again later, or set "
            + "ALEBRIJE_HUB_LISTING_LIMIT to more seconds.",
            await Refusal(Settings with { LeastRate = 0, ListingLimit = TimeSpan.FromSeconds(1) }));
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(10), $"{clock.Elapsed}");
    }

    [Fact]
    public async Task Hubs_ThatAskToWait_AreGivenUpAtTheLimitOfRetries()
    {
        server.Before = request => IsWeights(request) ? new HubAnswer(429, []) { Headers = { ["Retry-After"] = "3600" } } : null;
        var clock = Stopwatch.StartNew();
        var error = await Refusal(Settings with
        {
            Attempts = 1000, LongestBackoff = TimeSpan.FromSeconds(0.3), RetryLimit = TimeSpan.FromSeconds(1),
        });
        Assert.Contains("too many requests (429); retries may wait 1 s together", error, StringComparison.Ordinal);
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(10), $"{clock.Elapsed}");
    }

    [Fact]
    public void Limits_ComeFromTheEnvironment()
    {
        var variables = new Dictionary<string, string>
        {
            ["HF_HUB_DOWNLOAD_TIMEOUT"] = "7", ["ALEBRIJE_HUB_LEAST_RATE"] = "0", ["ALEBRIJE_HUB_LISTING_LIMIT"] = "2.5",
            ["ALEBRIJE_HUB_RETRY_LIMIT"] = "90",
        };
        var settings = HubSettings.From(variables.GetValueOrDefault, folder);
        Assert.Equal((7, 0, 2.5, 90), (settings.StallTimeout.TotalSeconds, settings.LeastRate, settings.ListingLimit.TotalSeconds,
            settings.RetryLimit.TotalSeconds));
        variables["ALEBRIJE_HUB_RETRY_LIMIT"] = "soon";
        Assert.Equal("ALEBRIJE_HUB_RETRY_LIMIT is 'soon'; a number from 0.1 to 1000000 is needed.",
            Assert.Throws<HubException>(() => HubSettings.From(variables.GetValueOrDefault, folder)).Message);
    }

    private static bool IsWeights(HubRequest request) => request.Path.EndsWith("/model.safetensors", StringComparison.Ordinal);

    private static async Task<string> Refusal(HubSettings settings)
    {
        using var hub = new ModelHub(settings);
        return (await Assert.ThrowsAsync<HubException>(async () =>
            await hub.PullAsync(await hub.PlanAsync("owner/model", cancellation: Cancellation), cancellation: Cancellation))).Message;
    }
}
