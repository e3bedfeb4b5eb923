using System.Diagnostics;
using Alebrije.Models.Autoencoders;
using Alebrije.Models.UNets;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Tensors;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Pipelines;

/// <summary>An image to be enlarged.</summary>
/// <param name="Picture">The image, of any shape, with at most <see cref="MostPixels"/> pixels.</param>
public sealed record UpscaleRequest(RgbImage Picture)
{
    /// <summary>Pixels of the largest image that is taken: it is enlarged as a whole.</summary>
    public const int MostPixels = 512 * 512;

    /// <summary>Seed of all random values; the same seed gives the same image.</summary>
    public ulong Seed { get; init; }

    /// <summary>Steps, 2 to 1000; null takes the model's own number.</summary>
    public int? Steps { get; init; }

    /// <summary>
    /// Text that conditions a model that reads one (Stable Diffusion's upscaler, DeepFloyd IF's second stage); others take none.
    /// </summary>
    public string Prompt { get; init; } = "";

    /// <exception cref="ArgumentException">A value is out of its range.</exception>
    public void Check()
    {
        if (Steps is < 2 or > 1000)
            throw new ArgumentException($"The number of upsampler steps is {Steps}; it has to lie between 2 and 1000.");
        if ((long)Picture.Width * Picture.Height > MostPixels)
            throw new ArgumentException(
                $"The image has {Picture.Width} x {Picture.Height} pixels; "
                    + $"images are enlarged whole, up to {MostPixels:N0} pixels (512 x 512), so cut it or make it smaller first.");
    }
}

/// <summary>An enlarged image and the settings that made it.</summary>
/// <param name="Image">The image.</param>
/// <param name="Request">The request, with every default filled in.</param>
/// <param name="Factor">Factor by which its sides grow.</param>
/// <param name="Seconds">Seconds spent.</param>
public sealed record UpscaleResult(RgbImage Image, UpscaleRequest Request, int Factor, double Seconds);

/// <summary>
/// The upsampler of an unCLIP folder alone, Stable Diffusion's upscaler, or DeepFloyd IF's second stage, for images of any origin. An image
/// is enlarged as a whole and not in tiles, because the network's norms are computed over all of it; sides that it cannot halve are
/// padded with their last pixels for the run. One object serves one call at a time.
/// </summary>
public sealed class UpsamplingPipeline : IDisposable
{
    /// <summary>Pixels of the largest result: what memory has to hold grows with them.</summary>
    private const long MostLargePixels = 1024 * 1024;

    private readonly PipelineFolder folder;
    private readonly Upsampler? upsampler;
    private readonly ImagePipeline? upscaler;
    private readonly int defaultSteps;

    private UpsamplingPipeline(PipelineFolder folder, Upsampler upsampler)
    {
        (this.folder, this.upsampler) = (folder, upsampler);
        defaultSteps = GenerationDefaults.Load(folder.Path).UpsamplerSteps;
        Factor = Math.Max(1, upsampler.Side / DecoderSide(folder));
    }

    private UpsamplingPipeline(PipelineFolder folder, ImagePipeline upscaler)
    {
        (this.folder, this.upscaler, Factor) = (folder, upscaler, upscaler.Decoder.Traits.Enlargement);
        defaultSteps = upscaler.Decoder.Traits.Defaults.Steps;
    }

    /// <summary>The model's name: that of its folder.</summary>
    public string Name => folder.Name;

    /// <summary>Factor by which the sides grow.</summary>
    public int Factor { get; }

    /// <summary>Loads the upsampler of a pipeline folder, and nothing else of it.</summary>
    /// <param name="path">The folder that holds <c>model_index.json</c>.</param>
    /// <param name="precision">Number format of its networks; auto is float32.</param>
    /// <exception cref="CheckpointNotFoundException">The model has no upsampler, or a file is missing.</exception>
    /// <exception cref="WeightsException">A file is damaged, or tensors do not fit the configuration.</exception>
    public static UpsamplingPipeline Load(string path, Precision precision = Precision.Auto)
    {
        TorchRuntime.Initialize();
        var folder = PipelineFolder.Open(path);
        if (PipelineFamilies.DrawsFromTextAlone(folder.ClassName))
        {
            var upscaler = ImagePipeline.Load(path, new ImagePipelineOptions { Precision = precision, CompanionFolders = [] });
            if (upscaler.Decoder.Traits.Enlarges) return new UpsamplingPipeline(folder, upscaler);
            upscaler.Dispose();
        }

        return new UpsamplingPipeline(folder,
            Upsampler.TryLoad(folder, precision == Precision.Auto ? ScalarType.Float32 : Processor.ScalarType(precision))
            ?? throw new CheckpointNotFoundException($"{folder.Name} has "
                + $"no upsampler (component {Upsampler.First}), so it enlarges nothing; name a model that does, such as mini."));
    }

    /// <summary>Enlarges an image.</summary>
    /// <param name="request">Image, seed and steps.</param>
    /// <param name="progress">Called after each step.</param>
    /// <param name="trace">Gets the small image and every prediction.</param>
    /// <param name="cancellation">Checked before every step.</param>
    /// <exception cref="ArgumentException">A value of the request is out of its range.</exception>
    public UpscaleResult Upscale(
        UpscaleRequest request, Action<GenerationProgress>? progress = null,
        GenerationTrace? trace = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        request.Check();
        if ((long)Factor * Factor * request.Picture.Width * request.Picture.Height is var large && large > MostLargePixels)
            throw new ArgumentException(
                $"The image has {request.Picture.Width} x {request.Picture.Height} "
                    + $"pixels, and {Name} makes sides {Factor} times as long: it enlarges "
                        + $"images whole, to {MostLargePixels:N0} pixels (1024 x 1024) at most, so cut it or make it smaller first.");
        request = request with { Steps = request.Steps ?? defaultSteps };
        using var inference = inference_mode();
        using var scope = NewDisposeScope();
        using var noise = new Noise(unchecked((long)request.Seed));
        var clock = Stopwatch.StartNew();
        if (request.Prompt.Length > 0 && upscaler is null)
        {
            throw new ArgumentException(
                $"{Name} enlarges without a text; leave the prompt out, or name a model that reads one (StableDiffusionUpscalePipeline).");
        }

        var image = ImageTensors.ToImages(upscaler is null
            ? Upsampled(request, noise, progress, trace, cancellation) : Upscaled(request, noise, progress, trace, cancellation))[0];
        trace?.Add("picture", image);
        return new UpscaleResult(image, request, Factor, clock.Elapsed.TotalSeconds);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        upsampler?.Dispose();
        upscaler?.Dispose();
    }

    /// <summary>[1, 3, h, w] in [0, 1] by the upsampler.</summary>
    private Tensor Upsampled(UpscaleRequest request, Noise noise,
        Action<GenerationProgress>? progress, GenerationTrace? trace, CancellationToken cancellation)
    {
        var picture = request.Picture;
        var small = tensor(picture.Pixels).reshape(1, picture.Height, picture.Width, 3).permute(0, 3, 1, 2).to(ScalarType.Float32).div(255);
        return upsampler!.Pixels(
            small, (Factor * picture.Height, Factor * picture.Width), request.Steps!.Value, noise,
            progress is null ? null : p => progress(new GenerationProgress("upsampler", p.Step, p.Of)), trace, cancellation);
    }

    /// <summary>[1, 3, h, w] in [0, 1] by <see cref="ImagePipeline.Draw"/>, conditioned on the small image.</summary>
    private Tensor Upscaled(UpscaleRequest request, Noise noise,
        Action<GenerationProgress>? progress, GenerationTrace? trace, CancellationToken cancellation)
    {
        var complete = upscaler!.Complete(new GenerationRequest
        {
            Prompt = request.Prompt, Seed = request.Seed, Steps = request.Steps, From = ImageInput.Of(request.Picture),
        });
        return upscaler.Draw([complete], noise, listeners: new Denoising.DrawListeners
        {
            Progress = progress is null ? null : p => progress(p with { Stage = "upsampler" }), Trace = trace, Cancellation = cancellation,
        }).Pixels;
    }

    /// <summary>Side of the images that the folder's decoder draws, which the upsampler enlarges.</summary>
    private static int DecoderSide(PipelineFolder folder) => folder.Has("decoder")
        ? (ConfigFile.Read<UNet2DConditionConfig>(folder.Of("decoder")).SampleSize ?? [64])[0]
        : (ConfigFile.Read<UNet2DConditionConfig>(folder.Of("unet"))
            .SampleSize ?? [64])[0] * ConfigFile.Read<AutoencoderKLConfig>(folder.Of("vae")).Factor;
}
