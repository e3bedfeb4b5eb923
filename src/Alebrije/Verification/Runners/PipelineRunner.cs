using Alebrije.Pipelines;
using Alebrije.Pipelines.Denoising;
using Alebrije.Pipelines.Priors;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Tensors;
using Alebrije.Weights;
using static TorchSharp.torch;

namespace Alebrije.Verification.Runners;

/// <summary>Pipelines of every family, run by <see cref="ImagePipeline.Draw"/> with the reference's draws as random numbers.</summary>
internal static class PipelineRunner
{
    /// <summary>Text-to-image, image-to-image and inpainting.</summary>
    public static IReadOnlyDictionary<string, Tensor> Draw(FixtureCase c)
    {
        using var guard = no_grad();
        using var noise = Noise.Replay(c.Draws.Select(c.Input));
        var pipeline = c.Fixture.Part("pipeline " + c.Component, () => ImagePipeline.Load(
            c.Fixture.Model(c.Component),
            new ImagePipelineOptions { Precision = Precision.Fp32, KeepLoaded = true, WithoutPrior = c.HasInput("image_embeds") }));
        var given = Given(c, pipeline);
        var requests = given.Prompts.Select(prompt => pipeline.Complete(Request(c, pipeline, prompt), promptNeeded: false, given))
            .ToArray();
        var after = new Dictionary<string, List<Tensor>>();
        var drawn = pipeline.Draw(requests, noise, given,
            listeners: new DrawListeners { After = (stage, sample) => Keep(after, stage, sample) });
        var outputs = new Dictionary<string, Tensor> { ["images"] = drawn.Pixels.permute(0, 2, 3, 1) };
        if (drawn.Embedding is { } embedding) outputs["image_embedding"] = embedding;
        foreach (var (stage, samples) in after)
            foreach (var name in NamesOf(stage)) outputs[name] = stack(samples);
        return outputs;
    }

    /// <summary>Image embeddings of texts, optionally starting from an image's embedding.</summary>
    public static IReadOnlyDictionary<string, Tensor> Prior(FixtureCase c)
    {
        using var guard = no_grad();
        using var noise = Noise.Replay(c.Draws.Select(c.Input));
        var (embedder, after) = (Embedder(c), new Dictionary<string, List<Tensor>>());
        var options = Options(after);
        if (c.HasInput("image"))
            options = options with { Start = embedder.EncodeImages([Picture(c.Input("image"))]), Strength = c.Number("strength", 0.3) };
        var negatives = c.Texts("negative_prompt");
        var requests = c.Texts("prompt")!.Select((prompt, i) => PriorRequest(c, prompt, negatives?[i] ?? "")).ToArray();
        return Embeddings(after, embedder.Draw(requests, noise, options, note: null));
    }

    /// <summary>A weighted sum of embeddings of texts and images; linear, not spherical, as in the reference.</summary>
    public static IReadOnlyDictionary<string, Tensor> Mix(FixtureCase c)
    {
        using var guard = no_grad();
        using var noise = Noise.Replay(c.Draws.Select(c.Input));
        var (embedder, after) = (Embedder(c), new Dictionary<string, List<Tensor>>());
        var beside = c.Texts("negative_prior_prompt")?[0] ?? "";
        var sum = zeros(1, embedder.Features);
        foreach (var (what, weight) in c.Texts("conditions")!.Zip(c.Argument("weights")!.Value.EnumerateArray()
            .Select(weight => weight.GetDouble())))
            sum = sum + (weight * (what.StartsWith('@') ? embedder.EncodeImages([Picture(c.Input(what[1..]))]) : Drawn(what).Image));
        var negative = c.Texts("negative_prompt")?[0] ?? "";
        var away = Drawn(negative);
        return Embeddings(after, away with { Image = sum, Negative = negative.Length == 0 ? away.Negative : away.Image });

        DrawnEmbedding Drawn(string text) => embedder.Draw([PriorRequest(c, text, beside)], noise, Options(after), note: null);
    }

    /// <summary>An image of a fixture.</summary>
    /// <param name="pixels">[h, w, 3] uint8</param>
    internal static RgbImage Picture(Tensor pixels) => new((int)pixels.shape[1], (int)pixels.shape[0], pixels.bytes.ToArray());

    private static GenerationRequest Request(FixtureCase c, ImagePipeline pipeline, string prompt)
    {
        // An image that conditions by its embedding is not an initial image.
        var initial = c.HasInput("image") && !VariesImages(c, pipeline) && c.Input("image").dtype == ScalarType.Byte;
        return new GenerationRequest
        {
            Prompt = prompt,
            Steps = Whole(c, "num_inference_steps") ?? Whole(c, "decoder_num_inference_steps"),
            Guidance = Real(c, "guidance_scale") ?? Real(c, "decoder_guidance_scale"),
            PriorSteps = Whole(c, "prior_num_inference_steps"), PriorGuidance = Real(c, "prior_guidance_scale"),
            UpsamplerSteps = Whole(c, "super_res_num_inference_steps"),
            Height = Whole(c, "height"), Width = Whole(c, "width"), NoiseLevel = Whole(c, "noise_level"),
            Rescale = Real(c, "guidance_rescale"), ClipSkip = Whole(c, "clip_skip"),
            From = initial ? ImageInput.Of(Picture(c.Input("image"))) : null, Strength = initial ? Real(c, "strength") : null,
            Mask = c.OptionalInput("mask_image") is { } mask
            ? ImageInput.Of(Picture(mask.unsqueeze(-1).expand(-1, -1, 3).contiguous())) : null,
        };
    }

    /// <summary>Conditions outside the request.</summary>
    private static DrawConditions Given(FixtureCase c, ImagePipeline pipeline)
    {
        var embedding = c.OptionalInput("image_embeds") ?? c.OptionalInput("image_embeddings");
        if (embedding is null && VariesImages(c, pipeline))
            embedding = pipeline.Embedder.EncodeImages([Picture(c.Input("image"))])
                .repeat_interleave((int)c.Number("num_images_per_prompt", 1), 0);
        var given = c.Texts("prompt") is { } prompts ? new DrawConditions(prompts)
            : DrawConditions.Of(embedding ?? throw new WeightsException($"case {c.Id} lacks the argument prompt."));
        given = given with
        {
            Image = embedding, NegativeImage = c.OptionalInput("negative_image_embeds"), Hint = c.OptionalInput("hint"),
            Negatives = c.Texts("negative_prompt"), SecondPrompts = c.Texts("prompt_2"),
            CleansCaptions = c.Argument("clean_caption")?.GetBoolean() ?? true,
            OriginalSize = Pair(c, "original_size"), TargetSize = Pair(c, "target_size"), Crop = Pair(c, "crops_coords_top_left") ?? (0, 0),
        };
        if (c.OptionalInput("image") is not { } image || image.dtype == ScalarType.Byte) return given;
        return pipeline.Decoder.Traits.Enlarges ? given with { Small = image } : given with { Picture = image };
    }

    /// <summary>True for unCLIP pipelines that vary an image by its embedding.</summary>
    private static bool VariesImages(FixtureCase c, ImagePipeline pipeline) =>
        c.HasInput("image") && !c.HasInput("image_embeds") && pipeline.HasImageEncoder;

    private static GenerationRequest PriorRequest(FixtureCase c, string prompt, string negative) => new()
    {
        Prompt = prompt, Negative = negative, PriorSteps = (int)c.Number("num_inference_steps", 25),
        PriorGuidance = c.Number("guidance_scale", 4),
    };

    private static PriorStage Embedder(FixtureCase c) => c.Fixture.Part(
        "embedder", () => PipelineFamilies.Embedder(PipelineFolder.Open(c.Fixture.Model(c.Component)), ScalarType.Float32, keep: true));

    private static PriorOptions Options(Dictionary<string, List<Tensor>> after) =>
        new(1, 1) { After = sample => Keep(after, "prior", sample) };

    private static Dictionary<string, Tensor> Embeddings(Dictionary<string, List<Tensor>> after, DrawnEmbedding drawn) => new()
    {
        ["latents_after"] = stack(after["prior"]), ["image_embeds"] = drawn.Image,
            ["negative_image_embeds"] = drawn.Negative!.expand_as(drawn.Image),
    };

    private static void Keep(Dictionary<string, List<Tensor>> after, string stage, Tensor sample)
    {
        if (!after.TryGetValue(stage, out var samples)) after[stage] = samples = [];
        samples.Add(sample.clone().DetachFromDisposeScope());
    }

    /// <summary>Names of a stage's samples in the reference's fixtures.</summary>
    private static string[] NamesOf(string stage) => stage switch
    {
        "prior" => ["prior_latents_after"],
        "decoder" => ["latents_after", "decoder_latents_after"],
        _ => ["super_res_latents_after"],
    };

    private static int? Whole(FixtureCase c, string name) => c.Argument(name)?.GetInt32();

    private static double? Real(FixtureCase c, string name) => c.Argument(name)?.GetDouble();

    private static (int, int)? Pair(FixtureCase c, string name) =>
        c.Argument(name) is { } value && value.EnumerateArray().Select(number => number.GetInt32())
        .ToArray() is [var first, var second] ? (first, second) : null;
}
