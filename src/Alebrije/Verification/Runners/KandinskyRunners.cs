using Alebrije.Pipelines;
using Alebrije.Pipelines.Kandinsky;
using Alebrije.Pipelines.Priors;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Tensors;
using Alebrije.Weights;
using static TorchSharp.torch;

namespace Alebrije.Verification.Runners;

/// <summary>Kandinsky's priors and decoders with the reference's draws in place of random numbers.</summary>
internal static class KandinskyRunners
{
    private const int DefaultPriorSteps = 25, DefaultSteps = 100, DefaultSize = 512;

    /// <summary>The prior's pipelines: image embeddings of texts, also from a picture's embedding on.</summary>
    public static IReadOnlyDictionary<string, Tensor> Prior(FixtureCase c)
    {
        using var guard = no_grad();
        using var noise = Noise.Replay(c.Draws.Select(c.Input));
        var (prior, how, after) = (PriorOf(c), HowOf(c), new List<Tensor>());
        if (c.HasInput("image"))
            how = how with { Start = prior.EncodeImages([UnClipRunners.Picture(c.Input("image"))]), Strength = c.Number("strength", 0.3) };
        var (image, negative) = prior.Draw(c.Texts("prompt")!, c.Texts("negative_prompt"), how, noise, after);
        return Outputs(after, image, negative);
    }

    /// <summary>The prior's interpolate: a weighted sum.</summary>
    public static IReadOnlyDictionary<string, Tensor> Mix(FixtureCase c)
    {
        using var guard = no_grad();
        using var noise = Noise.Replay(c.Draws.Select(c.Input));
        var after = new List<Tensor>();
        var weights = c.Argument("weights")!.Value.EnumerateArray().Select(weight => weight.GetDouble());
        var parts = c.Texts("conditions")!.Zip(weights, (what, weight) => what.StartsWith('@')
            ? ((string?)null, (RgbImage?)UnClipRunners.Picture(c.Input(what[1..])), weight)
            : (what, null, weight)).ToArray();
        var (image, negative) = PriorOf(c).Mix(parts, (c.Texts("negative_prompt")?[0] ?? "", c.Texts("negative_prior_prompt")?[0]), HowOf(c), noise, after);
        return Outputs(after, image, negative);
    }

    /// <summary>The decoder's pipelines: from noise, from a picture, around a part of one, along a depth map.</summary>
    public static IReadOnlyDictionary<string, Tensor> Decoder(FixtureCase c)
    {
        using var guard = no_grad();
        using var noise = Noise.Replay(c.Draws.Select(c.Input));
        var decoder = c.Fixture.Part("decoder", () => new KandinskyDecoder(PipelineFolder.Open(c.Fixture.Model(c.Component)), ScalarType.Float32, keep: true));
        var (height, width) = ((int)c.Number("height", DefaultSize), (int)c.Number("width", DefaultSize));
        var image = c.Input("image_embeds");
        var conditions = new DecoderConditions(image) { NegativeImage = c.Input("negative_image_embeds"), Hint = c.OptionalInput("hint") };
        if (c.Texts("prompt") is { } prompts) conditions = conditions with { Prompts = prompts };
        if (c.Texts("negative_prompt") is { } negatives) conditions = conditions with { Negatives = negatives };
        if (c.HasInput("image"))
            conditions = conditions with { Picture = ImageTensors.FromImage(PillowReduce.Resize(UnClipRunners.Picture(c.Input("image")), width, height)) };
        if (c.OptionalInput("mask_image") is { } mask)
        {
            var grey = new PillowImage(PixelMode.Grey, (int)mask.shape[1], (int)mask.shape[0], mask.bytes.ToArray());
            conditions = conditions with { Repaint = ImageTensors.FromMask(grey, height, width) };
        }

        var after = new List<Tensor>();
        var run = new DecoderRun((int)c.Number("num_inference_steps", DefaultSteps), c.Number("guidance_scale", 4))
        {
            Height = height, Width = width, Strength = c.Number("strength", 1), After = (_, x) => after.Add(x.clone().DetachFromDisposeScope()),
        };
        var images = decoder.Draw(conditions, run, noise);
        return new Dictionary<string, Tensor> { ["latents_after"] = stack(after), ["images"] = images.permute(0, 2, 3, 1) };
    }

    private static KandinskyPrior PriorOf(FixtureCase c) =>
        c.Fixture.Part("prior", () =>
        {
            var folder = PipelineFolder.Open(c.Fixture.Model(c.Component));
            return new KandinskyPrior(TextStage.Of(folder, "tokenizer", "text_encoder", keep: true), UnClipRunners.Prior(folder, "scheduler"),
                ImageStage.Of(folder, "image_processor", "image_encoder", keep: true));
        });

    private static PriorDraw HowOf(FixtureCase c) => new((int)c.Number("num_inference_steps", DefaultPriorSteps), c.Number("guidance_scale", 4));

    private static Dictionary<string, Tensor> Outputs(List<Tensor> after, Tensor image, Tensor negative) => new()
    {
        ["latents_after"] = stack(after), ["image_embeds"] = image, ["negative_image_embeds"] = negative,
    };
}
