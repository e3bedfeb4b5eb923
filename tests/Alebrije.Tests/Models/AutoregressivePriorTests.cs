using Alebrije.Models.Priors;
using Alebrije.Pipelines.Priors;
using Alebrije.Tensors;
using Alebrije.Training;
using static TorchSharp.torch;

namespace Alebrije.Tests.Models;

public sealed class AutoregressivePriorTests
{
    private static readonly AutoregressivePriorConfig Tiny = new()
    {
        NumAttentionHeads = 2, AttentionHeadDim = 4, NumLayers = 2, EmbeddingDim = 6,
        NumEmbeddings = 5, NumCodes = 4, NumBuckets = 32, NumCosines = 4,
    };

    public AutoregressivePriorTests() => TorchRuntime.Initialize();

    [Fact]
    public void Quantizer_ThereAndBack_ErrsByHalfABucketAndOrdersByVariance()
    {
        using var scope = NewDisposeScope();
        using var noise = new Noise(1);
        var images = (noise.Randn(500, 6) * tensor(new[] { 0.1f, 3, 0.5f, 2, 0.2f, 1 })) + 4;
        using var quantizer = new EmbeddingQuantizer(Tiny with { NumCodes = 6 });
        quantizer.Fit(images, noise.Randn(500, 6));
        var tensors = quantizer.state_dict();
        var deviations = tensors["deviation"].data<float>().ToArray();
        Assert.Equal(deviations.OrderDescending(), deviations);
        Assert.Equal(3, deviations[0], 0.3);
        Assert.True(tensors["components"].mm(tensors["components"].t()).allclose(eye(6), atol: 1e-5));

        var codes = quantizer.Encode(images);
        Assert.InRange(codes.min().item<long>(), 0, 31);
        Assert.InRange(codes.max().item<long>(), 0, 31);
        var back = quantizer.Decode(codes);
        Assert.True(quantizer.Encode(back).equal(codes).all().item<bool>());
        var coordinates = (images - tensors["mean"]).mm(tensors["components"].t()) / tensors["deviation"];
        var inside = coordinates.abs().le(4);
        var errors = ((back - images).mm(tensors["components"].t()) / tensors["deviation"]).abs() * inside;
        Assert.InRange(errors.max().item<float>(), 0, (4f / 32) + 1e-4f);
    }

    [Fact]
    public void Quantizer_FewerCodesThanFeatures_KeepTheLargestVariance()
    {
        using var scope = NewDisposeScope();
        using var noise = new Noise(2);
        var images = noise.Randn(400, 6) * tensor(new[] { 0.01f, 3, 0.01f, 2, 0.01f, 1 });
        using var quantizer = new EmbeddingQuantizer(Tiny with { NumCodes = 3, NumBuckets = 1024 });
        quantizer.Fit(images, images);
        var back = quantizer.Decode(quantizer.Encode(images));
        Assert.InRange((back - images).square().mean().item<float>() / images.square().mean().item<float>(), 0, 1e-3f);
    }

    [Fact]
    public void Quantizer_Cosines_FallIntoEqualShares()
    {
        using var scope = NewDisposeScope();
        using var noise = new Noise(3);
        var (images, texts) = (noise.Randn(400, 6), noise.Randn(400, 6));
        using var quantizer = new EmbeddingQuantizer(Tiny);
        quantizer.Fit(images, texts);
        var buckets = quantizer.EncodeCosines(images, texts).data<long>().ToArray();
        Assert.All(Enumerable.Range(0, 4), bucket => Assert.InRange(buckets.Count(b => b == bucket), 95, 105));
        Assert.Equal(3, quantizer.EncodeCosines(images[..1], images[..1]).item<long>());
        Assert.Equal(0, quantizer.EncodeCosines(images[..1], -images[..1]).item<long>());
    }

    [Fact]
    public void Forward_LooksAtNoLaterCodeAndAtNoPadding()
    {
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        using var noise = new Noise(4);
        using var network = Random(noise);
        var (text, codes) = (Text(noise, 2), noise.Integers(32, 2, 4));
        var cosines = tensor([1L, 4]);
        var before = network.call(text, cosines, codes);
        Assert.Equal([2L, 4, 32], before.shape);
        var changed = codes.clone();
        changed[.., 2] = (changed[.., 2] + 7) % 32;
        var after = network.call(text, cosines, changed);
        Assert.True(before[.., ..3].allclose(after[.., ..3], atol: 1e-6));
        Assert.False(before[.., 3..].allclose(after[.., 3..], atol: 1e-3));
        var padded = text.TextEncodings!.clone();
        padded[0, 2] += 1;                                            // masked in row 0
        Assert.True(before.allclose(network.call(text with { TextEncodings = padded }, cosines, codes), atol: 1e-6));
        Assert.False(before.allclose(network.call(text, tensor([2L, 4]), codes), atol: 1e-3));
    }

    [Fact]
    public void DrawCodes_WithoutChance_AreThoseOfTheWholeSequence()
    {
        using var scope = NewDisposeScope();
        using var guard = inference_mode();
        using var noise = new Noise(5);
        using var network = Random(noise, Tiny with { Temperature = 0, NumCosines = 2 });
        using var prior = new AutoregressivePrior(network, ScalarType.Float32) { OwnsNetwork = false };
        var (text, empty) = (Text(noise, 3), Text(noise, 1));
        var asked = new PriorText(text, () => empty);
        foreach (var scale in new[] { 1.0, 2.5 })
        {
            var drawn = prior.DrawCodes(asked, new PriorOptions(1, scale), noise);

            // Of two cosines the upper half is the second, so the choice is deterministic.
            var codes = zeros(3, 4, dtype: ScalarType.Int64);
            for (var i = 0; i < 4; i++)
            {
                var logits = network.call(text, full(3, 1L, dtype: ScalarType.Int64), codes)[.., i];
                var none = network.call(asked.Guided(), cat([full(3, network.UnknownCosine, dtype: ScalarType.Int64),
                    full(3, 1L, dtype: ScalarType.Int64)]), cat([codes, codes]))[..3, i];
                codes[.., i] = (scale > 1 ? none + (scale * (logits - none)) : logits).argmax(1);
            }

            Assert.True(codes.equal(drawn).all().item<bool>(), $"scale {scale}");
        }
    }

    [Fact]
    public void Draw_FollowsSeedTemperatureAndTopK()
    {
        using var scope = NewDisposeScope();
        using var guard = inference_mode();
        using var noise = new Noise(6);
        using var network = Random(noise);
        var (text, empty) = (Text(noise, 2), Text(noise, 1));
        byte[] Draw(ulong seed, AutoregressivePriorConfig config)
        {
            using var other = new AutoregressivePriorTransformer(config);
            other.load_state_dict(network.state_dict());
            using var prior = new AutoregressivePrior(other, ScalarType.Float32);
            using var source = new Noise((long)seed);
            return prior.DrawCodes(new PriorText(text, () => empty), new PriorOptions(1, 1), source).bytes.ToArray();
        }

        Assert.Equal(Draw(1, Tiny), Draw(1, Tiny));
        Assert.NotEqual(Draw(1, Tiny), Draw(2, Tiny));
        Assert.Equal(Draw(1, Tiny with { TopK = 1, NumCosines = 4 }), Draw(1, Tiny with { TopK = 1, Temperature = 5 }));
        Assert.NotEqual(Draw(1, Tiny), Draw(1, Tiny with { Temperature = 50 }));
    }

    [Fact]
    public void Loss_OfFourPairs_IsLearnt()
    {
        using var scope = NewDisposeScope();
        using var noise = new Noise(7);
        using var network = new AutoregressivePriorTransformer(Tiny);
        SeededInit.Apply(network, 3);
        var (text, images) = (Text(noise, 4), noise.Randn(4, 6));
        using (no_grad()) network.Quantizer.Fit(noise.Randn(200, 6), noise.Randn(200, 6));
        var task = new AutoregressivePriorTask(network, new AutoregressivePriorTrainingConfig { Clip = "", Model = Tiny }, "0");
        using var optimizer = new Optimizer(network.named_parameters(),
            new OptimizerConstants { Beta2 = 0.99, Epsilon = 1e-8, WeightDecay = 0 });
        using var generator = new Generator(1);
        var batch = new PriorBatch(images, text, new bool[4], arange(4));
        double Step()
        {
            using var inner = NewDisposeScope();
            var loss = task.Loss(batch, generator);
            loss.backward();
            optimizer.Step(2e-2);
            return loss.item<float>();
        }

        var losses = Enumerable.Range(0, 150).Select(_ => Step()).ToArray();
        Assert.InRange(losses[0], 0.7 * Math.Log(32), 1.5 * Math.Log(32));
        Assert.InRange(losses[^1], 0, 0.3);

        using var prior = new AutoregressivePrior(network, ScalarType.Float32) { OwnsNetwork = false };
        using var inference = no_grad();
        var codes = network.call(text, network.Quantizer.EncodeCosines(images, text.TextEmbedding),
            network.Quantizer.Encode(images)).argmax(2);
        Assert.True(codes.equal(network.Quantizer.Encode(images)).all().item<bool>());
    }

    [Theory]
    [InlineData(0, 32, "num_codes")]
    [InlineData(7, 32, "num_codes")]
    [InlineData(4, 1, "num_buckets")]
    public void Config_ThatMakesNoSense_IsRefused(int codes, int buckets, string key) =>
        Assert.Contains(key, Assert.Throws<ArgumentException>(() =>
            new AutoregressivePriorTransformer(Tiny with { NumCodes = codes, NumBuckets = buckets })).Message, StringComparison.Ordinal);

    private static AutoregressivePriorTransformer Random(Noise noise, AutoregressivePriorConfig? config = null)
    {
        using var quiet = no_grad();
        var network = new AutoregressivePriorTransformer(config ?? Tiny);
        foreach (var (_, parameter) in network.named_parameters()) parameter.copy_(0.4 * noise.Randn(parameter.shape));
        network.Quantizer.Fit(noise.Randn(50, 6), noise.Randn(50, 6));
        return network;
    }

    /// <summary>Rows of one, two, three ... words.</summary>
    private static PriorConditions Text(Noise noise, int rows) =>
        new(noise.Randn(rows, 6), noise.Randn(rows, 5, 6), arange(5).unsqueeze(0).lt(arange(rows).unsqueeze(1) + 2));
}
