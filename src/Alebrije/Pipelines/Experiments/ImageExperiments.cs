using System.Globalization;
using Alebrije.Models.Clip;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Tensors;
using static TorchSharp.torch;

namespace Alebrije.Pipelines.Experiments;

/// <summary>
/// Experiments of the DALL-E 2 paper (Ramesh et al., 2022, §3 to §5), on any model of unCLIP. Every image is drawn alone from the seed, so
/// that the same experiment gives the same images whatever their number.
/// </summary>
/// <param name="pipeline">The model; no other call may use it during the run.</param>
public sealed class ImageExperiments(ImagePipeline pipeline)
{
    /// <summary>Eta of variations: enough noise is put back to change the details that the embedding does not determine.</summary>
    private const double VariationEta = 1;

    private static readonly int[] PaperComponents = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512];

    /// <summary>Runs an experiment.</summary>
    /// <param name="experiment">The experiment to run.</param>
    /// <param name="progress">Called after each step with images done, total, and the stage within one.</param>
    /// <param name="drawn">Called after each finished image with the result so far, of which it is the last.</param>
    /// <param name="cancellation">Stops between two steps.</param>
    /// <exception cref="ArgumentException">A value is missing or out of its range.</exception>
    /// <exception cref="InvalidOperationException">The model lacks a prior or an image encoder that the experiment needs.</exception>
    /// <exception cref="FileNotFoundException">An image is missing.</exception>
    /// <exception cref="ImageFormatException">A file is not an image.</exception>
    public ExperimentResult Run(
        PictureExperiment experiment, Action<int, int, GenerationProgress>? progress = null,
        Action<ExperimentResult>? drawn = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(experiment);
        experiment.Check();
        experiment = experiment with { Request = pipeline.Complete(experiment.Request, promptNeeded: false) };
        using var guard = no_grad();
        using var scope = NewDisposeScope();
        var draw = new Drawing(pipeline, experiment, progress, cancellation);
        var (asked, given, pictures, columns) = experiment.Kind switch
        {
            ExperimentKind.Vary => Vary(draw),
            ExperimentKind.Interpolate => draw.HasEmbeddings ? Interpolate(draw) : InterpolateWithoutEmbeddings(draw),
            ExperimentKind.Mix => Mix(draw),
            ExperimentKind.TextDiff => TextDiff(draw),
            ExperimentKind.PcaReconstruct => Rebuild(draw),
            ExperimentKind.Inpaint => Inpaint(draw),
            _ => Sweep(draw),
        };
        var result = new ExperimentResult(asked, given, [], columns)
        {
            PriorFrom = pipeline.HasPrior ? pipeline.Embedder.Priors.From(experiment.Request.Prior) : null,
            Precision = pipeline.Precision, Threads = TorchRuntime.Threads, Single = pipeline.Single,
        };
        foreach (var picture in pictures)
        {
            result = result with { Pictures = [.. result.Pictures, picture] };
            drawn?.Invoke(result);
        }

        return result with { Notes = [.. draw.Notes] };
    }

    /// <summary>DDIM inversion keeps the layout, eta puts noise back: details that the embedding does not determine change.</summary>
    private static ExperimentPlan Vary(Drawing draw)
    {
        var experiment = draw.Experiment;
        experiment = experiment with { Request = experiment.Request with { Eta = experiment.Request.Eta ?? VariationEta } };
        var part = draw.Embed(experiment.Parts[0]);
        var start = experiment.Invert ? draw.Invert(part) : null;
        var pictures = Enumerable.Range(0, experiment.Count).Select(i =>
        {
            var picture = draw.Picture(part.Image, part.Negative, experiment.Request with { Seed = experiment.Request.Seed + (ulong)i },
                start, i, experiment.Count);
            return draw.Labelled(picture, Text($"{experiment.Request.Seed + (ulong)i}"), part);
        });
        return new ExperimentPlan(experiment, [part.Given], pictures, Columns: Math.Min(6, experiment.Count + 1));
    }

    /// <summary>One noise for all positions, or the path between the noises of both images.</summary>
    private static ExperimentPlan Interpolate(Drawing draw)
    {
        var experiment = draw.Experiment;
        var (a, b) = (draw.Embed(experiment.Parts[0]), draw.Embed(experiment.Parts[1]));
        var inverted = experiment.Invert && a.Picture is not null && b.Picture is not null;
        var (noiseA, noiseB) = inverted ? (draw.Invert(a), draw.Invert(b)) : (draw.Noise(), null);
        var pictures = Enumerable.Range(0, experiment.Count).Select(i =>
        {
            var share = experiment.Count == 1 ? 0.5 : (double)i / (experiment.Count - 1);
            var image = experiment.Straight ? EmbeddingPaths.Lerp(a.Image, b.Image, share) : EmbeddingPaths.Slerp(a.Image, b.Image, share);
            var start = noiseB is null ? noiseA : EmbeddingPaths.Slerp(noiseA.flatten(1), noiseB.flatten(1), share).reshape(noiseA.shape);
            var picture = draw.Picture(image, a.Negative, experiment.Request with { Eta = experiment.Request.Eta ?? 0 },
                start, i, experiment.Count);
            return draw.Labelled(picture, Text($"{share:0.##}"), a, b);
        });
        return new ExperimentPlan(experiment, [.. new[] { a, b }.Where(end => end.Picture is not null).Select(end => end.Given)],
            pictures, Columns: Math.Min(12, experiment.Count + new[] { a, b }.Count(end => end.Picture is not null)));
    }

    /// <summary>
    /// Models that draw from text alone: between the encodings of two prompts with one noise, or between the noises of two images under one
    /// prompt.
    /// </summary>
    private static ExperimentPlan InterpolateWithoutEmbeddings(Drawing draw)
    {
        var experiment = draw.Experiment;
        var (request, parts) = (experiment.Request, experiment.Parts);
        if (parts[0].Text is null != parts[1].Text is null)
            throw new ArgumentException("This model draws from text without "
                + "image embeddings: it interpolates between two texts or between two images, not between a text and an image.");
        var given = parts.Where(part => part.Picture is not null).Select(part => (Drawing.Load(part.Picture!), part.Label)).ToArray();
        var noises = given.Select(end => draw.Invert(end.Item1)).ToArray();
        if (noises.Length == 0) request = request with { Prompt = parts[0].Text! };
        var pictures = Enumerable.Range(0, experiment.Count).Select(i =>
        {
            var share = experiment.Count == 1 ? 0.5 : (double)i / (experiment.Count - 1);
            Tensor Between(Tensor a, Tensor b) => experiment.Straight ? EmbeddingPaths.Lerp(a, b, share)
                : EmbeddingPaths.Slerp(a, b, share);
            var picture = noises is [var a, var b]
                ? draw.Picture(null, null, request with { Eta = request.Eta ?? 0 },
                    EmbeddingPaths.Slerp(a.flatten(1), b.flatten(1), share).reshape(a.shape), i, experiment.Count)
                : draw.Picture(null, null, request, null, i, experiment.Count, towards: ([parts[1].Text!], Between));
            return draw.Labelled(picture, Text($"{share:0.##}"));
        });
        return new ExperimentPlan(experiment with { Request = request },
            given, pictures, Columns: Math.Min(12, experiment.Count + given.Length));
    }

    private static ExperimentPlan Mix(Drawing draw)
    {
        var experiment = draw.Experiment;
        var parts = experiment.Parts.Select(draw.Embed).ToArray();
        var image = EmbeddingPaths.Mix(cat([.. parts.Select(part => part.Image)]), [.. experiment.Parts.Select(part => part.Weight)]);
        var pictures = Enumerable.Range(0, experiment.Count).Select(i =>
        {
            var request = experiment.Request with { Seed = experiment.Request.Seed + (ulong)i };
            return draw.Labelled(draw.Picture(image, parts[0].Negative, request, null, i, experiment.Count),
                Text($"{request.Seed}"), parts);
        });
        var given = parts.Zip(experiment.Parts, (part, asked) => (part, asked.Weight)).Where(pair => pair.part.Picture is not null)
            .Select(pair => (pair.part.Given.Image, Text($"{pair.part.Given.Label} {pair.Weight:0.##}")));
        return new ExperimentPlan(experiment, [.. given], pictures,
            Columns: Math.Min(6, experiment.Count + parts.Count(part => part.Picture is not null)));
    }

    /// <summary>The paper's rule: the noise is the image's own, eta is 0, the embedding turns.</summary>
    private static ExperimentPlan TextDiff(Drawing draw)
    {
        var experiment = draw.Experiment;
        var part = draw.Embed(experiment.Parts[0]);
        var texts = draw.Texts([experiment.From!, experiment.To!]);
        var (from, to) = (texts.narrow(0, 0, 1), texts.narrow(0, 1, 1));
        var start = experiment.Invert ? draw.Invert(part) : draw.Noise();
        var pictures = Enumerable.Range(0, experiment.Count).Select(i =>
        {
            var share = experiment.Count == 1 ? experiment.Amount : experiment.Amount * i / (experiment.Count - 1);
            var image = EmbeddingPaths.TextDifference(part.Image, from, to, share);
            var picture = draw.Picture(image, part.Negative, experiment.Request with { Eta = experiment.Request.Eta ?? 0 },
                start, i, experiment.Count);
            return draw.Labelled(picture, Text($"{share:0.###}"),
                [part, new EmbeddedPart(from, experiment.From!), new EmbeddedPart(to, experiment.To!)]);
        });
        return new ExperimentPlan(experiment, [part.Given], pictures, Columns: Math.Min(8, experiment.Count + 1));
    }

    private ExperimentPlan Rebuild(Drawing draw)
    {
        var experiment = draw.Experiment;
        var part = draw.Embed(experiment.Parts[0]);
        var basis = experiment.BasisPictures.Count > 0 ? EmbeddingBasis.Fit(draw.Pictures(experiment.BasisPictures))
            : pipeline.Basis() ?? throw new InvalidOperationException(
            $"{pipeline.Name} has no principal components of its own: give images to compute them from (--images).");
        var kept = experiment.Components.Count > 0 ? experiment.Components : [.. PaperComponents.Where(n => n < basis.Count), basis.Count];
        if (kept.FirstOrDefault(n => n > basis.Count) is > 0 and var many)
            throw new ArgumentException(
                $"The number of components is {many}, but there are only {basis.Count}: give more images, or choose fewer components.");
        var start = draw.Noise();
        var pictures = kept.Select((n, i) =>
        {
            var image = basis.Rebuild(part.Image, n);
            var picture = draw.Picture(image, part.Negative, experiment.Request with { Eta = experiment.Request.Eta ?? 0 },
                start, i, kept.Count);
            var labelled = draw.Labelled(picture,
                n == basis.Count ? "all components" : n == 1 ? "1 component" : Text($"{n} components"), part);
            return labelled with
            {
                Numbers = new Dictionary<string, double>(labelled.Numbers) { ["components"] = n,
                    ["variance"] = basis.Share(n), ["embedding_cosine"] = ClipNetwork.Cosine(image, part.Image) },
            };
        });
        return new ExperimentPlan(experiment with { Components = kept }, [part.Given], pictures, Columns: Math.Min(12, kept.Count + 1));
    }

    /// <summary>
    /// The embedding is the prompt's, or without one the image's own; the dark part of the mask is restored after every step.
    /// </summary>
    private static ExperimentPlan Inpaint(Drawing draw)
    {
        var experiment = draw.Experiment;
        var request = experiment.Request;
        var picture = Drawing.Load(experiment.Parts[0].Picture!);
        var mask = PillowImage.Load(experiment.Mask!).Upright();
        var told = !draw.HasEmbeddings ? null : request.Prompt.Length > 0
            ? draw.Embed(new ExperimentPart(request.Prompt, null)) : draw.Embed(experiment.Parts[0]);
        var pictures = Enumerable.Range(0, experiment.Count).Select(i =>
        {
            var asked = request with { Seed = request.Seed + (ulong)i };
            var drawn = draw.Picture(told?.Image, told?.Negative, asked, null, i, experiment.Count, (picture, mask));
            return draw.Labelled(drawn, Text($"{asked.Seed}"), told is null ? [] : [told]);
        });
        var side = request.Size!.Value;
        return new ExperimentPlan(
            experiment, [(picture, experiment.Parts[0].Label), (mask.ToRgb().Resize(side, side),
                Path.GetFileNameWithoutExtension(experiment.Mask!))], pictures, Columns: Math.Min(6, experiment.Count + 2));
    }

    private static ExperimentPlan Sweep(Drawing draw)
    {
        var experiment = draw.Experiment;

        // Other priors have no guidance: all rows would be the same.
        if (experiment.Request.Prior is not (PriorKind.Diffusion or PriorKind.Autoregressive) || !draw.HasEmbeddings)
            experiment = experiment with { PriorGuidances = [1] };
        var steps = experiment.StepCounts is { Count: > 0 } counts ? counts : [experiment.Request.Steps!.Value];
        return new ExperimentPlan(experiment, [], Pictures(), Columns: experiment.Guidances.Count);

        IEnumerable<ExperimentPicture> Pictures()
        {
            var (number, count) = (0, experiment.PriorGuidances.Count * steps.Count * experiment.Guidances.Count);
            foreach (var prior in experiment.PriorGuidances)
            {
                var request = experiment.Request with { PriorGuidance = draw.HasEmbeddings ? prior : null };
                var told = draw.HasEmbeddings ? draw.Embed(new ExperimentPart(request.Prompt, null), request) : null;
                foreach (var (each, guidance) in steps.SelectMany(each => experiment.Guidances.Select(guidance => (each, guidance))))
                {
                    var picture = draw.Picture(told?.Image, told?.Negative, request with { Guidance = guidance, Steps = each },
                        null, number++, count);
                    string[] names = [.. told is null ? [] : new[] { Text($"prior {prior:0.##}") }, .. steps.Count > 1 || told is null
                        ? new[] { Text($"{each} steps") } : [], Text($"{(told is null ? "guidance" : "decoder")} {guidance:0.##}")];
                    var labelled = draw.Labelled(picture, string.Join(", ", names), told is null ? [] : [told]);
                    var numbers = new Dictionary<string, double>(labelled.Numbers) { ["guidance"] = guidance, ["steps"] = each };
                    if (told is not null) numbers["prior_guidance"] = prior;
                    yield return labelled with { Numbers = numbers };
                }
            }
        }
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    /// <summary>An experiment with every default filled in, and its images, each drawn on demand.</summary>
    private sealed record ExperimentPlan(
        PictureExperiment Experiment, IReadOnlyList<(RgbImage Image, string Label)> Given,
        IEnumerable<ExperimentPicture> Pictures, int Columns);
}
