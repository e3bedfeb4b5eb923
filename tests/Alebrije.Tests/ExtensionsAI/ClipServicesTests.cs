using Alebrije.Extensions.AI;
using Alebrije.Pipelines;
using Alebrije.Tests.Catalog;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.Caching.Distributed;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace Alebrije.Tests.ExtensionsAI;

public sealed class ClipServicesTests
{
    private static CancellationToken Now => TestContext.Current.CancellationToken;

    [Fact]
    public async Task AddAlebrijeClip_OneModelBehindEveryInterface_LoadedAtTheFirstUse()
    {
        await using var services = new ServiceCollection().AddAlebrijeClip(options => options.Model = TestModels.StableUnClip)
            .BuildServiceProvider();
        var texts = services.GetRequiredService<IEmbeddingGenerator<string, Embedding<float>>>();
        var clip = services.GetRequiredService<ClipEmbeddingGenerator>();
        Assert.Same(clip, texts);
        Assert.Same(clip, services.GetRequiredService<IEmbeddingGenerator<DataContent, Embedding<float>>>());
        Assert.Same(clip, services.GetRequiredService<IEmbeddingGenerator<AIContent, Embedding<float>>>());
        Assert.False(clip.IsLoaded);
        Assert.Equal(clip.GetRequiredService<ClipModel>().Dimensions,
            (await texts.GenerateVectorAsync("a lion", cancellationToken: Now)).Length);
        await services.DisposeAsync();
        Assert.False(clip.IsLoaded);
    }

    [Fact]
    public async Task AddKeyedAlebrijeClip_SeveralModelsSideBySide()
    {
        await using var services = new ServiceCollection()
            .AddKeyedAlebrijeClip("tiny", options => options.Model = TestModels.StableUnClip)
            .AddKeyedAlebrijeClip("default", options => options.Model = Path.Combine(Repository.Root, "models", "mini"))
            .BuildServiceProvider();
        var (tiny, mini) = (Of("tiny"), Of("default"));
        Assert.Null(services.GetService<ClipEmbeddingGenerator>());
        var (first, second) = ((await tiny.GenerateAsync("a lion", cancellationToken: Now)).Space()!,
            (await mini.GenerateAsync("a lion", cancellationToken: Now)).Space()!);
        Assert.Equal(("model", "mini"), (first.Model, second.Model));
        Assert.NotEqual(first.Preprocessing, second.Preprocessing);

        IEmbeddingGenerator<string, Embedding<float>> Of(string key) => services.GetRequiredKeyedService<IEmbeddingGenerator<string,
            Embedding<float>>>(key);
    }

    [Theory]
    [InlineData("no-such-model", 1, 32, 2, "no model 'no-such-model'")]
    [InlineData("", 1, 32, 2, "no name")]
    [InlineData(null, 0, 32, 2, "threads is 0")]
    [InlineData(null, 1, 0, 2, "batch size is 0")]
    [InlineData(null, 1, 5000, 2, "batch size is 5000")]
    [InlineData(null, 1, 32, 5000, "5000 ms")]
    public void Options_ThatCannotBe_AreRefusedInASentence(string? model, int threads, int batch, int milliseconds, string said)
    {
        using var services = new ServiceCollection().AddAlebrijeClip(Set).BuildServiceProvider();
        var refused = Assert.Throws<OptionsValidationException>(() => services.GetRequiredService<IEmbeddingGenerator<string,
            Embedding<float>>>());
        Assert.Contains(said, refused.Message, StringComparison.Ordinal);

        var options = new ClipOptions();
        Set(options);
        Assert.Contains(said, Assert.Throws<ArgumentException>(() => new ClipEmbeddingGenerator(options)).Message,
            StringComparison.Ordinal);

        void Set(ClipOptions o) =>
            (o.Model, o.Threads, o.BatchSize, o.BatchWindow) = (model ?? TestModels.StableUnClip,
                threads, batch, TimeSpan.FromMilliseconds(milliseconds));
    }

    [Fact]
    public async Task Middleware_Cache_GivesTheSameEmbeddingWithItsSpace()
    {
        await using var services = new ServiceCollection().AddDistributedMemoryCache()
            .AddAlebrijeClip(options => options.Model = TestModels.StableUnClip).BuildServiceProvider();
        var clip = services.GetRequiredService<ClipEmbeddingGenerator>();
        var asked = 0;
        using var cached = new EmbeddingGeneratorBuilder<string, Embedding<float>>(clip)
            .UseDistributedCache(services.GetRequiredService<IDistributedCache>())
            .Use((values, options, inner, cancellation) =>
            {
                asked++;
                return inner.GenerateAsync(values, options, cancellation);
            })
            .Build();
        var first = (await cached.GenerateAsync(["a lion"], cancellationToken: Now))[0];
        var second = (await cached.GenerateAsync(["a lion"], cancellationToken: Now))[0];
        Assert.Equal(1, asked);
        Assert.Equal(first.Vector.ToArray(), second.Vector.ToArray());
        Assert.Equal(first.Space(), second.Space());
        Assert.Equal(1, first.CosineSimilarity(second), 5);
        Assert.Same(clip, cached.GetService(typeof(ClipEmbeddingGenerator)));
        Assert.Equal(ClipEmbeddingGenerator.ProviderName, cached.GetService<EmbeddingGeneratorMetadata>()!.ProviderName);
    }

    [Fact]
    public async Task Middleware_RegisteredOverClip_IsWhatTheInterfaceGives()
    {
        var services = new ServiceCollection().AddDistributedMemoryCache()
            .AddAlebrijeClip(options => options.Model = TestModels.StableUnClip);
        services.AddEmbeddingGenerator(provider =>
            (IEmbeddingGenerator<string, Embedding<float>>)provider.GetRequiredService<ClipEmbeddingGenerator>())
            .UseDistributedCache();
        await using var built = services.BuildServiceProvider();
        var generator = built.GetRequiredService<IEmbeddingGenerator<string, Embedding<float>>>();
        Assert.IsNotType<ClipEmbeddingGenerator>(generator);
        Assert.False(built.GetRequiredService<ClipEmbeddingGenerator>().IsLoaded);
        Assert.Equal("model", (await generator.GenerateAsync("a lion", cancellationToken: Now)).Space()!.Model);
    }
}
