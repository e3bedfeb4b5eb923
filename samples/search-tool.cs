#!/usr/bin/env -S dotnet run
#:project ../src/Alebrije.Extensions.AI/Alebrije.Extensions.AI.csproj
#:project ../src/Alebrije.Search/Alebrije.Search.csproj
#:package Microsoft.Extensions.AI
#:property RuntimeIdentifier=$(HostRid)
#:property SelfContained=false
#:property PublishAot=false
#:property GenerateDocumentationFile=false

// Search as a tool of a chat model. The index is that of 'alebrije index add'; a FOLDER is added to it.
//   dotnet run samples/search-tool.cs QUESTION [FOLDER]
using System.ComponentModel;
using Alebrije.Pipelines;
using Alebrije.Search;
using Microsoft.Extensions.AI;

using var index = PictureIndex.OpenOrCreate(PictureIndex.DefaultFolder);
using var clip = ClipModel.Load("models/mini");
if (args.Length > 1) index.Add([args[1]], clip);

// Results below the relevance cut are left out, so that the model is not given images that have nothing to do with its question.
[Description("Finds the user's photos by a description of their content. Answers with file names and dates, best first.")]
string[] SearchPhotos([Description("Content of the photos, in English or Spanish")] string description, int count = 5)
{
    lock (index) return [.. index.Search(clip, new SearchQuery(description) { Top = count }).Results
        .Select(found => $"{found.File} of {found.Picture.Date:d}, relevance {found.Relevance:0.000}")];
}

// Put any chat model in place of the stand-in, which asks for one search and reads out its answer.
using var chat = new ChatClientBuilder(new StandIn()).UseFunctionInvocation().Build();
var options = new ChatOptions { Tools = [AIFunctionFactory.Create(SearchPhotos, "search_photos")] };
Console.WriteLine((await chat.GetResponseAsync(args.Length > 0 ? args[0] : "a cat", options)).Text);

internal sealed class StandIn : IChatClient
{
    public Task<ChatResponse> GetResponseAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken ct = default)
    {
        var last = messages.Last();
        AIContent answer = last.Contents.OfType<FunctionResultContent>().FirstOrDefault() is { } result
            ? new TextContent($"{result.Result}")
            : new FunctionCallContent("1", "search_photos", new Dictionary<string, object?> { ["description"] = last.Text });
        return Task.FromResult(new ChatResponse(new ChatMessage(ChatRole.Assistant, [answer])));
    }

    public IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken ct = default) =>
        throw new NotSupportedException();

    public object? GetService(Type serviceType, object? serviceKey = null) => null;

    public void Dispose()
    {
    }
}
