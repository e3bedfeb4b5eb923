#!/usr/bin/env -S dotnet run
#:project ../src/Alebrije.Extensions.AI/Alebrije.Extensions.AI.csproj
#:package Microsoft.Extensions.AI
#:package Microsoft.Extensions.DependencyInjection
#:property RuntimeIdentifier=$(HostRid)
#:property SelfContained=false
#:property PublishAot=false
#:property GenerateDocumentationFile=false
#:property NoWarn=MEAI001

// Text to image behind IImageGenerator, then two variations of the result, as DALL-E 2 made them.
//   dotnet run samples/images.cs [PROMPT]
using Microsoft.Extensions.AI;
using Microsoft.Extensions.DependencyInjection;

var prompt = args.Length > 0 ? string.Join(' ', args) : "a lion on a green background";
await using var services = new ServiceCollection().AddAlebrije("mini").BuildServiceProvider();
var generator = services.GetRequiredService<IImageGenerator>();

var options = new ImageGenerationOptions { AdditionalProperties = new() { ["seed"] = 7 } };
var image = (await generator.GenerateAsync(new ImageGenerationRequest(prompt), options)).Contents.OfType<DataContent>().Single();
Save(image, "image.png");

options.Count = 2;
var variations = await generator.GenerateAsync(new ImageGenerationRequest("", [image]), options);
foreach (var (variation, i) in variations.Contents.OfType<DataContent>().Select((content, i) => (content, i)))
    Save(variation, $"variation-{i + 1}.png");

static void Save(DataContent image, string file)
{
    File.WriteAllBytes(file, image.Data.Span);
    Console.WriteLine($"{file}: seed {image.AdditionalProperties?["seed"]}");
}
