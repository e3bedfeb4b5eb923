using Alebrije.Models.Flamingo;
using Alebrije.Published;
using Alebrije.Tensors;

namespace Alebrije.Tests.Models;

/// <summary>Sizes of the published OpenFlamingo models, built on the meta device from their language models' published configs.</summary>
public sealed class FlamingoCensusTests : IDisposable
{
    private const int ViTLargeWidth = 1024, Tokens = 50280;

    private const string Mpt1B = """
        { "model_type": "mosaic_gpt", "d_model": 2048, "n_heads": 16, "n_layers": 24, "mlp_ratio": 4, "vocab_size": 50368,
          "max_seq_len": 2048, "alibi": true, "attn_qk_ln": true, "no_bias": true }
        """;

    private const string RedPajama3B = """
        { "model_type": "gpt_neox", "hidden_size": 2560, "intermediate_size": 10240, "num_attention_heads": 32, "num_hidden_layers": 32,
          "vocab_size": 50432, "rotary_pct": 1.0, "use_parallel_residual": false }
        """;

    private const string Mpt7B = """
        { "model_type": "mpt", "d_model": 4096, "n_heads": 32, "n_layers": 32, "expansion_ratio": 4, "vocab_size": 50432,
          "max_seq_len": 2048, "no_bias": true, "attn_config": { "alibi": true, "qk_ln": false, "clip_qkv": null } }
        """;

    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-census-").FullName;

    public FlamingoCensusTests() => TorchRuntime.Initialize();

    public void Dispose() => Directory.Delete(folder, recursive: true);

    /// <summary>
    /// Parameters by hand. Resampler of width 1024: 64·1024 + 6·(4·1024 + 4·1024·512 + 2·1024 + 8·1024²) + 2·1024 = 63,019,008. A
    /// gated block of width w: 4w + 2·512·w + 1024·1024 + 8w² + 2.
    /// </summary>
    [Theory]
    [InlineData(Mpt1B, 1, 2048, 24)]
    [InlineData(RedPajama3B, 2, 2560, 16)]
    [InlineData(Mpt7B, 4, 4096, 8)]
    public void Trained_OfAPublishedSize_HaveTheirParameters(string language, int every, long width, int gated)
    {
        File.WriteAllText(Path.Combine(folder, "config.json"), language);
        var config = new FlamingoConfig { CrossAttnEveryNLayers = every };
        var names = ComponentCatalog.Names(() => new FlamingoNetwork(
            config, LanguageConfig.Read(folder).WithVocabulary(Tokens), ViTLargeWidth) { MediaToken = 50278 });
        long Count(Func<string, bool> of) => names.Where(pair => of(pair.Key))
            .Sum(pair => pair.Value.Aggregate(1L, (product, size) => product * size));
        const long resampler = (64 * 1024) + (6 * ((4L * 1024) + (4L * 1024 * 512) + (2 * 1024) + (8L * 1024 * 1024))) + (2 * 1024);
        var block = (4 * width) + (2 * 512 * width) + (1024 * 1024) + (8 * width * width) + 2;
        Assert.Equal(resampler, Count(name => name.StartsWith("perceiver.", StringComparison.Ordinal)));
        Assert.Equal(gated * block, Count(name => name.Contains(".gated_cross_attn_layer.", StringComparison.Ordinal)));
        Assert.Contains(names, pair => pair.Value is [Tokens, var size] && size == width);
    }

    [Theory]
    [InlineData(Mpt1B, 1_313_000_000)]
    [InlineData(RedPajama3B, 2_775_000_000)]
    [InlineData(Mpt7B, 6_649_000_000)]
    public void Language_OfAPublishedConfig_HasItsSize(string language, long about)
    {
        File.WriteAllText(Path.Combine(folder, "config.json"), language);
        var names = ComponentCatalog.Names(() => LanguageConfig.Read(folder).Build(_ => null));
        var count = names.Values.Sum(shape => shape.Aggregate(1L, (product, size) => product * size));
        Assert.InRange(count, about * 0.998, about * 1.002);
    }
}
