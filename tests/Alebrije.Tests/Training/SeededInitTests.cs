using Alebrije.Models.Autoencoders;
using Alebrije.Models.Clip;
using Alebrije.Models.Priors;
using Alebrije.Models.UNets;
using Alebrije.Tensors;
using Alebrije.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Tests.Training;

public sealed class SeededInitTests
{
    public SeededInitTests() => TorchRuntime.Initialize();

    public static TheoryData<string> Kinds => ["clip", "autoencoder", "prior", "decoder"];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Seed_SameAgain_GivesTheSameWeightsWhateverWasThere(string kind)
    {
        using var scope = NewDisposeScope();
        var (first, second, third) = (Make(kind, 7), Make(kind, 7), Make(kind, 8));
        Assert.Equal(Bytes(first), Bytes(second));
        Assert.NotEqual(Bytes(first), Bytes(third));
    }

    [Fact]
    public void Defaults_ArePyTorchsBounds()
    {
        using var scope = NewDisposeScope();
        using var network = new UNet2DConditionModel(TinyParts.Decoder);
        SeededInit.Apply(network, 3);
        var parameters = network.named_parameters().ToDictionary(p => p.name, p => p.parameter);
        var (products, norms) = (0, 0);
        foreach (var (name, parameter) in parameters)
        {
            var weight = parameters[name[..(name.LastIndexOf('.') + 1)] + "weight"];
            var largest = parameter.abs().max().ToDouble();
            if (weight.ndim < 2)
            {
                norms++;
                var constant = name.EndsWith("weight", StringComparison.Ordinal) ? 1 : 0;
                Assert.All(parameter.data<float>().ToArray(), x => Assert.Equal(constant, x));
                continue;
            }

            // torch.nn.Linear and Conv2d initialise weights and biases uniformly in ±1/√(fan-in).
            var bound = 1 / Math.Sqrt(weight.shape.Skip(1).Aggregate(1L, (a, b) => a * b));
            Assert.True(largest <= bound + 1e-7, $"{name} reaches {largest}, beyond {bound}");
            if (parameter.numel() < 200) continue;
            products++;
            Assert.True(largest > 0.95 * bound, $"{name} reaches {largest} only, of {bound}");
            Assert.Equal(bound / Math.Sqrt(3), parameter.std().ToDouble(), 0.12 * bound);
        }

        Assert.True(products > 10 && norms > 10);
    }

    [Theory]
    [InlineData("text_model.embeddings.token_embedding.weight", 0.02)]
    [InlineData("vision_model.embeddings.patch_embedding.weight", 0.02)]
    [InlineData("visual_projection.weight", 0.25)]
    [InlineData("text_model.encoder.layers.0.self_attn.q_proj.weight", 0.25)]
    [InlineData("text_model.encoder.layers.0.self_attn.out_proj.weight", 0.25 * 0.70710678)]
    [InlineData("vision_model.encoder.layers.0.mlp.fc1.weight", 0.25 * 0.70710678)]
    [InlineData("vision_model.encoder.layers.0.mlp.fc2.weight", 0.25 * 0.70710678)]
    public void Clip_HasItsOwnDeviations(string name, double deviation)
    {
        using var scope = NewDisposeScope();
        using var network = new ClipNetwork(TinyParts.Clip);
        SeededInit.Apply(network, 3);
        var parameters = network.named_parameters().ToDictionary(p => p.name, p => p.parameter);
        Assert.Equal(deviation, parameters[name].std().ToDouble(), 0.15 * deviation);
        Assert.Equal(TinyParts.Clip.LogitScaleInitValue, network.LogitScale.ToDouble(), 1e-4);
        Assert.All(parameters.Where(p => p.Key.EndsWith("bias", StringComparison.Ordinal)),
            p => Assert.Equal(0, p.Value.abs().max().ToDouble()));
    }

    private static nn.Module Make(string kind, ulong seed)
    {
        if (kind == "clip")
        {
            var clip = new ClipNetwork(TinyParts.Clip);
            SeededInit.Apply(clip, seed);
            return clip;
        }

        nn.Module network = kind switch
        {
            "autoencoder" => new AutoencoderKL(TinyParts.Autoencoder),
            "prior" => new PriorTransformer(TinyParts.Prior),
            _ => new UNet2DConditionModel(TinyParts.Decoder),
        };
        SeededInit.Apply(network, seed);
        return network;
    }

    private static byte[] Bytes(nn.Module network) =>
        [.. network.state_dict().OrderBy(p => p.Key, StringComparer.Ordinal)
            .SelectMany(p => p.Value.detach().contiguous().bytes.ToArray())];
}
