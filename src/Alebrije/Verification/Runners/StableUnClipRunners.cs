using Alebrije.Pipelines;
using Alebrije.Pipelines.Priors;
using Alebrije.Pipelines.StableUnClip;
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
        using var noise = Draws(c);
        var (prompts, embedder) = (Prompts(c), Embedder(c));
        var how = new PriorDraw((int)c.Number("prior_num_inference_steps", 25), c.Number("prior_guidance_scale", 4));
        var (embedding, prior) = ((DiffusionPrior)embedder.Priors[PriorKind.Diffusion]).Sample(embedder.Texts(prompts), how, noise);
        var outputs = Decode(c, prompts, embedding, noise);
        outputs["prior_latents_after"] = stack(prior);
        outputs["image_embedding"] = embedding;
        return outputs;
    }

    /// <summary>StableUnCLIPImg2ImgPipeline: the picture's own embedding instead of the prior's.</summary>
    public static IReadOnlyDictionary<string, Tensor> FromPicture(FixtureCase c)
    {
        using var guard = no_grad();
        using var noise = Draws(c);
        return Decode(c, Prompts(c), Embedder(c).EncodeImages([UnClipRunners.Picture(c.Input("image"))]), noise);
    }

    private static Dictionary<string, Tensor> Decode(FixtureCase c, IReadOnlyList<string> prompts, Tensor embedding, Noise noise)
    {
        var decoder = c.Fixture.Part("decoder", () => new StableUnClipDecoder(Folder(c), Precision.Fp32, keep: true));
        var after = new List<Tensor>();
        var run = new DecoderRun((int)c.Number("num_inference_steps", DefaultSteps), c.Number("guidance_scale", 10))
        {
            Height = (int)c.Number("height", decoder.Size), Width = (int)c.Number("width", decoder.Size), NoiseLevel = (int)c.Number("noise_level", 0),
            After = (_, latents) => after.Add(latents.clone().DetachFromDisposeScope()),
        };
        var conditions = new DecoderConditions(embedding) { Prompts = prompts };
        if (c.Texts("negative_prompt") is { } negatives) conditions = conditions with { Negatives = negatives };
        var images = decoder.Draw(conditions, run, noise);
        return new Dictionary<string, Tensor> { ["latents_after"] = stack(after), ["images"] = images.permute(0, 2, 3, 1) };
    }

    private static IReadOnlyList<string> Prompts(FixtureCase c) => c.Texts("prompt") ?? throw new WeightsException($"case {c.Id} lacks the argument prompt.");

    private static Noise Draws(FixtureCase c) => Noise.Replay(c.Draws.Select(c.Input));

    private static ClipEmbedder Embedder(FixtureCase c) => c.Fixture.Part("embedder", () => UnClipFolder.StableEmbedder(Folder(c), ScalarType.Float32, keep: true));

    private static PipelineFolder Folder(FixtureCase c) => PipelineFolder.Open(c.Fixture.Model(c.Component));
}
