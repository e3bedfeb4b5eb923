using System.ClientModel;
using System.ClientModel.Primitives;
using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Text;
using Alebrije.Pipelines;
using Alebrije.Server;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Hosting;
using OpenAI;
using static System.FormattableString;

namespace Alebrije.Benchmarks;

/// <summary>
/// The service under load, with its clients in the same process:
/// <c>serve-load [--seconds N] [--clients N] [--generations N] [--tiny N] [--stream SECONDS]</c>.
/// Each part with 0 is left out. Fails where a request is answered otherwise than it should be.
/// </summary>
internal static class ServerLoad
{
    public const string Usage = "the service under load: serve-load [--seconds N] [--clients N] [--generations N] [--tiny N] "
        + "[--stream SECONDS], 10 s, 200, 50, 10000 and 150 s by default";

    private const int Queue = 8, BatchOfFour = 4, Rounds = 3, Turns = 4, FirstTiny = 100;
    private const double MostGrowth = 0.05;

    public static int Run(string[] options)
    {
        var sizes = new Dictionary<string, int>(StringComparer.Ordinal)
        {
            ["--seconds"] = 10, ["--clients"] = 200, ["--generations"] = 50, ["--tiny"] = 10_000, ["--stream"] = 150,
        };
        for (var i = 0; i < options.Length; i += 2)
        {
            if (i + 1 == options.Length || !sizes.ContainsKey(options[i])
                || !int.TryParse(options[i + 1], NumberStyles.None, CultureInfo.InvariantCulture, out var size))
            {
                Console.Error.WriteLine(Usage);
                return 2;
            }

            sizes[options[i]] = size;
        }

        return RunAsync(sizes).GetAwaiter().GetResult() ? 0 : 1;
    }

    private static async Task<bool> RunAsync(Dictionary<string, int> sizes)
    {
        var right = true;
        if (sizes["--seconds"] > 0 && sizes["--clients"] > 0)
            right &= await EmbedAsync(sizes["--clients"], TimeSpan.FromSeconds(sizes["--seconds"])).ConfigureAwait(false);
        if (sizes["--generations"] > 0)
        {
            right &= await FillQueueAsync(sizes["--generations"]).ConfigureAwait(false);
            await BatchAsync().ConfigureAwait(false);
        }

        if (sizes["--stream"] > 0) right &= await StreamAsync(sizes["--stream"]).ConfigureAwait(false);
        return sizes["--tiny"] == 0 ? right : right & await TinyAsync(sizes["--tiny"]).ConfigureAwait(false);
    }

    /// <summary>A stream of OpenAI's .NET client that waits behind other jobs for a time, with its own default time limit.</summary>
    private static async Task<bool> StreamAsync(int seconds)
    {
        await using var app = await StartAsync(512).ConfigureAwait(false);
        using var client = Client(app);
        client.Timeout = TimeSpan.FromSeconds(10 * seconds);
        var begin = Stopwatch.GetTimestamp();
        await PostAsync(client, "/v1/images/generations", Long(0)).ConfigureAwait(false);
        var jobs = (int)Math.Ceiling(seconds / Stopwatch.GetElapsedTime(begin).TotalSeconds) + 1;
        var others = Task.WhenAll(Enumerable.Range(1, jobs).Select(i => PostAsync(client, "/v1/images/generations", Long(i))));
        await Task.Delay(TimeSpan.FromSeconds(1)).ConfigureAwait(false);

        var options = new OpenAIClientOptions { Endpoint = new Uri(client.BaseAddress!, "/v1") };
        var images = new OpenAIClient(new ApiKeyCredential("any-key"), options).GetImageClient("mini");
        using var body = BinaryContent.Create(BinaryData.FromString("{\"prompt\":\"a lion\",\"stream\":true,\"partial_images\":1}"));
        var clock = Stopwatch.StartNew();
        var answer = await images.GenerateImagesAsync(body, new RequestOptions { BufferResponse = false }).ConfigureAwait(false);
        var (pings, events) = (0, new List<string>());
        using var lines = new StreamReader(answer.GetRawResponse().ContentStream!);
        while (await lines.ReadLineAsync().ConfigureAwait(false) is { } line)
        {
            if (line.StartsWith(": ping", StringComparison.Ordinal)) pings++;
            if (line.StartsWith("event: ", StringComparison.Ordinal)) events.Add(line["event: ".Length..]);
        }

        var took = clock.Elapsed.TotalSeconds;
        await others.ConfigureAwait(false);
        Console.WriteLine(Invariant($"a stream of OpenAI's .NET client behind {jobs} jobs: {took:0} s, {pings} pings, ")
            + string.Join(", ", events));
        return took >= seconds && events is [.., "image_generation.completed"];

        static string Long(int number) => string.Create(CultureInfo.InvariantCulture,
            $"{{\"prompt\":\"a lion {number}\",\"n\":10,\"num_inference_steps\":{100 + number},\"prior\":\"linear\"}}");
    }

    /// <summary>Clients of the service and batches of the library in turns, so that both meet the same load of other programs.</summary>
    private static async Task<bool> EmbedAsync(int clients, TimeSpan time)
    {
        await using var app = await StartAsync(512).ConfigureAwait(false);
        using var client = Client(app);
        await PostAsync(client, "/v1/embeddings", "{\"input\":\"warm\"}").ConfigureAwait(false);
        using var model = ClipModel.Load(Model);
        model.EmbedTexts(Texts(0));
        var answers = new ConcurrentBag<(HttpStatusCode Status, double Seconds)>();
        var (served, library, embedded, next) = (new Stopwatch(), new Stopwatch(), 0, new int[clients]);
        for (var turn = 1; turn <= Turns; turn++)
        {
            served.Start();
            await Task.WhenAll(Enumerable.Range(0, clients).Select(number => AskAsync(number, turn * time / Turns))).ConfigureAwait(false);
            served.Stop();

            // The same texts: those of more tokens take longer.
            library.Start();
            for (var i = 0; library.Elapsed < turn * time / Turns; i = (i + 1) % Math.Max(1, next.Min()))
                embedded += model.EmbedTexts(Texts(i)).Length;
            library.Stop();
        }

        var (each, batch) = (answers.Count / served.Elapsed.TotalSeconds, embedded / library.Elapsed.TotalSeconds);
        var errors = answers.Count(answer => answer.Status != HttpStatusCode.OK);
        double[] waits = [.. answers.Select(answer => answer.Seconds).Order()];
        Console.WriteLine(Invariant(
            $"{clients} embedding clients for {time.TotalSeconds:0} s: {answers.Count} answers, {errors} errors, {each:0} a second"));
        Console.WriteLine(Invariant(
            $"  median {1000 * waits[waits.Length / 2]:0} ms, 99 % within {1000 * waits[(int)(waits.Length * 0.99)]:0} ms"));
        Console.WriteLine(Invariant(
            $"  library in batches of {clients}, in turns with them: {batch:0} a second; ratio {each / batch:0.00}"));
        return errors == 0;

        async Task AskAsync(int number, TimeSpan end)
        {
            for (; served.Elapsed < end; next[number]++)
            {
                // Base64, as OpenAI's clients request it.
                var begin = Stopwatch.GetTimestamp();
                var (status, _) = await PostAsync(client, "/v1/embeddings",
                    $"{{\"input\":\"{Text(number, next[number])}\",\"encoding_format\":\"base64\"}}").ConfigureAwait(false);
                answers.Add((status, Stopwatch.GetElapsedTime(begin).TotalSeconds));
            }
        }

        static string Text(int client, int number) => string.Create(CultureInfo.InvariantCulture, $"a lion {client} {number}");

        string[] Texts(int number) => [.. Enumerable.Range(0, clients).Select(client => Text(client, number))];
    }

    private static async Task<bool> FillQueueAsync(int count)
    {
        await using var app = await StartAsync(Queue).ConfigureAwait(false);
        using var client = Client(app);
        var answers = await Task.WhenAll(Enumerable.Range(0, count).Select(i => PostAsync(client, "/v1/images/generations",
            Generation($"a lion {i}", 128, i % 2 == 0 ? 2 : 3)))).ConfigureAwait(false);
        var wrong = answers.Count(answer => !(answer.Status == HttpStatusCode.OK
            || (answer.Status is HttpStatusCode.TooManyRequests or HttpStatusCode.ServiceUnavailable && answer.RetryAfter)));
        Console.WriteLine($"{count} generations at once on a queue of {Queue}: "
            + string.Join(", ", answers.GroupBy(answer => (int)answer.Status).OrderBy(group => group.Key)
                .Select(group => $"{group.Count()} x {group.Key}{(group.All(answer => answer.RetryAfter) ? " with Retry-After" : "")}"))
            + $"; {wrong} otherwise");
        return wrong == 0;
    }

    /// <summary>Jobs that wait behind another one are drawn in one batch: their time from its end on.</summary>
    private static async Task BatchAsync()
    {
        await using var app = await StartAsync(64).ConfigureAwait(false);
        using var client = Client(app);
        var (one, four) = (new List<double>(), new List<double>());
        for (var round = 0; round <= Rounds; round++)
        {
            var (single, several) = (await BehindAsync(client, 1, round).ConfigureAwait(false),
                await BehindAsync(client, BatchOfFour, round).ConfigureAwait(false));
            if (round == 0) continue;
            one.Add(single);
            four.Add(several);
        }

        var (least, most) = (one.Order().ElementAt(Rounds / 2), four.Order().ElementAt(Rounds / 2));
        Console.WriteLine(Invariant($"{BatchOfFour} equal generations in one batch: {most:0.00} s, one alone: {least:0.00} s"));
        Console.WriteLine(Invariant($"  ratio {most / least:0.00} (medians of {Rounds})"));
    }

    private static async Task<double> BehindAsync(HttpClient client, int count, int round)
    {
        var before = PostAsync(client, "/v1/images/generations", Generation($"before {count} {round}", 128, 3));
        await Task.Delay(50).ConfigureAwait(false);
        var waiting = Task.WhenAll(Enumerable.Range(0, count).Select(i => PostAsync(client, "/v1/images/generations",
            Generation($"a lion {count} {round} {i}", 128, 10))));
        await before.ConfigureAwait(false);
        var clock = Stopwatch.StartNew();
        var answers = await waiting.ConfigureAwait(false);
        if (answers.FirstOrDefault(answer => answer.Status != HttpStatusCode.OK) is { Status: not 0 } refused)
            throw new InvalidOperationException($"A generation was answered {(int)refused.Status}.");
        return clock.Elapsed.TotalSeconds;
    }

    /// <summary>Memory of the service after many generations of a small random model, against that after the first hundred.</summary>
    private static async Task<bool> TinyAsync(int count)
    {
        var small = Path.Combine(Tests.Repository.Root, "tests", "Alebrije.Tests", "Fixtures", "stable-unclip-euler", "model");
        await using var app = await StartAsync(64, small).ConfigureAwait(false);
        using var client = Client(app);
        var (clock, early, errors) = (Stopwatch.StartNew(), 0L, 0);
        for (var i = 1; i <= count; i++)
        {
            var (status, _) = await PostAsync(client, "/v1/images/generations",
                $"{{\"prompt\":\"a lion {i}\",\"num_inference_steps\":2,\"prior_steps\":2}}").ConfigureAwait(false);
            if (status != HttpStatusCode.OK) errors++;
            if (i != Math.Min(FirstTiny, count) && i % 1000 != 0) continue;
            var now = Generations.Resident();
            if (early == 0) early = now;
            Console.WriteLine(Invariant($"{i,6} generations  {now / 1048576.0,8:0.0} MiB"));
        }

        var late = Generations.Resident();
        var growth = ((double)late / early) - 1;
        Console.WriteLine(Invariant($"{count} tiny generations in {clock.Elapsed.TotalSeconds:0} s: {errors} errors"));
        Console.WriteLine(Invariant(
            $"  {early / 1048576.0:0} MiB after {Math.Min(FirstTiny, count)}, {late / 1048576.0:0} MiB at the end: {100 * growth:0.0} %"));
        return errors == 0 && growth <= MostGrowth;
    }

    private static string Model => Path.Combine(Tests.Repository.Root, "models", "mini");

    private static string Generation(string prompt, int side, int steps) => string.Create(CultureInfo.InvariantCulture,
        $"{{\"prompt\":\"{prompt}\",\"size\":\"{side}x{side}\",\"num_inference_steps\":{steps},\"prior\":\"linear\"}}");

    private static async Task<WebApplication> StartAsync(int queue, string? model = null)
    {
        var app = AlebrijeServer.Create(new ServerOptions { Port = 0, Model = model ?? Model, QueueLength = queue, RatePerMinute = 0,
            LongestPlainSeconds = 1e6 });
        await app.StartAsync().ConfigureAwait(false);
        return app;
    }

    private static HttpClient Client(WebApplication app) =>
        new() { BaseAddress = new Uri(app.Urls.First()), Timeout = TimeSpan.FromMinutes(5) };

    private static async Task<(HttpStatusCode Status, bool RetryAfter)> PostAsync(HttpClient client, string path, string json)
    {
        using var content = new StringContent(json, Encoding.UTF8, "application/json");
        using var answer = await client.PostAsync(new Uri(path, UriKind.Relative), content).ConfigureAwait(false);
        await answer.Content.ReadAsByteArrayAsync().ConfigureAwait(false);
        return (answer.StatusCode, answer.Headers.RetryAfter?.Delta is not null);
    }
}
