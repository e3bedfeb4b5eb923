using System.Globalization;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;

namespace Alebrije.Server.Tests;

/// <summary>Requests of real clients, byte for byte over a socket.</summary>
[Collection("server")]
public sealed class CaptureTests(ServerFixture server)
{
    private static string Folder => Path.Combine(AppContext.BaseDirectory, "Fixtures", "captures");

    public static TheoryData<string> Names => [.. Directory.GetFiles(Folder, "*.txt").Select(
        file => Path.GetFileNameWithoutExtension(file))];

    [Theory]
    [MemberData(nameof(Names))]
    public async Task Capture_IsAnswered(string name)
    {
        var request = Bytes(await File.ReadAllTextAsync(Path.Combine(Folder, name + ".txt"), TestContext.Current.CancellationToken));
        using var client = new TcpClient();
        await client.ConnectAsync("127.0.0.1", server.Url.Port, TestContext.Current.CancellationToken);
        await client.GetStream().WriteAsync(request, TestContext.Current.CancellationToken);
        using var reader = new StreamReader(client.GetStream(), Encoding.UTF8);
        var answer = await reader.ReadToEndAsync(TestContext.Current.CancellationToken);
        Assert.True(answer.StartsWith("HTTP/1.1 200 OK", StringComparison.Ordinal), $"{name}: {answer[..Math.Min(800, answer.Length)]}");
        if (name.Contains("streamed", StringComparison.Ordinal))
        {
            Assert.Contains("Content-Type: text/event-stream", answer, StringComparison.Ordinal);
            Assert.Contains(name.Contains("edit", StringComparison.Ordinal)
                ? "event: image_edit.completed" : "event: image_generation.completed",
                answer, StringComparison.Ordinal);
            Assert.Contains(".partial_image\"", answer, StringComparison.Ordinal);
            return;
        }

        using var json = JsonDocument.Parse(Json(answer));
        var data = json.RootElement.GetProperty("data");
        if (name.EndsWith("models", StringComparison.Ordinal)) Assert.Contains(data.EnumerateArray(), model =>
            model.GetProperty("id").GetString() == "mini" && model.GetProperty("object").GetString() == "model");
        else if (name.Contains("embed", StringComparison.Ordinal)) CheckEmbeddings(name, data);
        else CheckImages(name, data);
    }

    private static void CheckEmbeddings(string name, JsonElement data)
    {
        Assert.Equal(name.Contains("many", StringComparison.Ordinal)
            || name.EndsWith("meai-embed", StringComparison.Ordinal) ? 2 : 1, data.GetArrayLength());
        foreach (var value in data.EnumerateArray().Select(item => item.GetProperty("embedding")))
        {
            var numbers = name.EndsWith("float", StringComparison.Ordinal)
                ? [.. value.EnumerateArray().Select(number => number.GetSingle())]
                : System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(value.GetBytesFromBase64()).ToArray();
            Assert.Equal(name.Contains("many", StringComparison.Ordinal) ? 2 : 256, numbers.Length);
            Assert.Equal(1, Math.Sqrt(numbers.Sum(x => (double)x * x)), 1e-4);
        }
    }

    private static void CheckImages(string name, JsonElement data)
    {
        var two = name.EndsWith("options", StringComparison.Ordinal) || name.Contains("variation", StringComparison.Ordinal)
            || name.EndsWith("edits-2-file", StringComparison.Ordinal);
        Assert.Equal(two ? 2 : 1, data.GetArrayLength());
        foreach (var item in data.EnumerateArray())
        {
            var image = Preprocessing.Imaging.PillowImage.FromBytes(item.GetProperty("b64_json").GetBytesFromBase64());
            var side = name.EndsWith("options", StringComparison.Ordinal) || name.Contains("variation", StringComparison.Ordinal)
                || name.EndsWith("-edit", StringComparison.Ordinal) || name.EndsWith("meai-generate", StringComparison.Ordinal) ? 256 : 128;
            Assert.Equal((side, side), (image.Width, image.Height));
        }
    }

    /// <summary>The body, its chunks joined.</summary>
    private static string Json(string answer)
    {
        var body = answer[(answer.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4)..];
        if (!answer.Contains("Transfer-Encoding: chunked", StringComparison.OrdinalIgnoreCase)) return body;
        var (text, bytes, at) = (new MemoryStream(), Encoding.UTF8.GetBytes(body), 0);
        while (true)
        {
            var end = Array.IndexOf(bytes, (byte)'\n', at);
            var size = int.Parse(Encoding.ASCII.GetString(bytes, at, end - at).Trim(), NumberStyles.HexNumber,
                CultureInfo.InvariantCulture);
            if (size == 0) return Encoding.UTF8.GetString(text.ToArray());
            text.Write(bytes, end + 1, size);
            at = end + 1 + size + 2;
        }
    }

    /// <summary>The captured request with an image, a true length or chunks, and a closing connection.</summary>
    private byte[] Bytes(string capture)
    {
        var lines = capture.Replace("\r\n", "\n", StringComparison.Ordinal);
        var split = lines.IndexOf("\n\n", StringComparison.Ordinal);
        var (head, text) = (lines[..split], lines[(split + 2)..].TrimEnd('\n'));
        var body = Body(text, head.Contains("multipart", StringComparison.Ordinal));
        var chunked = head.Contains("transfer-encoding: chunked", StringComparison.OrdinalIgnoreCase);
        var headers = head.Split('\n').Where(line => !line.StartsWith("content-length:", StringComparison.OrdinalIgnoreCase)
                && !line.StartsWith("connection:", StringComparison.OrdinalIgnoreCase))
            .Select(line => line.Replace("HOST", $"127.0.0.1:{server.Url.Port}", StringComparison.Ordinal)).ToList();
        headers.Add("Connection: close");
        if (!chunked && body.Length > 0) headers.Add($"Content-Length: {body.Length}");
        var request = new MemoryStream();
        request.Write(Encoding.UTF8.GetBytes(string.Join("\r\n", headers) + "\r\n\r\n"));
        if (!chunked) request.Write(body);
        else foreach (var part in body.Chunk(500).Append([]))
        {
            request.Write(Encoding.ASCII.GetBytes($"{part.Length:x}\r\n"));
            request.Write(part);
            request.Write("\r\n"u8);
        }

        return request.ToArray();
    }

    private static byte[] Body(string text, bool isForm)
    {
        if (!isForm) return Encoding.UTF8.GetBytes(text);
        var (body, isMask) = (new MemoryStream(), false);
        foreach (var line in text.Split('\n'))
        {
            if (line.StartsWith("Content-Disposition", StringComparison.Ordinal))
                isMask = line.Contains("name=mask", StringComparison.Ordinal) || line.Contains("name=\"mask\"", StringComparison.Ordinal);
            body.Write(!line.EndsWith("bytes of PNG>", StringComparison.Ordinal) ? Encoding.UTF8.GetBytes(line)
                : isMask ? ServerFixture.Mask() : ServerFixture.Png());
            body.Write("\r\n"u8);
        }

        return body.ToArray();
    }
}
