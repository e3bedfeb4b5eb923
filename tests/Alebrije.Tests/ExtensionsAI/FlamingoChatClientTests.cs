using Alebrije.Extensions.AI;
using Alebrije.Pipelines.Flamingo;
using Alebrije.Tests.Pipelines;
using Microsoft.Extensions.AI;

namespace Alebrije.Tests.ExtensionsAI;

/// <summary>Flamingo as a chat client.</summary>
public sealed class FlamingoChatClientTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-chat-").FullName;

    public FlamingoChatClientTests()
    {
        Tensors.TorchRuntime.Initialize();
        FlamingoFiles.Write(folder, FlamingoFiles.NeoX);
    }

    public void Dispose() => Directory.Delete(folder, recursive: true);

    private DataContent Image(int number)
    {
        var path = Path.Combine(folder, $"{number}.png");
        FlamingoFiles.Picture(number).SavePng(path);
        return new DataContent(File.ReadAllBytes(path), "image/png");
    }

    [Fact]
    public async Task Answer_WholeOrStreamed_IsThatOfThePipelinesPrompt()
    {
        using var model = FlamingoPipeline.Load(folder);
        using var client = new FlamingoChatClient(model);
        ChatMessage[] messages =
        [
            new(ChatRole.User, [Image(0), new TextContent("How many?")]), new(ChatRole.Assistant, "two"),
            new(ChatRole.User, [Image(1), new TextContent("What colour?")]),
        ];
        var options = new ChatOptions { MaxOutputTokens = 6 };
        var cancellation = TestContext.Current.CancellationToken;
        var whole = await client.GetResponseAsync(messages, options, cancellation);
        var expected = model.Generate(
            FlamingoPrompt.Ask(FlamingoFiles.Picture(1), "What colour?", [new(FlamingoFiles.Picture(0), "two", "How many?")]),
            new FlamingoOptions { MaxTokens = 6, Beams = 1 }, onText: null, cancellation);
        Assert.Equal(expected.Text, whole.Text);
        var pieces = new List<string>();
        await foreach (var update in client.GetStreamingResponseAsync(messages, options, cancellation)) pieces.Add(update.Text);
        Assert.Equal(expected.Text, string.Concat(pieces));
        Assert.Same(model, client.GetService(typeof(FlamingoPipeline)));
    }

    /// <summary>A run that goes on after its reader has left would meet the next one in the model.</summary>
    [Fact]
    public async Task Stream_LeftEarly_EndsItsRunBeforeTheNextCall()
    {
        using var model = FlamingoPipeline.Load(folder);
        using var client = new FlamingoChatClient(model);
        var cancellation = TestContext.Current.CancellationToken;
        ChatMessage[] messages = [new(ChatRole.User, [Image(0), new TextContent("How many?")])];
        var options = new ChatOptions { MaxOutputTokens = 40, Temperature = 5, Seed = 3 };
        var whole = await client.GetResponseAsync(messages, options, cancellation);
        for (var i = 0; i < 5; i++)
        {
            await foreach (var update in client.GetStreamingResponseAsync(messages, options, cancellation)) break;
            Assert.Equal(whole.Text, (await client.GetResponseAsync(messages, options, cancellation)).Text);
        }
    }

    [Fact]
    public async Task Messages_WithoutImageOrQuestion_AreRefused()
    {
        using var model = FlamingoPipeline.Load(folder);
        using var client = new FlamingoChatClient(model);
        var cancellation = TestContext.Current.CancellationToken;
        var none = await Assert.ThrowsAsync<ArgumentException>(
            () => client.GetResponseAsync([new(ChatRole.User, "How many?")], options: null, cancellation));
        Assert.Contains("No message has an image", none.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<ArgumentException>(
            () => client.GetResponseAsync([new(ChatRole.User, [Image(0)]), new(ChatRole.Assistant, "two")], options: null, cancellation));
    }
}
