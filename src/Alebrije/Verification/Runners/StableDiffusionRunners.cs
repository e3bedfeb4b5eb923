using Alebrije.Pipelines;
using Alebrije.Pipelines.StableDiffusion;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Tensors;
using Alebrije.Weights;
using static TorchSharp.torch;

namespace Alebrije.Verification.Runners;

/// <summary>Stable Diffusion 1, 2, XL and the x4 upscaler, with the reference's draws in place of random numbers.</summary>
internal static class StableDiffusionRunners
{
    private const int DefaultSteps = 50;
    private const double DefaultGuidance = 7.5, DefaultXlGuidance = 5, DefaultUpscalerGuidance = 9;

    /// <summary>All of its pipelines: from noise, from a picture, around a part of one, from a small one.</summary>
    public static IReadOnlyDictionary<string, Tensor> Draw(FixtureCase c)
    {
        using var guard = no_grad();
        using var noise = Noise.Replay(c.Draws.Select(c.Input));
        var pipeline = c.Pipeline ?? c.Fixture.ReferenceClass;
        var decoder = c.Fixture.Part("decoder", () => new StableDiffusionDecoder(PipelineFolder.Open(c.Fixture.Model(c.Component)), ScalarType.Float32, keep: true));
        var picture = c.HasInput("image") ? UnClipRunners.Picture(c.Input("image")) : null;
        var conditions = new LatentConditions(c.Texts("prompt") ?? throw new WeightsException($"case {c.Id} lacks the argument prompt."))
        {
            Negatives = c.Texts("negative_prompt"), SecondPrompts = c.Texts("prompt_2"), SkippedBlocks = (int)c.Number("clip_skip", 0),
            OriginalSize = Pair(c, "original_size"), TargetSize = Pair(c, "target_size"), Crop = Pair(c, "crops_coords_top_left") ?? (0, 0),
        };
        var (height, width) = picture is null || c.Argument("height") is not null
            ? ((int)c.Number("height", decoder.Size), (int)c.Number("width", decoder.Size))
            : (picture.Height / decoder.Factor * decoder.Factor, picture.Width / decoder.Factor * decoder.Factor);
        if (decoder.IsUpscaler) conditions = conditions with { Picture = ImageTensors.FromImage(picture!) };
        else if (picture is not null) conditions = conditions with { Picture = ImageTensors.FromImage(picture.Resize(width, height, ResizeFilter.Lanczos)) };
        if (c.OptionalInput("mask_image") is { } mask)
        {
            var grey = new PillowImage(PixelMode.Grey, (int)mask.shape[1], (int)mask.shape[0], mask.bytes.ToArray());
            conditions = conditions with { Repaint = ImageTensors.FromMask(grey, height, width) };
        }

        var after = new List<Tensor>();
        var scale = decoder.IsUpscaler ? DefaultUpscalerGuidance : pipeline.Contains("XL", StringComparison.Ordinal) ? DefaultXlGuidance : DefaultGuidance;
        var run = new DecoderRun((int)c.Number("num_inference_steps", DefaultSteps), c.Number("guidance_scale", scale))
        {
            Height = height, Width = width, Strength = c.Number("strength", pipeline.Contains("Img2Img", StringComparison.Ordinal) ? pipeline.Contains("XL", StringComparison.Ordinal) ? 0.3 : 0.8 : 1),
            Rescale = c.Number("guidance_rescale", 0), NoiseLevel = (int)c.Number("noise_level", 20), After = (_, x) => after.Add(x.clone().DetachFromDisposeScope()),
        };
        var images = decoder.Draw(conditions, run, noise);
        return new Dictionary<string, Tensor> { ["latents_after"] = stack(after), ["images"] = images.permute(0, 2, 3, 1) };
    }

    private static (int, int)? Pair(FixtureCase c, string name) =>
        c.Argument(name) is { } value && value.EnumerateArray().Select(number => number.GetInt32()).ToArray() is [var first, var second] ? (first, second) : null;
}
