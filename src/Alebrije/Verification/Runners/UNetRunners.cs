using Alebrije.Models.UNets;
using Alebrije.Published;
using static TorchSharp.torch;

namespace Alebrije.Verification.Runners;

/// <summary>UNet2DConditionModel of every family, and Karlo's text projection and upsampler.</summary>
internal static class UNetRunners
{
    public static IReadOnlyDictionary<string, Tensor> Forward(FixtureCase c)
    {
        using var guard = no_grad();
        var network = c.Fixture.Part("unet",
            () => ComponentCatalog.Load<UNet2DConditionModel>("UNet2DConditionModel", c.Fixture.Model(c.Component)));
        var conditions = new UNetConditions(c.OptionalInput("encoder_hidden_states"))
        {
            TextMask = c.OptionalInput("attention_mask") ?? c.OptionalInput("encoder_attention_mask"),
            ImageEmbeds = c.OptionalInput("added_cond_kwargs.image_embeds"),
            Hint = c.OptionalInput("added_cond_kwargs.hint"),
            ClassLabels = c.OptionalInput("class_labels"),
            TextEmbeds = c.OptionalInput("added_cond_kwargs.text_embeds"),
            TimeIds = c.OptionalInput("added_cond_kwargs.time_ids"),
        };
        return new Dictionary<string, Tensor> { ["sample_out"] = network.call(c.Input("sample"), c.Timestep()!, conditions) };
    }

    /// <summary>Text projection: the conditions of Karlo's decoder.</summary>
    public static IReadOnlyDictionary<string, Tensor> TextProjection(FixtureCase c)
    {
        using var guard = no_grad();
        var network = c.Fixture.Part("text_proj",
            () => ComponentCatalog.Load<UnClipTextProjection>("UnCLIPTextProjModel", c.Fixture.Model(c.Component)));
        var (context, time) = network.Condition(c.Input("image_embeddings"),
            c.Input("prompt_embeds"), c.Input("text_encoder_hidden_states"));
        return new Dictionary<string, Tensor> { ["text_encoder_hidden_states_out"] = context, ["additive_clip_time_embeddings"] = time };
    }

    /// <summary>unCLIP's upsampler.</summary>
    public static IReadOnlyDictionary<string, Tensor> Upsample(FixtureCase c)
    {
        using var guard = no_grad();
        var network = c.Fixture.Part("upsampler", () => ComponentCatalog.Load<UNet2DModel>("UNet2DModel", c.Fixture.Model(c.Component)));
        return new Dictionary<string, Tensor> { ["sample_out"] = network.call(c.Input("sample"), c.Timestep()!) };
    }
}
