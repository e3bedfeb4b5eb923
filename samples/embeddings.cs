#!/usr/bin/env -S dotnet run
#:project ../src/Alebrije.Extensions.AI/Alebrije.Extensions.AI.csproj
#:package Microsoft.Extensions.AI
#:package Microsoft.Extensions.DependencyInjection
#:property RuntimeIdentifier=$(HostRid)
#:property SelfContained=false
#:property PublishAot=false
#:property GenerateDocumentationFile=false

// Texts and a picture in one space: which sentence is nearest to the picture?
//   dotnet run samples/embeddings.cs [PICTURE] [TEXT...]
using Alebrije.Extensions.AI;
using Alebrije.Preprocessing.Imaging;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.DependencyInjection;

string[] texts = args.Length > 1 ? args[1..] : ["a red background", "a blue background", "un fondo verde", "a yellow background"];
var picture = args.Length > 0
    ? await DataContent.LoadFromAsync(args[0])
    : new DataContent(Plain(red: 60, green: 160, blue: 80).ToPng(), "image/png") { Name = "a green picture" };

// One model for the whole program, loaded at the first use; callers on any thread are computed together.
await using var services = new ServiceCollection()
    .AddAlebrijeClip(options => options.Model = "mini")
    .BuildServiceProvider();
var clip = services.GetRequiredService<IEmbeddingGenerator<AIContent, Embedding<float>>>();

var embeddings = await clip.GenerateAsync([picture, .. texts.Select(text => new TextContent(text))]);
var space = EmbeddingSpaces.RequireOneSpace(embeddings);
Console.WriteLine($"{space.Model}: {space.Dimensions} numbers "
    + $"an embedding, {embeddings.Usage?.InputTokenCount} tokens read; nearest to {picture.Name ?? args[0]}:");
foreach (var (text, cosine) in texts.Select((text, i) => (text, embeddings[0].CosineSimilarity(embeddings[i + 1])))
    .OrderByDescending(pair => pair.Item2))
    Console.WriteLine($"  {cosine,6:0.000}  {text}");

static RgbImage Plain(byte red, byte green, byte blue) =>
    new(64, 64, [.. Enumerable.Range(0, 64 * 64).SelectMany(_ => new[] { red, green, blue })]);
