using Alebrije.Models.Autoencoders;
using Alebrije.Published;
using static TorchSharp.torch;

namespace Alebrije.Verification.Runners;

/// <summary>The autoencoder of latent diffusion.</summary>
internal static class AutoencoderRunners
{
    public static IReadOnlyDictionary<string, Tensor> Encode(FixtureCase c)
    {
        using var guard = no_grad();
        var (mean, logVariance) = Network(c).Encode(c.Input("x"));
        var outputs = new Dictionary<string, Tensor> { ["mean"] = mean, ["mode"] = mean, ["logvar"] = logVariance };
        if (c.OptionalInput("noise") is { } noise) outputs["sample"] = AutoencoderKL.Sample(mean, logVariance, noise);
        return outputs;
    }

    public static IReadOnlyDictionary<string, Tensor> Decode(FixtureCase c)
    {
        using var guard = no_grad();
        return new Dictionary<string, Tensor> { ["sample"] = Network(c).Decode(c.Input("z")) };
    }

    private static AutoencoderKL Network(FixtureCase c) =>
        c.Fixture.Part("autoencoder", () => ComponentCatalog.Load<AutoencoderKL>("AutoencoderKL", c.Fixture.Model(c.Component)));
}
