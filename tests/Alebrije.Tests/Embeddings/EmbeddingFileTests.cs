using System.Text.Json;
using Alebrije.Embeddings;

namespace Alebrije.Tests.Embeddings;

public sealed class EmbeddingFileTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-embeddings-").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Theory]
    [InlineData("e.json", 3, 5)]
    [InlineData("e.npy", 3, 5)]
    [InlineData("e.parquet", 3, 5)]
    [InlineData("e.parquet", 1, 1)]
    [InlineData("e.parquet", 8200, 3)]
    public async Task Write_ThenRead_GivesTheSameBitsLabelsAndSpace(string name, int count, int width)
    {
        var set = Set(count, width);
        var path = Path.Combine(folder, name);
        await EmbeddingFile.WriteAsync(path, set, TestContext.Current.CancellationToken);
        var back = await EmbeddingFile.ReadAsync(path, TestContext.Current.CancellationToken);

        Assert.Equal(("mini", width), (back.Model, back.Dimensions));
        Assert.Equal(set.Items.Select(item => (item.Kind, item.Label)), back.Items.Select(item => (item.Kind, item.Label)));
        for (var i = 0; i < count; i++) Assert.Equal(set.Items[i].Embedding, back.Items[i].Embedding);
        Assert.DoesNotContain(Directory.GetFiles(folder), file => file.EndsWith(".alebrije", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Write_Json_HasTheMembersThatScriptsRead()
    {
        var path = Path.Combine(folder, "e.json");
        await EmbeddingFile.WriteAsync(path, Set(2, 3), TestContext.Current.CancellationToken);
        using var json = JsonDocument.Parse(await File.ReadAllTextAsync(path, TestContext.Current.CancellationToken));
        Assert.Equal("mini", json.RootElement.GetProperty("model").GetString());
        Assert.Equal(3, json.RootElement.GetProperty("dimensions").GetInt32());
        var item = json.RootElement.GetProperty("items")[1];
        Assert.Equal("text", item.GetProperty("kind").GetString());
        Assert.Equal("un león, año 1", item.GetProperty("label").GetString());
        Assert.Equal(3, item.GetProperty("embedding").GetArrayLength());
    }

    [Fact]
    public async Task Read_LabelsOfAnotherFile_IsRefused()
    {
        var (first, second) = (Path.Combine(folder, "a.npy"), Path.Combine(folder, "b.npy"));
        await EmbeddingFile.WriteAsync(first, Set(3, 4), TestContext.Current.CancellationToken);
        await EmbeddingFile.WriteAsync(second, Set(2, 4), TestContext.Current.CancellationToken);
        File.Copy(Path.Combine(folder, "b.labels.json"), Path.Combine(folder, "a.labels.json"), overwrite: true);
        var error = await Assert.ThrowsAsync<InvalidDataException>(() =>
            EmbeddingFile.ReadAsync(first, TestContext.Current.CancellationToken));
        Assert.Contains("do not belong together", error.Message, StringComparison.Ordinal);

        File.Delete(Path.Combine(folder, "b.labels.json"));
        await Assert.ThrowsAsync<FileNotFoundException>(() => EmbeddingFile.ReadAsync(second, TestContext.Current.CancellationToken));
    }

    [Theory]
    [InlineData("x.json", "{\"model\":\"m\",\"dimensions\":3,\"items\":[{\"kind\":\"image\",\"label\":\"a\",\"embedding\":[1,2]}]}",
        "states 3 numbers")]
    [InlineData("x.json", "{\"model\":\"m\",\"items\":[]}", "dimensions")]
    [InlineData("x.json", "{\"model\":\"m\",\"dimensions\":1,\"items\":[{\"kind\":\"sound\",\"label\":\"a\",\"embedding\":[1]}]}",
        "not a readable")]
    [InlineData("x.json", "{\"model\":null,\"dimensions\":1,\"items\":[]}", "not a readable")]
    [InlineData("x.json", "null", "holds null")]
    [InlineData("x.parquet", "PAR1 not really PAR1", "not a Parquet file")]
    [InlineData("x.parquet", "", "not a Parquet file")]
    [InlineData("x.npy", "nonsense", "not a .npy file")]
    public async Task Read_DamagedFile_IsOneSentence(string name, string content, string says)
    {
        var path = Path.Combine(folder, name);
        await File.WriteAllTextAsync(path, content, TestContext.Current.CancellationToken);
        await File.WriteAllTextAsync(Path.Combine(folder, "x.labels.json"),
            "{\"model\":\"m\",\"dimensions\":1,\"items\":[]}", TestContext.Current.CancellationToken);
        var error = await Assert.ThrowsAsync<InvalidDataException>(() =>
            EmbeddingFile.ReadAsync(path, TestContext.Current.CancellationToken));
        Assert.Contains(says, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Read_CutParquet_IsRefusedAtEveryLength()
    {
        var path = Path.Combine(folder, "cut.parquet");
        await EmbeddingFile.WriteAsync(path, Set(5, 4), TestContext.Current.CancellationToken);
        var whole = await File.ReadAllBytesAsync(path, TestContext.Current.CancellationToken);
        for (var length = 0; length < whole.Length; length += 23)
        {
            await File.WriteAllBytesAsync(path, whole[..length], TestContext.Current.CancellationToken);
            await Assert.ThrowsAsync<InvalidDataException>(() => EmbeddingFile.ReadAsync(path, TestContext.Current.CancellationToken));
        }
    }

    [Fact]
    public async Task Read_ParquetWhoseFooterLies_IsRefused_AndDoesNotHang()
    {
        var path = Path.Combine(folder, "lies.parquet");
        await EmbeddingFile.WriteAsync(path, Set(5, 4), TestContext.Current.CancellationToken);
        var whole = await File.ReadAllBytesAsync(path, TestContext.Current.CancellationToken);
        Assert.Equal(5, (await EmbeddingFile.ReadAsync(path, TestContext.Current.CancellationToken)).Items.Count);

        // A footer longer than the file, and a list of two thousand million encodings of a column: the library alone hangs on either.
        byte[] longer = [.. whole], endless = [.. whole];
        longer[^5] = 8;
        var list = whole.AsSpan().LastIndexOf((ReadOnlySpan<byte>)[0x15, 0x0C, 0x19, 0x25, 0x00, 0x06]);
        Assert.True(list > 0);
        endless.AsSpan(list + 3, 4).Fill(0xFF);
        foreach (var (bytes, says) in new[] { (longer, "states a footer of"), (endless, "footer is damaged") })
        {
            await File.WriteAllBytesAsync(path, bytes, TestContext.Current.CancellationToken);
            var error = await Assert.ThrowsAsync<InvalidDataException>(() =>
                EmbeddingFile.ReadAsync(path, TestContext.Current.CancellationToken));
            Assert.Contains(says, error.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Read_FlippedBytes_NeverEscapesWithAnotherError()
    {
        var path = Path.Combine(folder, "flip.parquet");
        await EmbeddingFile.WriteAsync(path, Set(5, 4), TestContext.Current.CancellationToken);
        var whole = await File.ReadAllBytesAsync(path, TestContext.Current.CancellationToken);
        var refused = 0;
        for (var at = 0; at < whole.Length; at += 3)
        {
            byte[] flipped = [.. whole];
            flipped[at] ^= 0x55;
            await File.WriteAllBytesAsync(path, flipped, TestContext.Current.CancellationToken);
            try
            {
                await EmbeddingFile.ReadAsync(path, TestContext.Current.CancellationToken);
            }
            catch (InvalidDataException)
            {
                refused++;
            }
        }

        Assert.InRange(refused, whole.Length / 9, whole.Length);
    }

    [Fact]
    public async Task Space_OfAnotherModel_IsRefused()
    {
        var set = Set(1, 4);
        set.RequireSpace("mini", 4);
        Assert.Contains("different models", Assert.Throws<InvalidDataException>(() => set.RequireSpace("clip-vit-b-32", 512)).Message);
        Assert.Throws<InvalidDataException>(() => set.RequireSpace("mini", 5));
        await Assert.ThrowsAsync<ArgumentException>(() => EmbeddingFile.WriteAsync("x.txt", set, TestContext.Current.CancellationToken));
        Assert.Throws<ArgumentException>(() =>
            new EmbeddingSet("mini", [new(EmbeddingKind.Text, "a", [1]), new(EmbeddingKind.Text, "b", [1, 2])]));
    }

    private static EmbeddingSet Set(int count, int width) => new("mini", [.. Samples.Rows(count, width, 11).Select((row, i) =>
        new EmbeddingItem(i % 2 == 0 ? EmbeddingKind.Image : EmbeddingKind.Text,
            i % 2 == 0 ? $"león {i}.png" : $"un león, año {i}", Samples.Unit(row)))]);
}
