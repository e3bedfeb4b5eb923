using System.Diagnostics;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Alebrije.Server.Tests;

/// <summary>A headless Chromium, driven by its own protocol over a WebSocket; no package and no Node.</summary>
internal sealed class Chromium : IAsyncDisposable
{
    private static readonly string[] Names = ["chromium", "chromium-browser", "google-chrome"];

    private readonly Process? process;
    private readonly string folder;
    private readonly ClientWebSocket socket = new();
    private readonly List<string> errors = [];
    private int sent;

    private Chromium(Process? process, string folder) => (this.process, this.folder) = (process, folder);

    /// <summary>Path of the installed browser; null where there is none.</summary>
    public static string? Path { get; } = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(System.IO.Path.PathSeparator)
        .SelectMany(each => Names.Select(name => System.IO.Path.Combine(each, name))).FirstOrDefault(File.Exists);

    /// <summary>Errors of the console and of the page, and refused resources.</summary>
    public IReadOnlyList<string> Errors => errors;

    /// <summary>Starts the browser with one empty page.</summary>
    public static async Task<Chromium> StartAsync(int width, int height, bool dark = false)
    {
        var folder = Directory.CreateTempSubdirectory("alebrije-chromium-").FullName;
        var start = new ProcessStartInfo(Path!)
        {
            RedirectStandardError = true, RedirectStandardOutput = true,
            ArgumentList =
            {
                "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                "--hide-scrollbars", "--remote-debugging-port=0",
                $"--user-data-dir={folder}", $"--window-size={width},{height}", "about:blank",
            },
        };
        var browser = new Chromium(Process.Start(start)!, folder);
        try
        {
            var port = await browser.PortAsync();
            using var client = new HttpClient();
            var pages = JsonNode.Parse(await client.GetStringAsync($"http://127.0.0.1:{port}/json"))!.AsArray();
            var page = pages.First(each => (string?)each!["type"] == "page")!;
            await browser.ConnectAsync((string)page["webSocketDebuggerUrl"]!);
            await browser.SizeAsync(width, height);
            if (dark) await browser.DarkAsync(true);
            return browser;
        }
        catch
        {
            await browser.DisposeAsync();
            throw;
        }
    }

    /// <summary>A page of another visitor in the same browser, with cookies and storage of its own.</summary>
    public async Task<Chromium> VisitorAsync(int width, int height)
    {
        var port = await PortAsync();
        using var client = new HttpClient();
        var version = JsonNode.Parse(await client.GetStringAsync($"http://127.0.0.1:{port}/json/version"))!;
        await using var whole = new Chromium(null, "");
        await whole.socket.ConnectAsync(new Uri((string)version["webSocketDebuggerUrl"]!), CancellationToken.None);
        var context = (string)(await whole.SendAsync("Target.createBrowserContext"))["browserContextId"]!;
        var target = (string)(await whole.SendAsync("Target.createTarget", new JsonObject
        {
            ["url"] = "about:blank", ["browserContextId"] = context,
        }))["targetId"]!;
        var page = new Chromium(null, "");
        await page.ConnectAsync($"ws://127.0.0.1:{port}/devtools/page/{target}");
        await page.SizeAsync(width, height);
        return page;
    }

    /// <summary>Sets the colour scheme that the page is asked for, without transitions between both.</summary>
    public Task DarkAsync(bool dark) => SendAsync("Emulation.setEmulatedMedia", new JsonObject
    {
        ["features"] = new JsonArray(
            new JsonObject { ["name"] = "prefers-color-scheme", ["value"] = dark ? "dark" : "light" },
            new JsonObject { ["name"] = "prefers-reduced-motion", ["value"] = "reduce" }),
    });

    /// <summary>Sets the size of the page in CSS pixels.</summary>
    public Task SizeAsync(int width, int height) => SendAsync("Emulation.setDeviceMetricsOverride", new JsonObject
    {
        ["width"] = width, ["height"] = height, ["deviceScaleFactor"] = 1, ["mobile"] = false,
    });

    /// <summary>Runs a script in every page before its own, outside its policy.</summary>
    public Task InjectAsync(string script) =>
        SendAsync("Page.addScriptToEvaluateOnNewDocument", new JsonObject { ["source"] = script });

    /// <summary>Opens an address and waits for a condition.</summary>
    public async Task OpenAsync(Uri address, string until)
    {
        await SendAsync("Page.navigate", new JsonObject { ["url"] = address.AbsoluteUri });
        await UntilAsync($"location.href.startsWith({JsonSerializer.Serialize(address.AbsoluteUri)}) && ({until})");
    }

    /// <summary>Waits until an expression of the page is true.</summary>
    public async Task UntilAsync(string expression, double seconds = 90)
    {
        var clock = Stopwatch.StartNew();
        while ((await EvaluateAsync($"!!({expression})"))?.GetValue<bool>() != true)
        {
            if (clock.Elapsed.TotalSeconds > seconds)
                throw new TimeoutException($"{expression} after {seconds} s; {string.Join('\n', errors)}");
            await Task.Delay(50);
        }
    }

    /// <summary>Value of an expression of the page.</summary>
    public async Task<JsonNode?> EvaluateAsync(string expression) => (await SendAsync("Runtime.evaluate", new JsonObject
    {
        ["expression"] = expression, ["returnByValue"] = true, ["awaitPromise"] = true,
    }))["result"]?["value"];

    /// <summary>PNG of the page in its whole height, at most a number of pixels.</summary>
    public async Task<byte[]> ScreenshotAsync(int most = 6000)
    {
        var (width, height) = ((await EvaluateAsync("innerWidth"))!.GetValue<int>(),
            (await EvaluateAsync("document.documentElement.scrollHeight"))!.GetValue<int>());
        var answer = await SendAsync("Page.captureScreenshot", new JsonObject
        {
            ["captureBeyondViewport"] = true,
            ["clip"] = new JsonObject { ["x"] = 0, ["y"] = 0, ["width"] = width, ["height"] = Math.Min(height, most), ["scale"] = 1 },
        });
        return Convert.FromBase64String((string)answer["data"]!);
    }

    public async ValueTask DisposeAsync()
    {
        socket.Dispose();
        if (process is null) return;
        if (!process.HasExited) process.Kill(entireProcessTree: true);
        await process.WaitForExitAsync();
        process.Dispose();
        try
        {
            Directory.Delete(folder, recursive: true);
        }
        catch (IOException)
        {
            // A file of the profile is still held; the system's cleaning removes it.
        }
    }

    private async Task ConnectAsync(string address)
    {
        await socket.ConnectAsync(new Uri(address), CancellationToken.None);
        foreach (var domain in new[] { "Page", "Runtime", "Log" }) await SendAsync($"{domain}.enable");
    }

    private async Task<int> PortAsync()
    {
        var file = System.IO.Path.Combine(folder, "DevToolsActivePort");
        for (var i = 0; i < 400; i++)
        {
            if (File.Exists(file) && (await File.ReadAllLinesAsync(file)) is [var port, ..]
                && int.TryParse(port, System.Globalization.CultureInfo.InvariantCulture, out var number)) return number;
            await Task.Delay(50);
        }

        throw new TimeoutException("Chromium names no port.");
    }

    /// <summary>Sends a command and reads until its answer; events on the way are looked at for errors.</summary>
    private async Task<JsonNode> SendAsync(string method, JsonObject? parameters = null)
    {
        var id = ++sent;
        var text = new JsonObject { ["id"] = id, ["method"] = method, ["params"] = parameters ?? [] }.ToJsonString();
        await socket.SendAsync(Encoding.UTF8.GetBytes(text), WebSocketMessageType.Text, true, CancellationToken.None);
        while (true)
        {
            var message = await ReceiveAsync();
            if (message["id"]?.GetValue<int>() == id)
                return message["result"] ?? throw new InvalidOperationException($"{method}: {message["error"]?.ToJsonString()}");
            Note(message);
        }
    }

    private void Note(JsonNode message)
    {
        var body = message["params"];
        var isError = (string?)message["method"] switch
        {
            "Runtime.exceptionThrown" => true,
            "Runtime.consoleAPICalled" => (string?)body!["type"] is "error" or "assert",
            "Log.entryAdded" => (string?)body!["entry"]!["level"] == "error",
            _ => false,
        };
        if (isError) errors.Add(body!.ToJsonString());
    }

    private async Task<JsonNode> ReceiveAsync()
    {
        using var bytes = new MemoryStream();
        var buffer = new byte[64 * 1024];
        while (true)
        {
            var part = await socket.ReceiveAsync(buffer, CancellationToken.None);
            bytes.Write(buffer, 0, part.Count);
            if (part.EndOfMessage) return JsonNode.Parse(bytes.ToArray())!;
        }
    }
}
