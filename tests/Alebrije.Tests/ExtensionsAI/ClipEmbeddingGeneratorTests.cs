using Alebrije.Extensions.AI;
using Alebrije.Pipelines;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Tests.Catalog;
using Microsoft.Extensions.AI;

namespace Alebrije.Tests.ExtensionsAI;

public sealed class ClipEmbeddingGeneratorTests
{
    private static readonly Lazy<ClipEmbeddingGenerator> Shared = new(() => new ClipEmbeddingGenerator(Mini));

    private static string Mini => Path.Combine(Repository.Root, "models", "mini");

    private static ClipEmbeddingGenerator Generator => Shared.Value;

    private static CancellationToken Now => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Texts_AreClipsEmbeddings_OfUnitLength_WithTheirSpace()
    {
        string[] texts = ["a lion", "un gato sobre un fondo azul", ""];
        IEmbeddingGenerator<string, Embedding<float>> generator = Generator;
        var embeddings = await generator.GenerateAsync(texts, cancellationToken: Now);

        var model = generator.GetRequiredService<ClipModel>();
        var expected = model.EmbedTexts(texts, cancellation: Now);
        for (var i = 0; i < texts.Length; i++)
        {
            AssertClose(expected[i], embeddings[i].Vector.ToArray());
            Assert.Equal(1, embeddings[i].Vector.ToArray().Sum(x => (double)x * x), 5);
            Assert.Equal((model.Dimensions, "mini"), (embeddings[i].Dimensions, embeddings[i].ModelId));
            Assert.Equal(model.Space, embeddings[i].Space());
        }

        Assert.Equal(texts.Sum(text => model.Tokenizer!.Encode(text).Length), embeddings.Usage!.InputTokenCount);
        Assert.Empty(await generator.GenerateAsync([], cancellationToken: Now));
    }

    [Fact]
    public async Task Pictures_AreClipsEmbeddings()
    {
        RgbImage[] pictures = [Picture(90, 60, 1), Picture(31, 77, 2), Picture(64, 64, 3)];
        IEmbeddingGenerator<DataContent, Embedding<float>> generator = Generator;
        var embeddings = await generator.GenerateAsync(pictures.Select(Content), cancellationToken: Now);
        var expected = generator.GetRequiredService<ClipModel>().EmbedImages(pictures, cancellation: Now);
        for (var i = 0; i < pictures.Length; i++) AssertClose(expected[i], embeddings[i].Vector.ToArray());
    }

    [Fact]
    public async Task Contents_TextsAndPictures_InTheirOrder()
    {
        var picture = Picture(50, 40, 4);
        IEmbeddingGenerator<AIContent, Embedding<float>> generator = Generator;
        var embeddings = await generator.GenerateAsync([new TextContent("a dog"), Content(picture), new TextContent("a cat")],
            cancellationToken: Now);
        var model = generator.GetRequiredService<ClipModel>();
        var (texts, images) = (model.EmbedTexts(["a dog", "a cat"], cancellation: Now), model.EmbedImages([picture], cancellation: Now));
        AssertClose(texts[0], embeddings[0].Vector.ToArray());
        AssertClose(images[0], embeddings[1].Vector.ToArray());
        AssertClose(texts[1], embeddings[2].Vector.ToArray());
        Assert.Equal(model.Space, EmbeddingSpaces.RequireOneSpace(embeddings));
        Assert.InRange(embeddings[0].CosineSimilarity(embeddings[2]), -1, 1);
    }

    [Fact]
    public async Task Callers_FromManyThreads_GetWhatTheyWouldAlone()
    {
        await using var generator = new ClipEmbeddingGenerator(
            new ClipOptions { Model = Mini, BatchSize = 16, BatchWindow = TimeSpan.FromMilliseconds(20) });
        var texts = Enumerable.Range(0, 40).Select(i => $"{i} lions on a {(i % 2 == 0 ? "red" : "blue")} background").ToArray();
        var rows = await Task.WhenAll(texts.Select(text => Task.Run(() => generator.GenerateAsync([text], cancellationToken: Now), Now)));
        var expected = Generator.GetRequiredService<ClipModel>().EmbedTexts(texts, cancellation: Now);
        for (var i = 0; i < texts.Length; i++) AssertClose(expected[i], rows[i][0].Vector.ToArray());
        Assert.InRange(generator.Batches, 3, 30);
    }

    [Fact]
    public async Task Contents_ThatAreNoTextOrPicture_AreRefusedInASentence()
    {
        IEmbeddingGenerator<AIContent, Embedding<float>> generator = Generator;
        Assert.Contains("audio/wav", await Refusal(new DataContent(new byte[] { 1 }, "audio/wav") { Name = "song.wav" }),
            StringComparison.Ordinal);
        Assert.Contains("nothing is fetched", await Refusal(new UriContent("https://example.org/cat.png", "image/png")),
            StringComparison.Ordinal);
        Assert.Contains("FunctionCallContent", await Refusal(new FunctionCallContent("1", "f")), StringComparison.Ordinal);
        Assert.Contains("null", await Refusal(null!), StringComparison.Ordinal);
        var damaged = await Assert.ThrowsAsync<ImageFormatException>(() =>
            generator.GenerateAsync([new DataContent(new byte[] { 1, 2, 3 }, "image/png") { Name = "cat.png" }], cancellationToken: Now));
        Assert.Contains("cat.png", damaged.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<ArgumentException>(() => Generator.GenerateAsync(["fine", null!], cancellationToken: Now));

        async Task<string> Refusal(AIContent content) =>
            (await Assert.ThrowsAsync<ArgumentException>(() =>
                generator.GenerateAsync([new TextContent("fine"), content], cancellationToken: Now))).Message;
    }

    [Fact]
    public async Task Options_OfAnotherModelOrDimension_AreRefused()
    {
        var dimensions = Generator.GetRequiredService<ClipModel>().Dimensions;
        Assert.Single(await Generator.GenerateAsync(["a"],
            new EmbeddingGenerationOptions { Dimensions = dimensions, ModelId = "mini" }, Now));
        Assert.Contains("cannot be cut to 7", (await Assert.ThrowsAsync<ArgumentException>(() =>
            Generator.GenerateAsync(["a"], new EmbeddingGenerationOptions { Dimensions = 7 }, Now))).Message, StringComparison.Ordinal);
        Assert.Contains("not other", (await Assert.ThrowsAsync<ArgumentException>(() =>
            Generator.GenerateAsync(["a"], new EmbeddingGenerationOptions { ModelId = "other" }, Now))).Message, StringComparison.Ordinal);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() =>
            Generator.GenerateAsync(["a"], cancellationToken: new CancellationToken(canceled: true)));
    }

    [Fact]
    public async Task Model_IsLoadedAtTheFirstUse_AndReleasedLast()
    {
        var generator = new ClipEmbeddingGenerator(TestModels.StableUnClip);
        var before = (EmbeddingGeneratorMetadata)generator.GetService(typeof(EmbeddingGeneratorMetadata))!;
        Assert.Equal(("alebrije", null), (before.ProviderName, before.DefaultModelDimensions));
        Assert.False(generator.IsLoaded);
        await generator.GenerateAsync(["a lion"], cancellationToken: Now);
        Assert.True(generator.IsLoaded);
        var after = (EmbeddingGeneratorMetadata)generator.GetService(typeof(EmbeddingGeneratorMetadata))!;
        Assert.Equal(("model", generator.GetRequiredService<ClipModel>().Dimensions), (after.DefaultModelId, after.DefaultModelDimensions));
        Assert.Same(generator, generator.GetService(typeof(IEmbeddingGenerator<AIContent, Embedding<float>>)));
        Assert.Null(generator.GetService(typeof(IChatClient)));
        Assert.Null(generator.GetService(typeof(ClipModel), "key"));
        generator.Dispose();
        generator.Dispose();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => generator.GenerateAsync(["a lion"], cancellationToken: Now));
        Assert.False(generator.IsLoaded);
    }

    [Fact]
    public async Task Model_GivenLoaded_StaysItsOwners()
    {
        using var model = ClipModel.Load(TestModels.StableUnClip);
        using (var generator = new ClipEmbeddingGenerator(model))
            Assert.Single(await generator.GenerateAsync(["a lion"], cancellationToken: Now));
        Assert.Single(model.EmbedTexts(["a lion"], cancellation: Now));
    }

    [Fact]
    public async Task Embeddings_OfTwoModels_CannotBeCompared()
    {
        await using var other = new ClipEmbeddingGenerator(TestModels.StableUnClip);
        var (here, there) = ((await Generator.GenerateAsync(["a lion"], cancellationToken: Now))[0],
            (await other.GenerateAsync(["a lion"], cancellationToken: Now))[0]);
        var message = Assert.Throws<InvalidDataException>(() => here.CosineSimilarity(there)).Message;
        Assert.Contains("mini (", message, StringComparison.Ordinal);
        Assert.Contains("model (", message, StringComparison.Ordinal);
        Assert.Contains("does not name its space", Assert.Throws<InvalidDataException>(() =>
            here.CosineSimilarity(new Embedding<float>(here.Vector))).Message, StringComparison.Ordinal);
        Assert.Throws<InvalidDataException>(() =>
            here.CosineSimilarity(new Embedding<float>(here.Vector[..3]) { AdditionalProperties = here.AdditionalProperties }));
        Assert.Equal(1, here.CosineSimilarity(here), 5);
    }

    internal static DataContent Content(RgbImage picture) => new(picture.ToPng(), "image/png");

    internal static RgbImage Picture(int width, int height, int seed)
    {
        var pixels = new byte[width * height * 3];
        new Random(seed).NextBytes(pixels);
        return new RgbImage(width, height, pixels);
    }

    private static void AssertClose(float[] expected, float[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (var i = 0; i < expected.Length; i++) Assert.Equal(expected[i], actual[i], 1e-5);
    }
}
