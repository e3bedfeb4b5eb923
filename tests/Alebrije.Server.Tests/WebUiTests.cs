using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Alebrije.Preprocessing.Imaging;

namespace Alebrije.Server.Tests;

/// <summary>The subset of AUTOMATIC1111's interface.</summary>
[Collection("server")]
public sealed class WebUiTests(ServerFixture server)
{
    private static readonly string Image = Convert.ToBase64String(ServerFixture.Png());

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Txt2Img_AnswersInItsShape_AndPngInfoReadsTheRecipe()
    {
        var (status, body, answer) = await server.PostAsync("/sdapi/v1/txt2img",
            "{\"prompt\":\"a lion\",\"negative_prompt\":\"a tree\",\"seed\":7,\"steps\":2,\"cfg_scale\":2,\"width\":128,\"height\":128,"
            + "\"batch_size\":2,\"restore_faces\":false,\"sampler_name\":\"No such sampler\"}");
        Assert.Equal(HttpStatusCode.OK, status);
        Assert.Equal(["images", "parameters", "info"], body.EnumerateObject().Select(field => field.Name));
        Assert.Equal("restore_faces, sampler_name", Assert.Single(answer.Headers.GetValues("X-Ignored-Fields")));
        Assert.Equal(2, body.GetProperty("images").GetArrayLength());
        var info = JsonDocument.Parse(body.GetProperty("info").GetString()!).RootElement;
        Assert.Equal([7ul, 8ul], info.GetProperty("all_seeds").EnumerateArray().Select(seed => seed.GetUInt64()));
        Assert.Equal((2, 128, 128), (info.GetProperty("steps").GetInt32(), info.GetProperty("width").GetInt32(),
            info.GetProperty("height").GetInt32()));
        Assert.Equal(JsonValueKind.Null, info.GetProperty("sd_vae_name").ValueKind);
        Assert.Equal(2, body.GetProperty("parameters").GetProperty("steps").GetInt32());

        var (_, read, _) = await server.PostAsync("/sdapi/v1/png-info",
            $"{{\"image\":\"data:image/png;base64,{body.GetProperty("images")[1].GetString()}\"}}");
        Assert.Equal(info.GetProperty("infotexts")[1].GetString(), read.GetProperty("info").GetString());
        var parameters = read.GetProperty("parameters");
        Assert.Equal(("a lion", "a tree", "2", "8"), (parameters.GetProperty("Prompt").GetString(),
            parameters.GetProperty("Negative prompt").GetString(), parameters.GetProperty("Steps").GetString(),
            parameters.GetProperty("Seed").GetString()));
        Assert.True(read.GetProperty("items").TryGetProperty("alebrije", out _));

        var (_, drawn, _) = await server.PostAsync("/v1/images/generations", "{\"prompt\":\"a lion\",\"negative_prompt\":\"a tree\","
            + "\"seed\":8,\"num_inference_steps\":2,\"guidance_scale\":2,\"size\":\"128x128\"}");
        // The rows of a batch may round otherwise.
        var pixels = Pixels(drawn.GetProperty("data")[0].GetProperty("b64_json")).Zip(Pixels(body.GetProperty("images")[1])).ToArray();
        Assert.All(pixels, pair => Assert.InRange(pair.First - pair.Second, -2, 2));
    }

    [Fact]
    public async Task Img2Img_VariesMixesAndInpaints()
    {
        var mask = Convert.ToBase64String(ServerFixture.Mask());
        foreach (var further in new[] { "", "\"prompt\":\"a lion\",", $"\"prompt\":\"a lion\",\"mask\":\"{mask}\"," })
        {
            var (status, body, answer) = await server.PostAsync("/sdapi/v1/img2img",
                $"{{\"init_images\":[\"{Image}\"],{further}\"steps\":1,\"seed\":3,\"width\":128,\"height\":128,"
                + "\"denoising_strength\":0.5}");
            Assert.Equal(HttpStatusCode.OK, status);
            Assert.Equal(128, PillowImage.FromBytes(body.GetProperty("images")[0].GetBytesFromBase64()).Width);
            Assert.Contains("denoising_strength", Assert.Single(answer.Headers.GetValues("X-Ignored-Fields")), StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData(false, 255)]
    [InlineData(true, 0)]
    public void Mask_IsBrightWhereTheClientPainted(bool isInverted, byte expected)
    {
        var painted = new RgbImage(1, 1, [255, 255, 255]);
        Assert.Equal(expected, WebUi.WebUiRequest.MaskOf(painted.ToPillow(), isInverted).Pixels[0]);
    }

    [Fact]
    public async Task Interrupt_StopsTheClientsOwnRequest_AndProgressFollowsIt()
    {
        var (app, _, client) = await ServerFixture.StartAsync(new ServerOptions { Port = 0, LongestPlainSeconds = 1e6 });
        await using var owned = app;
        using var disposed = client;
        var idle = await client.GetFromJsonAsync<JsonElement>("/sdapi/v1/progress", Stop);
        Assert.Equal(0, idle.GetProperty("progress").GetDouble());
        Assert.Equal(["progress", "eta_relative", "state", "current_image", "textinfo"],
            idle.EnumerateObject().Select(field => field.Name));
        var pending = ServerFixture.PostAsync(client, "/sdapi/v1/txt2img",
            "{\"prompt\":\"a lion\",\"steps\":250,\"width\":128,\"height\":128}");
        while (true)
        {
            var progress = await client.GetFromJsonAsync<JsonElement>("/sdapi/v1/progress", Stop);
            if (progress.GetProperty("state").GetProperty("sampling_steps").GetInt32() == 250) break;
            Assert.False(pending.IsCompleted);
            await Task.Delay(50, Stop);
        }

        using var stranger = new HttpRequestMessage(HttpMethod.Post, "/sdapi/v1/interrupt");
        stranger.Headers.Add("Authorization", "Bearer another");
        Assert.Equal(HttpStatusCode.OK, (await client.SendAsync(stranger, Stop)).StatusCode);
        Assert.False(pending.IsCompleted);
        Assert.Equal("{}", await (await client.PostAsync("/sdapi/v1/interrupt", null, Stop)).Content.ReadAsStringAsync(Stop));
        var (status, body, _) = await pending;
        Assert.Equal(HttpStatusCode.OK, status);
        Assert.True(body.GetProperty("images").GetArrayLength() <= 1);
    }

    [Fact]
    public async Task Key_IsTakenAsPassword()
    {
        var (app, _, client) = await ServerFixture.StartAsync(new ServerOptions { Port = 0, Keys = ["a-long-key"] });
        await using var owned = app;
        using var disposed = client;
        foreach (var (password, status) in new[] { ("a-long-key", 200), ("a-long-kez", 401) })
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, "/sdapi/v1/sd-models");
            request.Headers.Add("Authorization", $"Basic {Convert.ToBase64String(Encoding.UTF8.GetBytes($"any:{password}"))}");
            Assert.Equal(status, (int)(await client.SendAsync(request, Stop)).StatusCode);
        }
    }

    private static byte[] Pixels(JsonElement image) => PillowImage.FromBytes(image.GetBytesFromBase64()).Pixels;
}
