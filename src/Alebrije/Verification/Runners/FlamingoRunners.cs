using Alebrije.Models.Flamingo;
using Alebrije.Pipelines.Flamingo;
using Alebrije.Tensors;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Verification.Runners;

/// <summary>Flamingo, run by <see cref="FlamingoPipeline"/>.</summary>
internal static class FlamingoRunners
{
    /// <summary>Image tokens, resampled tokens, logits of visible tokens, and the loss.</summary>
    public static IReadOnlyDictionary<string, Tensor> Forward(FixtureCase c)
    {
        using var guard = no_grad();
        var pipeline = Pipeline(c);
        var (patches, media) = Media(c, pipeline);
        var (ids, mask) = (c.Input("lang_x"), c.OptionalInput("attention_mask"));
        var logits = pipeline.Network.Predict(ids, media, mask);
        var outputs = new Dictionary<string, Tensor>
        {
            ["patch_tokens"] = patches.flatten(0, 1),
            ["resampled"] = media,
            ["logits"] = mask is null ? logits.flatten(0, 1) : logits[mask.eq(1)],
        };
        if (c.OptionalInput("labels") is { } labels) outputs["loss"] = FlamingoNetwork.Loss(logits, labels).reshape(1);
        return outputs;
    }

    /// <summary>The prompt's ids and the generated ones.</summary>
    public static IReadOnlyDictionary<string, Tensor> Generate(FixtureCase c)
    {
        using var guard = no_grad();
        var pipeline = Pipeline(c);
        var (_, media) = Media(c, pipeline);
        var ids = c.Input("lang_x");
        var options = new FlamingoOptions
        {
            MaxTokens = c.Integer("max_new_tokens"), Beams = (int)c.Number("num_beams", 1), LengthPenalty = c.Number("length_penalty", 1),
            StopsAtEnd = c.Argument("stop")?.GetString()?.StartsWith("none", StringComparison.Ordinal) != true,
        };
        var rows = pipeline.Decode(new DecodingInput(ids, c.OptionalInput("attention_mask") ?? ones_like(ids), media), options);
        var longest = rows.Max(row => row.Tokens.Count);
        var generated = rows.SelectMany(row => row.Tokens.Select(token => (long)token.Id)
            .Concat(Enumerable.Repeat((long)pipeline.EndId, longest - row.Tokens.Count))).ToArray();
        return new Dictionary<string, Tensor> { ["ids"] = cat([ids, tensor(generated, [rows.Length, longest])], dim: 1) };
    }

    private static FlamingoPipeline Pipeline(FixtureCase c) =>
        c.Fixture.Part("pipeline", () => FlamingoPipeline.Load(c.Fixture.Model(c.Component), Precision.Fp32));

    /// <returns>[batch, images, patches, width] and [batch, images, latents, width]</returns>
    private static (Tensor Patches, Tensor Media) Media(FixtureCase c, FlamingoPipeline pipeline)
    {
        var pixels = c.Input("vision_x");                                                    // [batch, images, frames, 3, h, w]
        var (batch, images) = (pixels.shape[0], pixels.shape[1]);
        var patches = pipeline.Patches(pixels.flatten(0, 2));
        patches = patches.reshape(batch, images, -1, patches.shape[2]);
        return (patches, pipeline.Resample(patches));
    }
}
