#!/usr/bin/env -S dotnet run
#:project ../src/Alebrije.Extensions.AI/Alebrije.Extensions.AI.csproj
#:project ../src/Alebrije.Search.PostgreSql/Alebrije.Search.PostgreSql.csproj
#:property RuntimeIdentifier=$(HostRid)
#:property SelfContained=false
#:property PublishAot=false
#:property GenerateDocumentationFile=false

// The same over PostgreSQL with pgvector; only the line that makes the store differs from vector-store.cs.
//   dotnet run samples/vector-store-postgresql.cs "Host=localhost;Database=photos;Username=me" FOLDER [SENTENCE]
using Alebrije.Extensions.AI;
using Alebrije.Search.PostgreSql;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.VectorData;

if (args.Length < 2)
{
    Console.Error.WriteLine("Usage: dotnet run samples/vector-store-postgresql.cs CONNECTION FOLDER [SENTENCE]");
    return 2;
}

await using var clip = new ClipEmbeddingGenerator("mini");
using var store = new PostgreSqlVectorStore(args[0], new PostgreSqlVectorStoreOptions { EmbeddingGenerator = clip });
var photos = store.GetCollection<string, Photo>("photos");
await photos.EnsureCollectionExistsAsync();
var added = new List<Photo>();
foreach (var file in Directory.EnumerateFiles(args[1], "*.png"))
{
    if (await photos.GetAsync(file) is null)
        added.Add(new Photo { File = file, Year = File.GetLastWriteTime(file).Year, Image = await DataContent.LoadFromAsync(file) });
}

await photos.UpsertAsync(added);
await foreach (var found in photos.SearchAsync(args.Length > 2 ? args[2] : "a cat", top: 5,
    new VectorSearchOptions<Photo> { Filter = photo => photo.Year >= 2020 }))
    Console.WriteLine($"{found.Score:0.000}  {found.Record.File}");
return 0;

/// <summary>A photo: its path is the key, its image is embedded by the store.</summary>
internal sealed class Photo
{
    [VectorStoreKey]
    public string File { get; set; } = "";

    [VectorStoreData(IsIndexed = true)]
    public int Year { get; set; }

    [VectorStoreVector(256, IndexKind = IndexKind.Hnsw)]
    public DataContent? Image { get; set; }
}
