using System.Text.Json;
using Alebrije.Models.Clip;
using Alebrije.Weights;
using static TorchSharp.torch;

namespace Alebrije.Verification.Runners;

/// <summary>CLIP in OpenAI's names: openai/CLIP's files and open_clip's folders.</summary>
internal static class OpenClipRunners
{
    /// <summary>encode_image</summary>
    public static IReadOnlyDictionary<string, Tensor> Image(FixtureCase c) =>
        Features(c, "image_features", Network(c).Vision.Embed(c.Input("image")));

    /// <summary>encode_text</summary>
    public static IReadOnlyDictionary<string, Tensor> Text(FixtureCase c) =>
        Features(c, "text_features", Network(c).Text.Embed(c.Input("text")));

    /// <summary>forward of openai/CLIP, get_logits of open_clip</summary>
    public static IReadOnlyDictionary<string, Tensor> Logits(FixtureCase c)
    {
        using var guard = no_grad();
        return new Dictionary<string, Tensor> { ["logits_per_image"] = Network(c).Logits(c.Input("image"), c.Input("text")) };
    }

    private static Dictionary<string, Tensor> Features(FixtureCase c, string name, Tensor features)
    {
        using var guard = no_grad();
        var outputs = new Dictionary<string, Tensor> { [name] = features.detach() };
        if (c.Wants(name + "_normalized")) outputs[name + "_normalized"] = ClipNetwork.Unit(features).detach();
        return outputs;
    }

    private static ClipNetwork Network(FixtureCase c) => c.Fixture.Part("model", () =>
    {
        if (c.Fixture.Config is not { } sizes || !sizes.TryGetProperty("timm_model_name", out _))
            return OpenClipFolder.Load(c.Fixture.Model(), c.Fixture.Library == "clip" ? OpenClipOrigin.OpenAi : null);

        // The fixture's tower has no published name; cases.json contains its sizes.
        int Number(string key) => sizes.TryGetProperty(key, out var value) && value.ValueKind == JsonValueKind.Number
            ? value.GetInt32() : throw new WeightsException($"{c.Fixture.Folder} lacks the tower's {key}.");
        var tower = new SigLipVisionConfig(Number("embed_dim"), Number("depth"),
            Number("num_heads"), Number("patch_size"), Number("img_size"));
        using var weights = CheckpointFolder.OpenWeights(c.Fixture.Model());
        return OpenClipFolder.Load(OpenClipConfig.Read(c.Fixture.Model(), tower), weights);
    });
}
