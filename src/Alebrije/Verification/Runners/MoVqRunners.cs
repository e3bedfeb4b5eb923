using Alebrije.Models.Autoencoders;
using Alebrije.Published;
using static TorchSharp.torch;

namespace Alebrije.Verification.Runners;

/// <summary>The autoencoder with a codebook.</summary>
internal static class MoVqRunners
{
    public static IReadOnlyDictionary<string, Tensor> Encode(FixtureCase c)
    {
        using var guard = no_grad();
        return new Dictionary<string, Tensor> { ["latents"] = Network(c).Encode(c.Input("x")) };
    }

    public static IReadOnlyDictionary<string, Tensor> Quantize(FixtureCase c)
    {
        using var guard = no_grad();
        var (quantized, indices) = Network(c).Quantize(c.Input("h"));
        return new Dictionary<string, Tensor> { ["quantized"] = quantized, ["indices"] = indices };
    }

    public static IReadOnlyDictionary<string, Tensor> Decode(FixtureCase c)
    {
        using var guard = no_grad();
        var network = Network(c);
        var latents = c.Argument("force_not_quantize")?.GetBoolean() is true ? c.Input("h") : network.Quantize(c.Input("h")).Quantized;
        return new Dictionary<string, Tensor> { ["sample"] = network.Decode(latents) };
    }

    private static VQModel Network(FixtureCase c) =>
        c.Fixture.Part("autoencoder", () => ComponentCatalog.Load<VQModel>("VQModel", c.Fixture.Model(c.Component)));
}
