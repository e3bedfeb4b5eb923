#!/usr/bin/env -S dotnet run
#:project ../src/Alebrije.Extensions.AI/Alebrije.Extensions.AI.csproj
#:project ../src/Alebrije.Search/Alebrije.Search.csproj
#:property RuntimeIdentifier=$(HostRid)
#:property SelfContained=false
#:property PublishAot=false
#:property GenerateDocumentationFile=false

// A folder of images as a vector store: which are nearest to a sentence?
//   dotnet run samples/vector-store.cs FOLDER [SENTENCE]
using Alebrije.Extensions.AI;
using Alebrije.Search.VectorData;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.VectorData;

var (folder, sentence) = (args.Length > 0 ? args[0] : "docs/images/dalle2", args.Length > 1 ? args[1] : "a cat");
await using var clip = new ClipEmbeddingGenerator("mini");

// A store is a folder; it embeds records and questions by the generator.
using var store = new LocalVectorStore("photos.store", new LocalVectorStoreOptions { EmbeddingGenerator = clip });
var photos = store.GetCollection<string, Photo>("photos");
await photos.EnsureCollectionExistsAsync();
var added = new List<Photo>();
foreach (var file in Directory.EnumerateFiles(folder, "*.png"))
{
    if (await photos.GetAsync(file) is null)
        added.Add(new Photo { File = file, Year = File.GetLastWriteTime(file).Year, Image = await DataContent.LoadFromAsync(file) });
}

await photos.UpsertAsync(added);
await foreach (var found in photos.SearchAsync(sentence, top: 5, new VectorSearchOptions<Photo> { Filter = photo => photo.Year >= 2020 }))
    Console.WriteLine($"{found.Score:0.000}  {found.Record.File}");

/// <summary>A photo: its path is the key, its image is embedded by the store.</summary>
internal sealed class Photo
{
    [VectorStoreKey]
    public string File { get; set; } = "";

    [VectorStoreData(IsIndexed = true)]
    public int Year { get; set; }

    [VectorStoreVector(256)]
    public DataContent? Image { get; set; }
}
