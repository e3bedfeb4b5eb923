using System.Net;
using System.Net.Http.Json;
using System.Text.Json;

namespace Alebrije.Server.Tests;

/// <summary>The chain of a job over HTTP.</summary>
[Collection("server")]
public sealed class TraceTests(ServerFixture server)
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task TracedJob_AnswersWithItsChain()
    {
        var (accepted, job, _) = await server.PostAsync("/api/v1/jobs",
            "{\"prompt\":\"a lion\",\"seed\":5,\"num_inference_steps\":3,\"prior_steps\":4,\"size\":\"128x128\",\"trace\":true}");
        Assert.Equal(HttpStatusCode.Accepted, accepted);
        var address = job.GetProperty("trace").GetString()!;
        await server.Client.GetStringAsync(job.GetProperty("events").GetString(), Stop);
        var trace = await server.Client.GetFromJsonAsync<JsonElement>($"{address}?values=true&images=true", Stop);
        var stages = trace.GetProperty("stages").EnumerateArray().ToDictionary(stage => stage.GetProperty("stage").GetString()!);
        Assert.Equal(["tokens", "text", "prior", "image", "decoder", "picture"], stages.Keys.Where(key => key != "guess"));
        Assert.Equal(stages["tokens"].GetProperty("tokens").GetArrayLength(), stages["tokens"].GetProperty("ids").GetArrayLength());
        var values = stages["text"].GetProperty("values").EnumerateArray().Select(value => value.GetDouble()).ToArray();
        Assert.Equal(Math.Sqrt(values.Sum(value => value * value)), stages["text"].GetProperty("norm").GetDouble(), 1e-3);
        var prior = stages["prior"];
        Assert.Equal(prior.GetProperty("shape")[0].GetInt32(), prior.GetProperty("cosine_to_text").GetArrayLength());
        Assert.Equal(1, prior.GetProperty("cosine_to_result").EnumerateArray().Last().GetDouble(), 1e-5);
        Assert.Equal(3, stages["decoder"].GetProperty("steps").GetArrayLength());
        Assert.StartsWith("data:image/png", stages["decoder"].GetProperty("steps")[0].GetProperty("image").GetString(),
            StringComparison.Ordinal);
        var small = await server.Client.GetFromJsonAsync<JsonElement>(address, Stop);
        Assert.All(small.GetProperty("stages").EnumerateArray(), stage => Assert.False(stage.TryGetProperty("values", out _)));
        Assert.Equal(HttpStatusCode.BadRequest, (await server.Client.GetAsync($"{address}?images=maybe", Stop)).StatusCode);
    }

    [Fact]
    public async Task UntracedJob_SaysHowToTrace()
    {
        var (_, job, _) = await server.PostAsync("/api/v1/jobs", $"{{\"prompt\":\"a\",\"size\":\"128x128\",{ServerFixture.Cheap}}}");
        var answer = await server.Client.GetAsync($"/api/v1/trace/{job.GetProperty("id").GetString()}", Stop);
        Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
        Assert.Contains("trace", await answer.Content.ReadAsStringAsync(Stop), StringComparison.Ordinal);
        var (refused, _, _) = await server.PostAsync("/api/v1/jobs", "{\"prompt\":\"a\",\"n\":2,\"trace\":true}");
        Assert.Equal(HttpStatusCode.BadRequest, refused);
    }
}
