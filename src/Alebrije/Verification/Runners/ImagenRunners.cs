using Alebrije.Pipelines;
using Alebrije.Pipelines.Imagen;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Tensors;
using Alebrije.Weights;
using static TorchSharp.torch;

namespace Alebrije.Verification.Runners;

/// <summary>DeepFloyd IF's stages with the reference's draws in place of random numbers.</summary>
internal static class ImagenRunners
{
    private const int DefaultSteps = 100, LaterSteps = 50;
    private const double DefaultGuidance = 7, LaterGuidance = 4;

    /// <summary>From a text, from a picture, from a small picture.</summary>
    public static IReadOnlyDictionary<string, Tensor> Draw(FixtureCase c)
    {
        using var guard = no_grad();
        using var noise = Noise.Replay(c.Draws.Select(c.Input));
        var decoder = c.Fixture.Part("decoder", () => new ImagenDecoder(PipelineFolder.Open(c.Fixture.Model(c.Component)), ScalarType.Float32, keep: true));
        var conditions = new ImagenConditions(c.Texts("prompt") ?? throw new WeightsException($"case {c.Id} lacks the argument prompt."))
        {
            Cleans = c.Argument("clean_caption")?.GetBoolean() ?? true,
        };
        if (c.Texts("negative_prompt") is { } negatives) conditions = conditions with { Negatives = negatives };
        var (height, width) = ((int)c.Number("height", decoder.Size), (int)c.Number("width", decoder.Size));
        if (c.HasInput("image"))
        {
            var image = c.Input("image");
            if (image.dtype != ScalarType.Byte) conditions = conditions with { Picture = image };
            else
            {
                var given = UnClipRunners.Picture(image);
                (height, width) = ImagenSizes.Of(given.Height, given.Width, decoder.Size);
                conditions = conditions with { Picture = ImageTensors.FromImage(given.Resize(width, height)) };
            }
        }

        var after = new List<Tensor>();
        var run = new DecoderRun((int)c.Number("num_inference_steps", decoder.IsUpscaler ? LaterSteps : DefaultSteps), c.Number("guidance_scale", decoder.IsUpscaler ? LaterGuidance : DefaultGuidance))
        {
            Height = height, Width = width, Strength = c.Number("strength", 0.7), NoiseLevel = (int)c.Number("noise_level", 250),
            After = (_, x) => after.Add(x.clone().DetachFromDisposeScope()),
        };
        var images = decoder.Draw(conditions, run, noise);
        return new Dictionary<string, Tensor> { ["latents_after"] = stack(after), ["images"] = images.permute(0, 2, 3, 1) };
    }
}
