using Alebrije.Pipelines;
using Alebrije.Pipelines.StableUnClip;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Tensors;
using Alebrije.Weights;
using static TorchSharp.torch;

namespace Alebrije.Verification.Runners;

/// <summary>Stable unCLIP from a prompt, and variations of a picture, with the reference's draws in place of random numbers.</summary>
internal static class StableUnClipRunners
{
    private const int DefaultSteps = 20;

    /// <summary>StableUnCLIPPipeline: text, prior, noised image embedding, decoder, picture.</summary>
    public static IReadOnlyDictionary<string, Tensor> FromText(FixtureCase c)
    {
        using var guard = no_grad();
        var (_, stages) = Pipeline(c);
        using var noise = Draws(c);
        var prompts = Prompts(c);
        var (embedding, prior) = stages.SamplePrior(stages.EncodeForPrior(prompts), (int)c.Number("prior_num_inference_steps", 25),
            c.Number("prior_guidance_scale", 4), noise);
        var outputs = Decode(c, stages, prompts, embedding, noise);
        outputs["prior_latents_after"] = stack(prior);
        outputs["image_embedding"] = embedding;
        return outputs;
    }

    /// <summary>StableUnCLIPImg2ImgPipeline: the picture's own embedding instead of the prior's.</summary>
    public static IReadOnlyDictionary<string, Tensor> FromPicture(FixtureCase c)
    {
        using var guard = no_grad();
        var (_, stages) = Pipeline(c);
        using var noise = Draws(c);
        var input = c.Input("image");                                                        // [h, w, 3] uint8
        var picture = new RgbImage((int)input.shape[1], (int)input.shape[0], input.bytes.ToArray());
        return Decode(c, stages, Prompts(c), stages.EncodeImages([picture]), noise);
    }

    private static Dictionary<string, Tensor> Decode(
        FixtureCase c, StableUnClipStages stages, IReadOnlyList<string> prompts, Tensor embedding, Noise noise)
    {
        var (parts, _) = Pipeline(c);
        var side = (int)c.Number("height", parts.UNet.Config.SampleSize?[0] * parts.Vae.Config.Factor ?? 0);
        if (side != (int)c.Number("width", side)) throw new WeightsException($"case {c.Id} asks for a picture that is not square, which this pipeline does not draw.");
        var request = new GenerationRequest
        {
            Prompt = prompts[0], Size = side, Steps = (int)c.Number("num_inference_steps", DefaultSteps), Guidance = c.Number("guidance_scale", 10),
        };
        var negatives = c.Texts("negative_prompt") ?? [.. Enumerable.Repeat("", prompts.Count)];
        var context = stages.EncodeForDecoder(prompts, negatives, guided: request.Guidance > 1);
        var condition = stages.NoiseEmbedding(embedding, (int)c.Number("noise_level", 0), noise);
        var after = new List<Tensor>();
        var latents = stages.SampleDecoder(condition, context, request, noise, report: null, trace: null, CancellationToken.None, after);
        return new Dictionary<string, Tensor>
        {
            ["latents_after"] = stack(after), ["images"] = stages.DecodePixels(latents).permute(0, 2, 3, 1),
        };
    }

    private static IReadOnlyList<string> Prompts(FixtureCase c) => c.Texts("prompt") ?? throw new WeightsException($"case {c.Id} lacks the argument prompt.");

    private static Noise Draws(FixtureCase c) => Noise.Replay(c.Draws.Select(c.Input));

    private static (StableUnClipParts Parts, StableUnClipStages Stages) Pipeline(FixtureCase c)
    {
        var parts = c.Fixture.Part("pipeline", () => new StableUnClipParts(PipelineFolder.Open(c.Fixture.Model(c.Component))));
        return (parts, c.Fixture.Part("stages", () => new StableUnClipStages(parts, Precision.Fp32)));
    }
}
