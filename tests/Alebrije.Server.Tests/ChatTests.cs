using System.ClientModel;
using System.Net;
using Alebrije.Tests.Pipelines;
using Microsoft.AspNetCore.Builder;
using OpenAI;
using OpenAI.Chat;

namespace Alebrije.Server.Tests;

/// <summary>OpenAI's chats by a tiny Flamingo of random weights.</summary>
[Collection("server")]
public sealed class ChatTests : IAsyncLifetime
{
    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-chats-").FullName;
    private WebApplication? app;
    private Uri url = null!;
    private HttpClient http = null!;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    private ChatClient Client => new OpenAIClient(
        new ApiKeyCredential("any-key"), new OpenAIClientOptions { Endpoint = new Uri(url, "/v1") })
        .GetChatClient("default");

    private static ChatMessage[] Messages =>
    [
        new SystemChatMessage("Be brief."),
        new UserChatMessage(ChatMessageContentPart.CreateImagePart(BinaryData.FromBytes(ServerFixture.Png()), "image/png"),
            ChatMessageContentPart.CreateTextPart("What colour?")),
    ];

    public async ValueTask InitializeAsync()
    {
        Tensors.TorchRuntime.Initialize();
        FlamingoFiles.Write(folder, FlamingoFiles.NeoX);
        (app, url, http) = await ServerFixture.StartAsync(new ServerOptions { Port = 0, ChatModel = folder });
    }

    public async ValueTask DisposeAsync()
    {
        http.Dispose();
        await app!.StopAsync(CancellationToken.None);
        await app.DisposeAsync();
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public async Task Answer_IsThatOfTheModel_WholeAndStreamed()
    {
        var options = new ChatCompletionOptions { MaxOutputTokenCount = 6 };
        ChatCompletion whole = await Client.CompleteChatAsync(Messages, options, Stop);
        using var model = Pipelines.Flamingo.FlamingoPipeline.Load(folder);
        var prompt = Pipelines.Flamingo.FlamingoPrompt.Ask(ServerFixture.Image(), "What colour?");
        var expected = model.Generate(prompt, new Pipelines.Flamingo.FlamingoOptions { MaxTokens = 6, Beams = 1 }, null, Stop);
        Assert.Equal(expected.Text, whole.Content[0].Text);
        Assert.Equal(expected.Ended ? ChatFinishReason.Stop : ChatFinishReason.Length, whole.FinishReason);
        Assert.Equal((model.Texts.Encode(prompt.Text).Length, expected.Tokens.Count),
            (whole.Usage.InputTokenCount, whole.Usage.OutputTokenCount));

        var (pieces, finish, tokens) = ("", (ChatFinishReason?)null, 0);
        await foreach (var update in Client.CompleteChatStreamingAsync(Messages, options, Stop))
        {
            pieces += string.Concat(update.ContentUpdate.Select(part => part.Text));
            finish ??= update.FinishReason;
            tokens = update.Usage?.OutputTokenCount ?? tokens;
        }

        Assert.Equal((expected.Text, whole.FinishReason, expected.Tokens.Count), (pieces, finish, tokens));
    }

    [Fact]
    public async Task SystemAndUnknownFields_AreNamed_AndImagesNeeded()
    {
        var (status, body, answer) = await ServerFixture.PostAsync(http, "/v1/chat/completions",
            "{\"messages\":[{\"role\":\"system\",\"content\":\"a\"},{\"role\":\"user\",\"content\":\"b\"}],\"tools\":[]}");
        Assert.Equal(HttpStatusCode.BadRequest, status);
        Assert.Contains("No message has an image", body.GetProperty("error").GetProperty("message").GetString(), StringComparison.Ordinal);
        Assert.Equal("tools, system", Assert.Single(answer.Headers.GetValues("X-Ignored-Fields")));
    }

    [Theory]
    [InlineData("no-such-flamingo", "default", "No model on this disk supports chat")]
    [InlineData("no-such-flamingo", "mini", "The model mini does not support chat")]
    public async Task WithoutFlamingo_OneErrorGivesTheWay(string configured, string asked, string beginning)
    {
        var (own, _, client) = await ServerFixture.StartAsync(new ServerOptions { Port = 0, ChatModel = configured });
        await using var owned = own;
        using var disposed = client;
        var (status, body, _) = await ServerFixture.PostAsync(client, "/v1/chat/completions",
            $"{{\"model\":\"{asked}\",\"messages\":[{{\"role\":\"user\",\"content\":\"a\"}}]}}");
        Assert.Equal(HttpStatusCode.NotFound, status);
        Assert.Equal("no_chat_model", body.GetProperty("error").GetProperty("code").GetString());
        Assert.StartsWith(beginning, body.GetProperty("error").GetProperty("message").GetString(), StringComparison.Ordinal);
    }
}
