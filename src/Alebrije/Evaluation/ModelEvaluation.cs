using System.Diagnostics;
using Alebrije.Datasets;
using Alebrije.Pipelines;
using Alebrije.Pipelines.Priors;
using Alebrije.Pipelines.Denoising;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Evaluation;

/// <summary>Result of an evaluation.</summary>
/// <param name="Model">The model's name.</param>
/// <param name="Seed">Seed of scenes, draws and noise.</param>
/// <param name="Metrics">Figures by part: <c>clip</c>, <c>autoencoder</c>, <c>prior</c>, <c>decoder</c>, <c>upsampler</c>.</param>
/// <param name="Left">Omitted parts and figures with reasons, for display.</param>
/// <param name="Concepts">Results by core concept if requested, else empty.</param>
/// <param name="Seconds">Duration in seconds.</param>
public sealed record EvaluationResult(
    string Model, ulong Seed, MetricGroup Metrics, IReadOnlyList<string> Left, IReadOnlyList<DrawnConcept> Concepts, double Seconds);

/// <summary>
/// Evaluation of a text-to-image model on held-out scenes of <see cref="EmojiWorld"/>; each figure has a 95 % interval and
/// baselines. The same seed and count give the same figures.
/// </summary>
public static class ModelEvaluation
{
    /// <summary>Evaluates the requested parts.</summary>
    /// <param name="pipeline">The model. No other call may use it meanwhile.</param>
    /// <param name="world">The world of its training data.</param>
    /// <param name="options">Options; null evaluates all parts.</param>
    /// <param name="cancellation">Stops between batches.</param>
    /// <exception cref="ArgumentException">An option is out of its range.</exception>
    /// <exception cref="InvalidOperationException">The folder lacks a network that a part needs.</exception>
    public static EvaluationResult Run(
        ImagePipeline pipeline, EmojiWorld world, EvaluationOptions? options = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(pipeline);
        ArgumentNullException.ThrowIfNull(world);
        options ??= new EvaluationOptions();
        options.Check();
        using var inference = inference_mode();
        using var scope = NewDisposeScope();
        var clock = Stopwatch.StartNew();
        var sizes = EvaluationSizes.For(options.Count);
        var scenes = new EvaluationScenes(world, options.Seed);
        var space = JointSpace.Of(pipeline.Embedder);
        var painter = new TextToPictures(pipeline, options.Seed);
        var judge = new Lazy<PictureJudge>(() => new PictureJudge(space, world));
        var sheets = new PictureSheets(options.Folder);
        var (metrics, left) = (new MetricGroup(), new List<string>());
        foreach (var part in Enum.GetValues<EvaluationPart>()
            .Where(part => part != EvaluationPart.Flamingo && options.Parts.Contains(part)))
        {
            var report = Reporter(options, part, cancellation);
            var (codec, upsampler) = (pipeline.Decoder.Codec as KlCodec, pipeline.Decoder.Upsampler);
            if ((part == EvaluationPart.Autoencoder && codec is null)
                || (part == EvaluationPart.Upsampler && (codec is null || upsampler is null)))
            {
                left.Add($"{NameOf(part)}: the model has none (folder {(part == EvaluationPart.Upsampler ? Upsampler.First : "vae")}).");
                continue;
            }

            metrics.Add(NameOf(part), part switch
            {
                EvaluationPart.Clip => ClipEvaluation.Measure(space, scenes, sizes.Singles, sizes.Pairs, progress: report),
                EvaluationPart.Autoencoder =>
                    codec!.Network.Use(vae => AutoencoderEvaluation.Measure(vae, scenes, sizes.Pictures, sheets, report)),
                EvaluationPart.Upsampler => codec!.Network.Use(vae => UpsamplerEvaluation.Measure(
                    upsampler!, vae, scenes, sizes.Enlarged, pipeline.Decoder.Traits.Defaults.UpsamplerSteps, sheets, report)),
                EvaluationPart.Prior => Priors(report),
                _ => new DecoderEvaluation(painter, judge.Value, scenes, sheets).Measure(sizes, report),
            });
            var expected = options.DrawsByPrior ? PriorFolder.Names.Keys : [PriorKind.Linear];
            foreach (var kind in part is EvaluationPart.Prior or EvaluationPart.Decoder ? expected.Where(kind => !painter.Has(kind)) : [])
                left.Add($"{NameOf(part)}: the {PriorNames.Of(kind)} prior: the model has none (folder {PriorFolder.Names[kind]}).");
        }

        IReadOnlyList<DrawnConcept> concepts = options.PicturesPerConcept == 0
            ? []
            : new ConceptSurvey(painter, judge.Value, scenes).Draw(world.CoreConcepts,
                options.PicturesPerConcept, Reporter(options, EvaluationPart.Decoder, cancellation));
        return new EvaluationResult(pipeline.Name, options.Seed, metrics, left, concepts, clock.Elapsed.TotalSeconds);

        MetricGroup Priors(Action<string, int, int> report)
        {
            var group = new PriorEvaluation(pipeline.Embedder, painter, space, scenes).Measure(sizes.Prior, sizes.KnownPairs, report);
            if (options.DrawsByPrior) new PriorGallery(painter, judge.Value, scenes, sheets).Measure(group, sizes.Core, report);
            return group;
        }
    }

    private static Action<string, int, int> Reporter(EvaluationOptions options, EvaluationPart part, CancellationToken cancellation) =>
        (doing, done, of) =>
    {
        cancellation.ThrowIfCancellationRequested();
        options.OnProgress?.Invoke(new EvaluationProgress(part, doing, done, of));
    };

    /// <summary>A part's name in metrics and on the command line.</summary>
    public static string NameOf(EvaluationPart part) => part switch
    {
        EvaluationPart.Clip => "clip",
        EvaluationPart.Autoencoder => "autoencoder",
        EvaluationPart.Prior => "prior",
        EvaluationPart.Upsampler => "upsampler",
        EvaluationPart.Flamingo => "flamingo",
        _ => "decoder",
    };
}
