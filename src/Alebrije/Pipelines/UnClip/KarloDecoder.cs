using Alebrije.Diffusion;
using Alebrije.Models.Priors;
using Alebrije.Models.UNets;
using Alebrije.Nn;
using Alebrije.Tensors;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Pipelines.UnClip;

/// <summary>
/// Karlo's decoder and its two upsamplers: a small picture from image embedding and text, then 7 steps at full size, the last by a network of its own
/// (diffusers, pipelines/unclip/pipeline_unclip.py and pipeline_unclip_image_variation.py; the order of random draws is theirs).
/// </summary>
internal sealed class KarloDecoder : IUnClipDecoder
{
    /// <summary>Steps of the upsampler in the reference's pipelines.</summary>
    public const int DefaultUpsamplerSteps = 7;

    private readonly TextStage texts;
    private readonly Component<UnClipTextProjection> projection;
    private readonly Component<UNet2DConditionModel> decoder;
    private readonly Upsampler upsampler;
    private readonly SchedulerConfig decoderScheduler;
    private readonly UNet2DConditionConfig config;
    private readonly ScalarType type;

    /// <param name="folder">A UnCLIPPipeline or UnCLIPImageVariationPipeline.</param>
    /// <param name="texts">Its tokenizer and text encoder, shared with the prior.</param>
    /// <param name="type">Type in which the large networks compute.</param>
    /// <param name="keep">Whether networks stay in memory between two calls.</param>
    public KarloDecoder(PipelineFolder folder, TextStage texts, ScalarType type, bool keep)
    {
        (this.texts, this.type) = (texts, type);
        config = ConfigFile.Read<UNet2DConditionConfig>(folder.Of("decoder"));
        var textConfig = ConfigFile.Read<UnClipTextProjectionConfig>(folder.Of("text_proj"));
        upsampler = Upsampler.TryLoad(folder, type, keep) ?? throw new WeightsException($"{folder.Path} lacks the upsampler (component {Upsampler.First}) that {folder.ClassName} has.");
        Features = textConfig.ClipEmbeddingsDim;
        projection = new(() => folder.Load("text_proj", () => new UnClipTextProjection(textConfig)), keep);
        decoder = new(() => folder.Load("decoder", () => new UNet2DConditionModel(config), type: type), keep);
        decoderScheduler = SchedulerConfig.Load(folder.Of("decoder_scheduler"));
    }

    /// <inheritdoc/>
    public int Features { get; }

    /// <inheritdoc/>
    public int Size => upsampler.Side;

    /// <inheritdoc/>
    public int SizeStep => Size;

    /// <inheritdoc/>
    public bool HasFreeSize => false;

    /// <inheritdoc/>
    public int? UpsampledSize => null;

    /// <summary>Side of the small picture.</summary>
    private int SmallSize => (config.SampleSize ?? [64])[0];

    /// <inheritdoc/>
    public ScalarType Type => type;

    /// <inheritdoc/>
    public long[] StartShape(int size) => [1, config.InChannels, SmallSize, SmallSize];

    /// <inheritdoc/>
    public Tensor Draw(DecoderConditions conditions, DecoderRun run, Noise noise)
    {
        using var scope = NewDisposeScope();
        var small = DrawSmall(conditions, run, noise);
        var told = run.Progress("upsampler");
        return upsampler.Pixels(small.div(2).add(0.5), (Size, Size), run.UpsamplerSteps ?? DefaultUpsamplerSteps, noise, p =>
        {
            run.After?.Invoke("upsampler", p.Sample);
            told(p);
        }, run.Trace, run.Cancellation).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public Tensor Invert(DecoderConditions conditions, DecoderRun run)
    {
        using var scope = NewDisposeScope();
        var picture = conditions.Picture ?? throw new ArgumentException("There is no picture to invert.");
        using var loan = decoder.Borrow();
        using var scheduler = new DdimInverseScheduler(decoderScheduler.ForDdim());
        scheduler.SetTimesteps(run.Steps);
        using var silent = new Noise(0);
        var start = Bicubic.Resize(picture, SmallSize, SmallSize);
        return Sampling.Run(scheduler, Conditioned(loan.Value, conditions, run with { Guidance = 1 }), start, silent, new SamplingOptions { Progress = run.Progress("inversion") }, run.Cancellation)
            .MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        texts.Dispose();
        projection.Dispose();
        decoder.Dispose();
        upsampler.Dispose();
    }

    /// <summary>[batch, 3, small, small] in [-1, 1]</summary>
    private Tensor DrawSmall(DecoderConditions conditions, DecoderRun run, Noise noise)
    {
        using var loan = decoder.Borrow();
        using var scheduler = DecoderSampling.Scheduler(decoderScheduler, run);
        scheduler.SetTimesteps(run.Steps);
        var batch = conditions.Image.shape[0];
        var known = conditions.Picture is { } picture ? Bicubic.Resize(picture, SmallSize, SmallSize).expand(batch, -1, -1, -1) : null;
        var begin = DecoderSampling.Begin(scheduler, run, noise, [batch, config.InChannels, SmallSize, SmallSize], known, repaints: conditions.Repaint is not null);
        run.Trace?.Add("decoder noise", begin.Start);
        var denoiser = Conditioned(loan.Value, conditions, run);
        if (run.Pull is { } pull) denoiser = Guidance.Pulled(denoiser, scheduler, pull.Score, pull.Scale);
        var options = DecoderSampling.Options(scheduler, run, begin, known, conditions.Repaint, x => x.div(2).add(0.5));
        return Sampling.Run(scheduler, denoiser, begin.Start, noise, options, run.Cancellation).clamp(-1, 1);
    }

    private Denoiser Conditioned(UNet2DConditionModel network, DecoderConditions conditions, DecoderRun run)
    {
        var guided = run.Guidance > 1;
        var text = texts.Encode(conditions.Prompts, note: run.Note);
        if (guided) text = text.After(texts.Encode(conditions.Negatives, note: run.Note));
        var (context, time) = projection.Use(head => head.Condition(
            conditions.WithoutEmbedding ? head.NullEmbedding.unsqueeze(0).expand_as(conditions.Image) : conditions.Image, text.TextEmbedding, text.TextEncodings!));
        var extra = context.shape[1] - text.TextEncodings!.shape[1];
        var bound = new UNetConditions(context)
        {
            ClassLabels = time,
            TextMask = nn.functional.pad(text.TextMask!.to(ScalarType.Float32), (extra, 0), value: 1),
        };
        var denoiser = DecoderSampling.Bind((network, "decoder"), bound, type, run);
        return guided ? Guidance.ClassifierFree(denoiser, run.Guidance) : denoiser;
    }
}
