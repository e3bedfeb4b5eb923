using Alebrije.Diffusion;
using Alebrije.Pipelines;
using Alebrije.Pipelines.Priors;
using Alebrije.Pipelines.UnClip;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Tensors;
using Alebrije.Weights;
using static TorchSharp.torch;

namespace Alebrije.Verification.Runners;

/// <summary>Karlo from a prompt, and variations of a picture, with the reference's draws in place of random numbers.</summary>
internal static class UnClipRunners
{
    private const int DefaultSteps = 25;

    /// <summary>UnCLIPPipeline: text, prior, decoder, upsamplers.</summary>
    public static IReadOnlyDictionary<string, Tensor> FromText(FixtureCase c)
    {
        using var guard = no_grad();
        using var noise = Noise.Replay(c.Draws.Select(c.Input));
        var folder = PipelineFolder.Open(c.Fixture.Model(c.Component));
        var texts = Texts(c, folder);
        var prior = c.Fixture.Part("prior", () => Prior(folder, "prior_scheduler"));
        var prompts = c.Texts("prompt") ?? throw new WeightsException($"case {c.Id} lacks the argument prompt.");
        var how = new PriorDraw((int)c.Number("prior_num_inference_steps", DefaultSteps), c.Number("prior_guidance_scale", 4));
        var (embedding, after) = prior.Sample(new PriorText(texts.Encode(prompts), () => texts.Encode([""])), how, noise);
        var outputs = Draw(c, folder, new DecoderConditions(embedding) { Prompts = prompts }, noise);
        outputs["prior_latents_after"] = stack(after);
        return outputs;
    }

    /// <summary>UnCLIPImageVariationPipeline: a picture's own embedding, or embeddings that are given, and the empty text.</summary>
    public static IReadOnlyDictionary<string, Tensor> FromPicture(FixtureCase c)
    {
        using var guard = no_grad();
        using var noise = Noise.Replay(c.Draws.Select(c.Input));
        var folder = PipelineFolder.Open(c.Fixture.Model(c.Component));
        var embedding = c.OptionalInput("image_embeddings");
        if (embedding is null)
        {
            var images = c.Fixture.Part("images", () => ImageStage.Of(folder, "feature_extractor", "image_encoder", keep: true));
            embedding = images.Encode([Picture(c.Input("image"))]).repeat_interleave((int)c.Number("num_images_per_prompt", 1), 0);
        }

        return Draw(c, folder, new DecoderConditions(embedding), noise);
    }

    /// <summary>The diffusion prior of a pipeline's folder, exact.</summary>
    internal static DiffusionPrior Prior(PipelineFolder folder, string scheduler)
    {
        var config = SchedulerConfig.Load(folder.Of(scheduler));
        return (DiffusionPrior)PriorFolder.Load(folder.Of("prior"), () => Schedulers.Create(config), ScalarType.Float32);
    }

    /// <summary>A picture of a fixture.</summary>
    /// <param name="pixels">[h, w, 3] uint8</param>
    internal static RgbImage Picture(Tensor pixels) => new((int)pixels.shape[1], (int)pixels.shape[0], pixels.bytes.ToArray());

    private static Dictionary<string, Tensor> Draw(FixtureCase c, PipelineFolder folder, DecoderConditions conditions, Noise noise)
    {
        using var decoder = new KarloDecoder(folder, Texts(c, folder), ScalarType.Float32, keep: false);
        var after = new Dictionary<string, List<Tensor>> { ["decoder"] = [], ["upsampler"] = [] };
        var run = new DecoderRun((int)c.Number("decoder_num_inference_steps", DefaultSteps), c.Number("decoder_guidance_scale", 8))
        {
            UpsamplerSteps = (int)c.Number("super_res_num_inference_steps", KarloDecoder.DefaultUpsamplerSteps), After = (stage, x) => after[stage].Add(x.clone().DetachFromDisposeScope()),
        };
        var images = decoder.Draw(conditions, run, noise);
        return new Dictionary<string, Tensor>
        {
            ["decoder_latents_after"] = stack(after["decoder"]), ["super_res_latents_after"] = stack(after["upsampler"]), ["images"] = images.permute(0, 2, 3, 1),
        };
    }

    private static TextStage Texts(FixtureCase c, PipelineFolder folder) => c.Fixture.Part("texts", () => TextStage.Of(folder, "tokenizer", "text_encoder", keep: true));
}
