using Alebrije.Models.T5;
using Alebrije.Models.XlmRoberta;
using Alebrije.Published;
using static TorchSharp.torch;

namespace Alebrije.Verification.Runners;

/// <summary>Text encoders other than CLIP.</summary>
internal static class LanguageRunners
{
    public static IReadOnlyDictionary<string, Tensor> MultilingualClip(FixtureCase c)
    {
        using var guard = no_grad();
        var network = c.Fixture.Part("text encoder",
            () => ComponentCatalog.Load<MultilingualClip>("MultilingualCLIP", c.Fixture.Model(c.Component)));
        var (embedding, states) = network.Encode(c.Input("input_ids"), c.Input("attention_mask"));
        return new Dictionary<string, Tensor> { ["text_embeds"] = embedding, ["last_hidden_state"] = states };
    }

    public static IReadOnlyDictionary<string, Tensor> T5(FixtureCase c)
    {
        using var guard = no_grad();
        var network = c.Fixture.Part("text encoder",
            () => ComponentCatalog.Load<T5Encoder>("T5EncoderModel", c.Fixture.Model(c.Component)));
        return new Dictionary<string, Tensor> { ["last_hidden_state"] = network.Encode(c.Input("input_ids"),
            c.OptionalInput("attention_mask")) };
    }
}
