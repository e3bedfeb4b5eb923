using System.Diagnostics;
using System.Text;
using System.Text.Json.Nodes;
using Alebrije.Catalog;
using Alebrije.Weights;

namespace Alebrije.Tests.Catalog;

/// <summary>Downloads from a correct and from a faulty hub.</summary>
public sealed class ModelHubTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-hub-").FullName;
    private readonly HubServer server = new();
    private readonly byte[] weights = new byte[3_000_000];

    public ModelHubTests()
    {
        new Random(7).NextBytes(weights);
        server.Files["config.json"] = """{"architectures":["CLIPModel"]}"""u8.ToArray();
        server.Files["model.safetensors"] = weights;
        server.Files["pytorch_model.bin"] = new byte[10];
        server.Files["tf_model.h5"] = new byte[10];
        server.Files["vocab.json"] = "{}"u8.ToArray();
        server.Files["merges.txt"] = "#version\n"u8.ToArray();
        server.Files["README.md"] = "---\nlicense: mit\n---\n# A model\n"u8.ToArray();
    }

    private HubSettings Settings => new()
    {
        Cache = Path.Combine(folder, "hub"), Endpoint = new Uri(server.Address),
        StallTimeout = TimeSpan.FromSeconds(20), Backoff = TimeSpan.FromMilliseconds(5), Attempts = 3,
        LongestBackoff = TimeSpan.FromMilliseconds(50),
    };

    private HubSettings Impatient => Settings with { StallTimeout = TimeSpan.FromSeconds(0.5) };

    private string Repository => Path.Combine(folder, "hub", "models--owner--model");
    private string Blob => Path.Combine(Repository, "blobs", HubServer.Sha256(weights));
    private string Partial => Blob + ".incomplete";
    private IEnumerable<HubRequest> WeightRequests =>
        server.Requests.Where(request => request.Path.EndsWith("/model.safetensors", StringComparison.Ordinal));

    public void Dispose()
    {
        server.Dispose();
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public async Task Pull_WritesTheCacheThatOtherToolsRead()
    {
        var (plan, fetched) = await Pull();

        var snapshot = Path.Combine(Repository, "snapshots", HubServer.Commit);
        Assert.Equal(snapshot, plan.Folder);
        Assert.Equal(HubServer.Commit, await File.ReadAllTextAsync(Path.Combine(Repository, "refs", "main"), Cancellation));
        string[] needed = ["README.md", "config.json", "merges.txt", "model.safetensors", "vocab.json"];
        Assert.Equal(needed, Directory.EnumerateFiles(snapshot).Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal));
        Assert.Equal(needed.Select(name => HubServer.Blob(name, server.Files[name])).Order(),
            Directory.EnumerateFiles(Path.Combine(Repository, "blobs")).Select(path => Path.GetFileName(path)).Order());
        Assert.All(needed, name => Assert.Equal(server.Files[name], File.ReadAllBytes(Path.Combine(snapshot, name))));
        if (!OperatingSystem.IsWindows())
            Assert.Equal($"../../blobs/{HubServer.Sha256(weights)}", new FileInfo(Path.Combine(snapshot, "model.safetensors")).LinkTarget);
        Assert.Equal(needed.Sum(name => server.Files[name].Length), fetched);
        Assert.Equal("mit", plan.Repositories[0].Licence);
    }

    [Fact]
    public async Task WhatIsWhole_CostsNoRequest_AndIsFoundByItsName()
    {
        await Pull();
        var before = server.Requests.Count;
        var (plan, fetched) = await Pull(Settings with { Offline = true });

        Assert.Equal((0L, before), (fetched, server.Requests.Count));
        Assert.Equal((plan.Bytes, 0L, "mit"),
            (plan.Repositories[0].Files.Sum(file => file.Present), plan.BytesToFetch, plan.Repositories[0].Licence));
        var catalog = new ModelCatalog([], new HubCache(Settings.Cache));
        Assert.Equal(plan.Folder, catalog.Find("owner/model"));
        Assert.Equal(("owner/model", plan.Bytes), Assert.Single(catalog.List().Select(model => (model.Name, model.Bytes))));
        Assert.Equal("owner/model", CheckpointFolder.NameOf(plan.Folder));
    }

    [Fact]
    public async Task WhatIsNotWhole_IsNotFound_AndTheWayOutIsSaid()
    {
        var catalog = new ModelCatalog([], new HubCache(Settings.Cache));
        Assert.Equal("owner/model is not on this disk; 'alebrije models pull owner/model' fetches it.",
            Assert.Throws<CheckpointNotFoundException>(() => catalog.Find("owner/model")).Message);
        var (plan, _) = await Pull();
        File.Delete(Path.Combine(plan.Folder, "model.safetensors"));

        Assert.Equal("owner/model is incomplete on this disk; 'alebrije models pull owner/model' fetches it.",
            Assert.Throws<CheckpointNotFoundException>(() => catalog.Find("owner/model")).Message);
        Assert.Empty(catalog.List());
        Assert.Equal(0, (await Pull()).Fetched);
        Assert.Equal(plan.Folder, catalog.Find("owner/model"));
    }

    [Fact]
    public async Task Refresh_AsksForANewerRevision_AndSharesWhatIsTheSame()
    {
        await Pull();
        server.Sha = new string('b', 40);
        server.Files["merges.txt"] = "#version 2\n"u8.ToArray();
        Assert.Equal(HubServer.Commit, (await Pull()).Plan.Repositories[0].Commit);

        var (plan, fetched) = await Pull(options: new PullOptions { Refresh = true });

        Assert.Equal((server.Sha, (long)server.Files["merges.txt"].Length), (plan.Repositories[0].Commit, fetched));
        Assert.Equal(server.Sha, new HubCache(Settings.Cache).CommitOf(HubRepository.TryParse("owner/model")!.Value, "main"));
    }

    [Fact]
    public async Task Cut_GoesOnFromThereInTheSameRun()
    {
        server.Before = request => IsWeights(request) && request.From == 0 ? new HubAnswer(200, weights) { CutAfter = 1_200_000 } : null;
        await Pull();
        Assert.Equal([0, 1_200_000], WeightRequests.Select(request => request.From));
    }

    [Fact]
    public async Task Stop_KeepsWhatIsThere_AndTheNextRunGoesOn()
    {
        using var stop = new CancellationTokenSource();
        using (var hub = new ModelHub(Settings))
        {
            var plan = await hub.PlanAsync("owner/model", cancellation: Cancellation);
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => hub.PullAsync(plan, progress =>
            {
                if (progress.File == "model.safetensors" && progress.Present > 500_000) stop.Cancel();
            }, stop.Token));
        }

        var kept = new FileInfo(Partial).Length;
        Assert.InRange(kept, 1, weights.Length - 1);
        Assert.False(Directory.Exists(Path.Combine(Repository, "snapshots")));
        var (_, fetched) = await Pull();
        Assert.Equal(kept, WeightRequests.Last().From);
        Assert.InRange(fetched, weights.Length - kept, weights.Length - kept + 1000);
        Assert.Equal(weights, await File.ReadAllBytesAsync(Blob, Cancellation));
        Assert.False(File.Exists(Partial));
    }

    [Fact]
    public async Task ServerWithoutRanges_BeginsAnew()
    {
        Begin(1_000_000);
        server.Before = request => IsWeights(request) ? new HubAnswer(200, weights) : null;
        await Pull();
        Assert.Equal(weights, await File.ReadAllBytesAsync(Blob, Cancellation));
    }

    [Theory]
    [InlineData(416)]
    [InlineData(206)]
    public async Task AnotherPartThanWasAskedFor_BeginsAnew(int status)
    {
        Begin(1_000_000);
        server.Before = request => !IsWeights(request) || request.From == 0 ? null
            : status == 416 ? HubAnswer.Error(416) : new HubAnswer(206,
                weights) { Headers = { ["Content-Range"] = $"bytes 0-{weights.Length - 1}/{weights.Length}" } };
        await Pull();
        Assert.Equal([1_000_000, 0], WeightRequests.Select(request => request.From));
    }

    [Fact]
    public async Task WrongPartOfAnEarlierRun_IsNoticedByTheHash_AndFetchedOnceMore()
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Partial)!);
        await File.WriteAllBytesAsync(Partial, new byte[1_000_000], Cancellation);
        await Pull();
        Assert.Equal([1_000_000, 0], WeightRequests.Select(request => request.From));
        Assert.Equal(weights, await File.ReadAllBytesAsync(Blob, Cancellation));
    }

    [Fact]
    public async Task Stall_IsTriedAgain_AndGivenUpInTime()
    {
        server.Before = request => IsWeights(request) ? HubServer.File(request, weights) with { CutAfter = 1000, Stalls = true } : null;
        var watch = Stopwatch.StartNew();
        Assert.Contains("nothing came for 0.5 s, 3 times in a row; the fetched part is kept",
            await Refusal(Impatient), StringComparison.Ordinal);
        Assert.InRange(watch.Elapsed.TotalSeconds, 1, 15);
        Assert.Equal(3000, new FileInfo(Partial).Length);
    }

    [Fact]
    public async Task StallBeforeTheAnswer_IsTriedAgain()
    {
        var first = true;
        server.Before = request => !IsWeights(request)
            || !first ? null : new HubAnswer(200, weights) { CutAfter = 0, Stalls = !(first = false) };
        await Pull(Settings with { StallTimeout = TimeSpan.FromSeconds(2) });
        Assert.Equal(2, WeightRequests.Count());
    }

    [Theory]
    [InlineData(-1, "announces 2999999 bytes")]
    [InlineData(1, "announces 3000001 bytes")]
    public async Task LengthThatIsNotTheListed_IsRefused(int more, string said)
    {
        server.Before = request => IsWeights(request) ? new HubAnswer(200, weights) { Length = weights.Length + more } : null;
        Assert.Contains(said, await Refusal(), StringComparison.Ordinal);
        Assert.False(File.Exists(Partial));
    }

    [Fact]
    public async Task MoreThanListed_WithoutALength_IsRefusedAndDeleted()
    {
        server.Before = request => IsWeights(request) ? new HubAnswer(200, [.. weights, .. weights]) { Length = null } : null;
        Assert.Contains("sends more than the 3000000 bytes", await Refusal(), StringComparison.Ordinal);
        Assert.False(File.Exists(Partial));
    }

    [Fact]
    public async Task LessThanListed_WithoutALength_IsGivenUp()
    {
        server.Before = request => IsWeights(request) ? HubServer.File(request, weights) with { Length = null, CutAfter = 0 } : null;
        Assert.Contains("the connection ended after 0 of 3000000 bytes, 3 times in a row", await Refusal(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("model.safetensors")]
    [InlineData("vocab.json")]
    public async Task WrongBytes_AreDeleted_AndSaid(string name)
    {
        var wrong = server.Files[name].ToArray();
        wrong[^1] ^= 1;
        server.Before = request => request.Path.EndsWith("/" + name, StringComparison.Ordinal) ? HubServer.File(request, wrong) : null;
        Assert.StartsWith($"{name} of owner/model arrived with another hash than the hub lists, so it was deleted",
            await Refusal(), StringComparison.Ordinal);
        Assert.False(File.Exists(Path.Combine(Repository, "blobs", HubServer.Blob(name, server.Files[name]) + ".incomplete")));
        Assert.False(Directory.Exists(Path.Combine(Repository, "snapshots")));
    }

    [Fact]
    public async Task Redirect_ToAnotherHost_DoesNotCarryTheToken()
    {
        using var store = new HubServer();
        store.Before = request => HubServer.File(request, weights);
        server.Before = request => IsWeights(request) ? HubAnswer.Redirect(store.Address + "/blob?signature=1") : null;
        await Pull(Settings with { Token = "hf_secret" });
        Assert.All(server.Requests, request => Assert.Equal("Bearer hf_secret", request.Token));
        Assert.Null(Assert.Single(store.Requests).Token);
    }

    [Fact]
    public async Task Redirect_OfARenamedRepository_IsFollowed()
    {
        server.Before = request => request.Path.Contains("old/name", StringComparison.Ordinal)
            ? HubAnswer.Redirect(request.Path.Replace("old/name", "owner/model", StringComparison.Ordinal)) : null;
        using var hub = new ModelHub(Settings);
        var plan = await hub.PlanAsync("old/name", cancellation: Cancellation);
        await hub.PullAsync(plan, cancellation: Cancellation);
        Assert.Equal(weights, await File.ReadAllBytesAsync(Path.Combine(plan.Folder, "model.safetensors"), Cancellation));
    }

    [Fact]
    public async Task Redirect_InACircle_EndsInASentence()
    {
        server.Before = request => IsWeights(request) ? HubAnswer.Redirect(request.Path) : null;
        Assert.Equal("127.0.0.1 redirects in a circle.", await Refusal());
    }

    [Theory]
    [InlineData(401, null, null, "does not give owner/model without a token")]
    [InlineData(401, "GatedRepo", null, "accept it at {0}/owner/model, then make a token at {0}/settings/tokens and set HF_TOKEN to it")]
    [InlineData(403, "GatedRepo", "hf_mine", "the account of your token did not: accept it at {0}/owner/model")]
    [InlineData(401, null, "hf_mine", "does not accept the token")]
    [InlineData(403, null, "hf_mine", "forbids owner/model to the account of your token")]
    [InlineData(404, "RepoNotFound", null, "There is no model owner/model")]
    [InlineData(404, "RevisionNotFound", null, "has no revision 'main'")]
    [InlineData(418, null, null, "answered 418 to the request for the files of owner/model")]
    public async Task Refusals_SayTheWayOut(int status, string? code, string? token, string said)
    {
        server.Before = _ => HubAnswer.Error(status, code);
        var message = await Refusal(Settings with { Token = token });
        Assert.Contains(string.Format(System.Globalization.CultureInfo.InvariantCulture, said, server.Address),
            message, StringComparison.Ordinal);
        Assert.DoesNotContain("hf_mine", message, StringComparison.Ordinal);
        Assert.Single(server.Requests);
        Assert.False(Directory.Exists(Repository));
    }

    [Fact]
    public async Task Gated_WithAToken_IsFetched()
    {
        server.Before = request => request.Token == "Bearer hf_mine" ? null : HubAnswer.Error(401, "GatedRepo");
        Assert.Equal(weights.Length, (await Pull(Settings with { Token = "hf_mine" }))
            .Plan.Repositories[0].Files.Single(file => file.Path == "model.safetensors").Bytes);
    }

    [Theory]
    [InlineData(429)]
    [InlineData(503)]
    public async Task Overload_IsTriedAgain_NoLongerThanAllowed(int status)
    {
        var failures = 0;
        var heard = new List<string>();
        server.Before = request => IsWeights(request)
            && failures++ < 2 ? new HubAnswer(status, []) { Headers = { ["Retry-After"] = "3600" } } : null;
        using var hub = new ModelHub(Settings);
        await hub.PullAsync(await hub.PlanAsync("owner/model", cancellation: Cancellation),
            progress => heard.AddRange(progress.Note is { } note ? [note] : []), Cancellation);
        Assert.Equal(2, heard.Count);
        Assert.Contains(status.ToString(System.Globalization.CultureInfo.InvariantCulture), heard[0], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Offline_AsksNobody()
    {
        Assert.Contains("HF_HUB_OFFLINE is set", await Refusal(Settings with { Offline = true }), StringComparison.Ordinal);
        Assert.Empty(server.Requests);
    }

    [Fact]
    public async Task HubThatIsNotThere_IsSaid()
    {
        server.Dispose();
        var heard = new List<string>();
        using var hub = new ModelHub(Settings) { OnRetry = heard.Add };
        var said = (await Assert.ThrowsAsync<HubException>(() => hub.PlanAsync("owner/model", cancellation: Cancellation))).Message;
        Assert.EndsWith("cannot be reached (is the machine online?), 3 times in a row; nothing was fetched, try again later.",
            said, StringComparison.Ordinal);
        Assert.Equal(2, heard.Count);
        Assert.All(heard, line => Assert.Contains("; next try in 0", line, StringComparison.Ordinal));
    }

    [Fact]
    public async Task NameThatDoesNotResolve_IsSaidAtOnce()
    {
        var watch = Stopwatch.StartNew();
        var said = await Refusal(Settings with { Endpoint = new Uri("http://no-such-host.invalid"),
            Backoff = TimeSpan.FromSeconds(20), LongestBackoff = TimeSpan.FromSeconds(20) });
        Assert.Equal("Nothing was fetched: the name no-such-host.invalid is not known here (is the machine online?).", said);
        Assert.InRange(watch.Elapsed.TotalSeconds, 0, 15);
    }

    [Fact]
    public async Task FirstFileThatNeverBegins_KeepsNothing_LaterOnesKeepTheEarlier()
    {
        server.Before = request => request.Path.Contains("/resolve/", StringComparison.Ordinal)
            && !request.Path.EndsWith("/config.json", StringComparison.Ordinal) ? new HubAnswer(503, []) : null;
        Assert.EndsWith("3 times in a row; nothing was fetched, try again later.", await Refusal(), StringComparison.Ordinal);
        Directory.Delete(Path.Combine(folder, "hub"), recursive: true);
        server.Before = request => IsWeights(request) ? new HubAnswer(503, []) : null;
        Assert.EndsWith("the fetched part is kept, and the same command continues from there.", await Refusal(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("../../escape.json")]
    [InlineData("/etc/escape.json")]
    [InlineData("unet/../../../escape.json")]
    [InlineData("a\\..\\escape.json")]
    [InlineData("C:escape.json")]
    [InlineData("nul.json")]
    [InlineData("")]
    public async Task NameThatWouldLieOutside_RefusesTheWholeList(string name)
    {
        server.Files[name] = "{}"u8.ToArray();
        Assert.Contains("a name that no file may have here; nothing was fetched", await Refusal(), StringComparison.Ordinal);
        Assert.False(Directory.Exists(Path.Combine(folder, "hub")));
    }

    [Theory]
    [InlineData("""{"siblings":[]}""")]
    [InlineData("""{"sha":"../../../x","siblings":[]}""")]
    [InlineData("""[]""")]
    [InlineData("""<html>""")]
    public async Task ListThatIsNone_IsSaid(string answer)
    {
        server.Before = _ => new HubAnswer(200, Encoding.UTF8.GetBytes(answer));
        Assert.Contains("HF_ENDPOINT", await Refusal(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task ListWithoutHashes_TakesThemFromTheHeaders_AndFilesWithoutAreRefused()
    {
        server.OnList = list =>
        {
            foreach (var entry in list["siblings"]!.AsArray().OfType<JsonObject>())
                foreach (var key in new[] { "lfs", "blobId", "size" }) entry.Remove(key);
        };
        await Pull();
        Assert.Equal(weights, await File.ReadAllBytesAsync(Blob, Cancellation));
        Directory.Delete(Repository, recursive: true);
        server.Before = request => request.Method == "HEAD" ? new HubAnswer(200, weights) : null;
        Assert.Contains("does not report the size and hash", await Refusal(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task DiskThatIsTooSmall_IsSaidBeforeAnythingIsFetched()
    {
        Assert.Equal($"owner/model needs 3 MB more, and {Settings.Cache} has 5 MB free; "
            + $"make room, or set HF_HUB_CACHE to a folder on another disk.", await Refusal(Settings with { FreeBytes = _ => 5_000_000 }));
        Assert.Empty(WeightRequests);
    }

    [Fact]
    public async Task TwoProcesses_DoNotFetchTheSameFile()
    {
        var locks = Directory.CreateDirectory(Path.Combine(folder, "hub", ".locks", "models--owner--model")).FullName;
        await using var held = new FileStream(Path.Combine(locks, HubServer.Sha256(weights) + ".lock"),
            FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None);
        Assert.Equal("Another process is fetching model.safetensors of owner/model; wait for it, then try again.", await Refusal());
    }

    [Fact]
    public async Task Revision_WithASlash_IsAskedForAndKept()
    {
        await Pull(options: new PullOptions { Revision = "refs/pr/1" });
        Assert.EndsWith("/revision/refs%2Fpr%2F1?blobs=true", server.Requests.First().Path, StringComparison.Ordinal);
        Assert.Equal(HubServer.Commit, await File.ReadAllTextAsync(Path.Combine(Repository, "refs", "refs", "pr", "1"), Cancellation));
    }

    [Theory]
    [InlineData("clip-vit-b32", "did you mean clip-vit-b-32")]
    [InlineData("kandinski", "did you mean kandinsky-2.2")]
    [InlineData("qqqqqqqq", "'models list' shows the names")]
    [InlineData("a/b/c", "is neither a name")]
    public async Task NameThatIsNone_GetsTheNearest(string name, string said)
    {
        using var hub = new ModelHub(Settings);
        Assert.Contains(said, (await Assert.ThrowsAsync<HubException>(() => hub.PlanAsync(name, cancellation: Cancellation))).Message,
            StringComparison.Ordinal);
    }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private static bool IsWeights(HubRequest request) => request.Path.EndsWith("/model.safetensors", StringComparison.Ordinal);

    /// <summary>Creates the files of an interrupted run.</summary>
    private void Begin(int bytes)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Partial)!);
        File.WriteAllBytes(Partial, weights[..bytes]);
    }

    private async Task<(PullPlan Plan, long Fetched)> Pull(HubSettings? settings = null, PullOptions? options = null)
    {
        using var hub = new ModelHub(settings ?? Settings);
        var plan = await hub.PlanAsync("owner/model", options, Cancellation);
        return (plan, await hub.PullAsync(plan, cancellation: Cancellation));
    }

    private async Task<string> Refusal(HubSettings? settings = null) =>
        (await Assert.ThrowsAsync<HubException>(() => Pull(settings))).Message;
}
