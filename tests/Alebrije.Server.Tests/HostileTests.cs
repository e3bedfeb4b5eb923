using System.Buffers.Binary;
using System.Net;
using System.Text;

namespace Alebrije.Server.Tests;

/// <summary>Hostile requests: each is refused or answered, none with 500, and nothing is written outside the service's folders.</summary>
[Collection("server")]
public sealed class HostileTests(ServerFixture server)
{
    private static readonly string[] JsonPaths =
    [
        "/v1/images/generations", "/v1/embeddings", "/api/v1/jobs", "/api/v1/similarity", "/api/v1/classify", "/api/v1/pca",
        "/api/v1/tokenize", "/api/v1/search", "/v1/chat/completions", "/sdapi/v1/txt2img", "/sdapi/v1/img2img", "/sdapi/v1/png-info",
    ];

    private static readonly string[] FormPaths = ["/v1/images/variations", "/v1/images/edits"];

    [Fact]
    public async Task HostileRequests_AreNeverAnsweredWith500()
    {
        var (count, wrong) = (0, new List<string>());
        foreach (var request in JsonCases().Concat(NewerCases()).Concat(FormCases()).Concat(AddressCases()))
        {
            count++;
            using (request)
            {
                var name = $"{request.Method} {request.RequestUri} {(request.Content is StringContent text
                    ? (await text.ReadAsStringAsync(TestContext.Current.CancellationToken)) : "")}";
                var answer = await server.Client.SendAsync(request, TestContext.Current.CancellationToken);
                var body = await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
                var status = (int)answer.StatusCode;
                if (status is < 400 or 500 || status > 503 || body.Contains("   at ", StringComparison.Ordinal)
                    || body.Contains("<script", StringComparison.Ordinal)
                    || body.Contains("root:", StringComparison.Ordinal))
                    wrong.Add($"{status} {name[..Math.Min(200, name.Length)]}: {body[..Math.Min(300, body.Length)]}");
            }
        }

        Assert.True(count >= 300, $"only {count} cases");
        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
    }

    [Fact]
    public async Task HtmlInPrompt_IsEscaped_AndDrawnAsText()
    {
        var (status, body, answer) = await server.PostAsync("/api/v1/tokenize", "{\"text\":\"<script>alert(1)</script>\"}");
        Assert.Equal(HttpStatusCode.OK, status);
        Assert.DoesNotContain("<script", await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken),
            StringComparison.Ordinal);
        Assert.True(body.GetProperty("ids").GetArrayLength() > 3);
        Assert.Contains("default-src 'none'", Assert.Single(answer.Headers.GetValues("Content-Security-Policy")), StringComparison.Ordinal);
        Assert.Equal("nosniff", Assert.Single(answer.Headers.GetValues("X-Content-Type-Options")));
    }

    [Fact]
    public async Task PrivateAddresses_AreNotFetched()
    {
        foreach (var address in new[] { "127.0.0.1", "10.1.2.3", "172.20.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
            "::1",
            "fe80::1", "fc00::1", "::ffff:127.0.0.1", "224.0.0.1", "198.18.0.1" })
            Assert.False(Requests.RemoteImages.IsPublic(IPAddress.Parse(address)), address);
        Assert.True(Requests.RemoteImages.IsPublic(IPAddress.Parse("93.184.216.34")));
        using var remote = new Requests.RemoteImages(new ServerOptions { FetchHosts = ["localhost"] });
        var error = await Assert.ThrowsAsync<ApiException>(() =>
            remote.FetchAsync($"http://localhost:{server.Url.Port}/alive", "image", TestContext.Current.CancellationToken));
        Assert.Equal("invalid_image_url", error.Code);
    }

    private static IEnumerable<HttpRequestMessage> JsonCases()
    {
        string[] bodies =
        [
            "", "{", "[]", "null", "1", "\"x\"", "{\"prompt\"}", "{\"prompt\":null}", "{\"prompt\":\"\"}", "{\"prompt\":\"   \"}",
            "{\"prompt\":1}",
            "{\"prompt\":[]}", "{\"prompt\":{}}", "{\"prompt\":true}", "\u0000", "{\"prompt\":\"a\",\"prompt\":\"b\"}",
            new string('[', 5000), "{\"a\":" + new string('{', 100),
            "{\"input\":[]}", "{\"input\":{}}", "{\"input\":[[]]}", "{\"input\":[null]}",
            "{\"input\":[[-1]]}", "{\"input\":[[99999999]]}", "{\"input\":[1.5]}", "{\"input\":[\"\"]}", "{\"input\":[{\"image\":\"x\"}]}",
            "{\"input\":[{\"image\":\"file:///etc/passwd\"}]}", "{\"input\":[{\"image\":\"http://169.254.169.254/\"}]}",
            "{\"input\":[{\"image\":\"/etc/passwd\"}]}", "{\"input\":\"a\",\"model\":\"../../etc\"}",
            "{\"images\":[\"../x\"],\"texts\":[\"a\"],\"labels\":[\"a\"]}",
            "{\"images\":[],\"texts\":[],\"labels\":[]}", "{\"images\":[1]}",
            "{\"images\":[\"http://localhost:1/\"],\"texts\":[\"a\"],\"labels\":[\"a\"]}",
            "{\"texts\":[\"a\"]}", "{\"text\":\"\"}", "{\"text\":5}",
            "{\"text\":\"a\",\"model\":\"/etc/passwd\",\"prompt\":\"a\",\"input\":\"a\"}",
        ];
        foreach (var path in JsonPaths)
        {
            // The web UI's interface names its model in override_settings.
            foreach (var body in bodies.Where(body => !path.StartsWith("/sdapi", StringComparison.Ordinal)
                || !body.Contains("\"model\"", StringComparison.Ordinal))) yield return Json(path, body);
            yield return new HttpRequestMessage(HttpMethod.Post, path) { Content = new StringContent(
                "{\"prompt\":\"a\"}", Encoding.UTF8, "text/plain") };
            yield return new HttpRequestMessage(HttpMethod.Post, path) { Content = new ByteArrayContent([0xff, 0xfe, 0]) };
        }

        string[] fields =
        [
            "\"n\":0", "\"n\":11", "\"n\":-1", "\"n\":1.5", "\"n\":1e308", "\"n\":\"2\"", "\"size\":\"1x1\"", "\"size\":\"0x0\"",
            "\"size\":\"99999x99999\"",
            "\"size\":\"256\"", "\"size\":\"-256x256\"", "\"size\":5", "\"size\":\"16x2048\"", "\"num_inference_steps\":0",
            "\"num_inference_steps\":100000",
            "\"guidance_scale\":-1", "\"guidance_scale\":1e9", "\"seed\":-2", "\"seed\":1.5", "\"seed\":\"x\"", "\"seed\":1e400",
            "\"seed\":99999999999999999999999", "\"prior\":\"x\"", "\"prior_steps\":1", "\"prior_steps\":100000", "\"quality\":\"ultra\"",
            "\"response_format\":\"file\"", "\"output_format\":\"exe\"", "\"output_compression\":101", "\"partial_images\":9",
            "\"stream\":\"yes\"",
            "\"background\":\"transparent\"", "\"model\":\"../mini\"", "\"model\":\"/etc/passwd\"", "\"model\":\"..\\\\mini\"",
            "\"model\":\"mini\\u0000\"",
            "\"model\":\"http://x/y\"", "\"model\":\"a/b/c\"", "\"model\":\"<script>alert(1)</script>\"", "\"model\":7",
            "\"scheduler\":\"<b>\"",
            "\"eta\":2", "\"keep_alive\":-5", "\"strict\":true,\"x\":1", "\"negative_prompt\":[1]",
            "\"depth_map\":\"/etc/passwd\",\"strict\":true",
            $"\"negative_prompt\":\"{new string('x', 40_000)}\"",
        ];
        foreach (var field in fields)
        {
            yield return Json("/v1/images/generations", $"{{\"prompt\":\"a\",{field}}}");
            if (!field.Contains("stream", StringComparison.Ordinal)) yield return Json("/api/v1/jobs", $"{{\"prompt\":\"a\",{field}}}");
        }
    }

    private static IEnumerable<HttpRequestMessage> NewerCases()
    {
        string[] chats =
        [
            "[{\"role\":\"user\",\"content\":\"\\ud800\"}]", "[{\"role\":\"\\udfff\",\"content\":\"a\"}]",
            "[]", "{}", "\"a\"", "[1]", "[{}]", "[{\"role\":\"user\"}]", "[{\"role\":7,\"content\":\"a\"}]",
            "[{\"role\":\"tool\",\"content\":\"a\"}]", "[{\"role\":\"user\",\"content\":5}]",
            "[{\"role\":\"user\",\"content\":[{\"type\":\"input_audio\"}]}]", "[{\"role\":\"user\",\"content\":[7]}]",
            Picture("http://169.254.169.254/latest"), Picture("file:///etc/passwd"), Picture("data:image/png,x"), Picture("/etc/passwd"),
            Picture("data:image/png;base64,AAAA"), "[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":1}]}]",
            $"[{{\"role\":\"user\",\"content\":\"{new string('x', 40_000)}\"}}]",
            $"[{string.Join(',', Enumerable.Repeat("{\"role\":\"user\",\"content\":\"a\"}", 65))}]",
        ];
        foreach (var messages in chats) yield return Json("/v1/chat/completions", $"{{\"messages\":{messages}}}");
        foreach (var path in JsonPaths) yield return Json(path, "{\"prompt\":\"\\ud800\",\"text\":\"\\ud800\",\"input\":\"\\ud800\"}");
        string[] sampling =
        [
            "\"n\":2", "\"max_tokens\":0", "\"max_tokens\":1e9", "\"temperature\":-1", "\"temperature\":\"x\"", "\"top_p\":0",
            "\"stream\":1",
            "\"stream_options\":7", "\"model\":\"../../etc\"", "\"model\":\"mini\"", "\"tools\":[],\"strict\":true",
        ];
        foreach (var field in sampling)
            yield return Json("/v1/chat/completions", $"{{\"messages\":[{{\"role\":\"user\",\"content\":\"a\"}}],{field}}}");
        string[] searches =
        [
            "\"top\":0", "\"top\":1000000", "\"text\":[]", "\"image\":\"/etc/passwd\"", "\"image\":\"http://10.0.0.1/\"",
            "\"minus\":[\"a\"]",
            "\"plus\":[{}]", "\"plus\":[{\"text\":\"a\",\"weight\":0}]", "\"plus\":[{\"text\":\"a\",\"weight\":1e9}]", "\"plus\":[[[]]]",
            "\"plus\":[{\"image\":\"../../etc/passwd\"}]", "\"false_alarm_rate\":2", "\"text\":\"a\",\"thumbnails\":\"x\"",
            "\"text\":\"a\",\"model\":\"/etc/passwd\"", "\"text\":\"a\",\"minus\":[\"a\"],\"x\":1,\"strict\":true",
            $"\"plus\":[{string.Join(',', Enumerable.Repeat("\"a\"", 17))}]", $"\"text\":\"{new string('x', 3000)}\"",
        ];
        foreach (var field in searches) yield return Json("/api/v1/search", $"{{{field}}}");
        string[] drawings =
        [
            "\"steps\":0", "\"steps\":100000", "\"width\":1", "\"width\":99999", "\"width\":16,\"height\":2048", "\"batch_size\":0",
            "\"batch_size\":5,\"n_iter\":5", "\"cfg_scale\":-1", "\"cfg_scale\":1e9", "\"seed\":1.5", "\"send_images\":\"x\"",
            "\"override_settings\":7", "\"override_settings\":{\"sd_model_checkpoint\":\"../mini\"}", "\"sampler_name\":{}",
            "\"override_settings\":{\"sd_model_checkpoint\":[]}",
        ];
        var image = Convert.ToBase64String(ServerFixture.Png());
        foreach (var field in drawings)
        {
            yield return Json("/sdapi/v1/txt2img", $"{{\"prompt\":\"a\",{field}}}");
            yield return Json("/sdapi/v1/img2img", $"{{\"prompt\":\"a\",\"init_images\":[\"{image}\"],{field}}}");
        }

        foreach (var field in new[] { "\"mask\":\"x\"", "\"mask\":7", "\"inpainting_mask_invert\":5" })
            yield return Json("/sdapi/v1/img2img", $"{{\"prompt\":\"a\",\"init_images\":[\"{image}\"],\"mask\":\"{image}\",{field}}}");
        foreach (var given in new[] { "/etc/passwd", "http://127.0.0.1/", "AAAA", "data:image/png;base64,AAAA", "file:///etc/passwd" })
        {
            yield return Json("/sdapi/v1/png-info", $"{{\"image\":\"{given}\"}}");
            yield return Json("/sdapi/v1/img2img", $"{{\"prompt\":\"a\",\"init_images\":[\"{given}\"]}}");
        }

        foreach (var body in new[] { "", "{", "[]", "null", "{\"jsonrpc\":\"1.0\"}", "{\"method\":5}", new string('[', 5000) })
        {
            var request = Json("/mcp", body);
            request.Headers.TryAddWithoutValidation("Accept", "application/json, text/event-stream");
            yield return request;
        }

        static string Picture(string url) =>
            $"[{{\"role\":\"user\",\"content\":[{{\"type\":\"image_url\",\"image_url\":{{\"url\":\"{url}\"}}}}]}}]";
    }

    private static IEnumerable<HttpRequestMessage> FormCases()
    {
        byte[] bomb = [.. ServerFixture.Png()], tiny = [.. ServerFixture.Png()];
        BinaryPrimitives.WriteUInt32BigEndian(bomb.AsSpan(16), 100_000);
        BinaryPrimitives.WriteUInt32BigEndian(bomb.AsSpan(20), 100_000);
        BinaryPrimitives.WriteUInt32BigEndian(tiny.AsSpan(16), 0);
        byte[][] files =
        [
            [], [1], "<svg onload=alert(1)>"u8.ToArray(), "GIF89a"u8.ToArray(), "%PDF-1.4"u8.ToArray(), "BM"u8.ToArray(), bomb, tiny,
            ServerFixture.Png()[..40], [0xff, 0xd8, 0xff, 0xe0], "RIFF\0\0\0\0WEBPVP8 "u8.ToArray(), new RgbRow().Png, new byte[4096],
            [.. "GIF89a"u8, 0xff, 0xff, 0xff, 0xff, 0, 0, 0],
            [.. "BM"u8, .. new byte[12], 40, 0, 0, 0, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff, 0x7f],
        ];
        foreach (var path in FormPaths)
        {
            foreach (var file in files) yield return Form(path, ("image", file, "a.png"));
            yield return Form(path);
            yield return Form(path, ("picture", ServerFixture.Png(), "a.png"));
            yield return Form(path, ("image", bomb, "../../../tmp/owned.png"));
            yield return Form(path, ("image", bomb, "<script>.png"));
            yield return new HttpRequestMessage(HttpMethod.Post, path) { Content = new StringContent(
                "{}", Encoding.UTF8, "application/json") };
            yield return Broken(path, "--B\r\nContent-Disposition: form-data; name=image; filename=a\r\n\r\nx");
            yield return Broken(path, "");
            yield return Broken(path, "--B\r\n\r\n\r\n--B--\r\n");
            yield return Broken(path, string.Concat(Enumerable.Range(0, 100).Select(i =>
                $"--B\r\nContent-Disposition: form-data; name=f{i}\r\n\r\n1\r\n")) + "--B--\r\n");
        }
    }

    private static IEnumerable<HttpRequestMessage> AddressCases()
    {
        string[] paths =
        [
            "/etc/passwd", "/../../etc/passwd", "/v1/models/..%2f..%2fetc%2fpasswd", "/v1/models/nothing", "/v1/images/files/x.png",
            "/v1/images/files/..%2f..%2fetc%2fpasswd", "/api/v1/jobs/../x", "/api/v1/jobs/00", "/api/v1/jobs/00/events",
            "/api/v1/jobs/00/images/0",
            "/api/v1/jobs/00/images/-1", "/%00", "/v1/%2e%2e/etc/", "/v1/models/%3Cscript%3E", "/wp-admin.php", "/v1/images/generations",
            "/api/v1/trace/00", "/api/v1/trace/..%2f..%2fetc%2fpasswd", "/sdapi/v1/txt2img", "/sdapi/v1/nothing", "/v1/chat/completions",
            "/openapi/..%2fv1.json", "/openapi/v9.json", "/mcp/..%2fx",
        ];
        foreach (var path in paths)
        {
            yield return new HttpRequestMessage(HttpMethod.Get, path);
            yield return new HttpRequestMessage(HttpMethod.Delete, path);
            yield return new HttpRequestMessage(HttpMethod.Put, path) { Content = new StringContent("x") };
        }

        yield return new HttpRequestMessage(HttpMethod.Delete, "/api/v1/models/loaded/..%2fmini");
        yield return new HttpRequestMessage(HttpMethod.Delete, "/api/v1/models/loaded/nothing");
    }

    private static HttpRequestMessage Json(string path, string body) =>
        new(HttpMethod.Post, path) { Content = new StringContent(body, Encoding.UTF8, "application/json") };

    private static HttpRequestMessage Broken(string path, string body)
    {
        var content = new ByteArrayContent(Encoding.UTF8.GetBytes(body));
        content.Headers.TryAddWithoutValidation("Content-Type", "multipart/form-data; boundary=B");
        return new HttpRequestMessage(HttpMethod.Post, path) { Content = content };
    }

    private static HttpRequestMessage Form(string path, params (string Field, byte[] Bytes, string Name)[] files)
    {
        var form = new MultipartFormDataContent { { new StringContent("a lion"), "prompt" } };
        foreach (var (field, bytes, name) in files) form.Add(new ByteArrayContent(bytes), field, name);
        return new HttpRequestMessage(HttpMethod.Post, path) { Content = form };
    }

    /// <summary>An image too narrow to be cut square.</summary>
    private sealed class RgbRow
    {
        public byte[] Png { get; } = new Preprocessing.Imaging.RgbImage(2000, 1).ToPng();
    }
}
