using Alebrije.Models.Priors;
using Alebrije.Published;
using static TorchSharp.torch;

namespace Alebrije.Verification.Runners;

/// <summary>The prior, and the image normalizer of Stable unCLIP.</summary>
internal static class PriorRunners
{
    public static IReadOnlyDictionary<string, Tensor> Forward(FixtureCase c)
    {
        using var guard = no_grad();
        var conditions = new PriorConditions(c.Input("proj_embedding"),
            c.OptionalInput("encoder_hidden_states"), c.OptionalInput("attention_mask"));
        return Single("predicted_image_embedding", Prior(c).call(c.Input("hidden_states"), c.Timestep(), conditions));
    }

    public static IReadOnlyDictionary<string, Tensor> PostProcess(FixtureCase c)
    {
        using var guard = no_grad();
        return Single("image_embeddings", Prior(c).PostProcessLatents(c.Input("prior_latents")));
    }

    public static IReadOnlyDictionary<string, Tensor> Scale(FixtureCase c)
    {
        using var guard = no_grad();
        return Single("scaled", Normalizer(c).Scale(c.Input("embeds")));
    }

    public static IReadOnlyDictionary<string, Tensor> Unscale(FixtureCase c)
    {
        using var guard = no_grad();
        return Single("unscaled", Normalizer(c).Unscale(c.Input("embeds")));
    }

    private static Dictionary<string, Tensor> Single(string name, Tensor value) => new() { [name] = value };

    private static PriorTransformer Prior(FixtureCase c) =>
        c.Fixture.Part("prior", () => ComponentCatalog.Load<PriorTransformer>("PriorTransformer", c.Fixture.Model(c.Component)));

    private static StableUnClipImageNormalizer Normalizer(FixtureCase c) =>
        c.Fixture.Part("normalizer",
            () => ComponentCatalog.Load<StableUnClipImageNormalizer>("StableUnCLIPImageNormalizer", c.Fixture.Model(c.Component)));
}
