using Alebrije.Embeddings;
using Alebrije.Pipelines;
using Alebrije.Tensors;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Evaluation;

/// <summary>
/// Closeness of the priors' outputs to the image embedding of a caption's scene, compared with three baselines: the text embedding,
/// the mean image embedding, and the image embedding of the training pair with the nearest text.
/// </summary>
internal sealed class PriorEvaluation(PriorStage embedder, TextToPictures painter, JointSpace space, EvaluationScenes scenes)
{
    /// <summary>Group of the unchanged text embedding: a baseline, and the output of the prior none.</summary>
    public const string TextAsIs = "text_as_is";

    private const int Batch = 50;

    /// <summary>Name of a prior's group.</summary>
    public static string NameOf(PriorKind kind) => PriorNames.Of(kind).Replace('-', '_');

    /// <summary>For each prior and baseline <c>cosine</c>, <c>retrieval_r1</c>, <c>gap_closed</c> and <c>energy_distance</c>.</summary>
    /// <param name="count">Held-out captions, at least a hundred; alternately English and Spanish.</param>
    /// <param name="known">Training pairs for the baselines.</param>
    /// <param name="progress">Called after each batch with the activity, the count done and the total.</param>
    public MetricGroup Measure(int count, int known, Action<string, int, int>? progress = null)
    {
        var held = scenes.Draw(EvaluationScenes.Mixture, count);
        var captions = held.Select(scenes.Caption).ToArray();
        var images = space.Images(held.Select(scene => scenes.Picture(scene)));
        var texts = space.Texts(captions);
        var pairs = scenes.Draw(EvaluationScenes.Known, known);
        var knownImages = space.Images(pairs.Select(scene => scenes.Picture(scene)),
            done => progress?.Invoke("embedding training pairs", done, known));
        var knownTexts = space.Texts(pairs.Select(scenes.Caption));

        var metrics = new MetricGroup();
        foreach (var kind in painter.Priors.Where(kind => kind != PriorKind.None)) Add(NameOf(kind), Run(kind, captions, progress));
        float[] mean = [.. Vectors.Mean(knownImages).Select(x => (float)x)];
        Add("mean_embedding", [.. texts.Select(_ => mean)]);
        Add(TextAsIs, texts);
        Add("nearest_training_text", Nearest(texts, knownTexts, knownImages));
        return metrics;

        void Add(string name, float[][] outputs) => metrics.Add(name, Figures(outputs, images, texts, scenes.Seed));
    }

    /// <summary>
    /// <c>cosine</c>: mean cosine to the true image embedding. <c>retrieval_r1</c>: recall at 1 among a hundred true embeddings.
    /// <c>gap_closed</c>: (mean output - mean text) · (mean image - mean text) / |mean image - mean text|², all embeddings of unit length
    /// (except the mean embedding, which is not normalised), with a bootstrap interval over captions; 0 at the texts, 1 at the images,
    /// above 1 if outputs lie closer together than true embeddings. <c>energy_distance</c>: energy distance of the outputs and the true
    /// embeddings, all of unit length; 0 for equal distributions.
    /// </summary>
    /// <param name="outputs">[captions][features]</param>
    /// <param name="images">[captions][features], unit length</param>
    /// <param name="texts">[captions][features], unit length</param>
    /// <param name="seed">Seed of draws and resamples.</param>
    public static MetricGroup Figures(float[][] outputs, float[][] images, float[][] texts, ulong seed)
    {
        var group = new MetricGroup();
        var small = unchecked((int)seed);
        group.Add("cosine", Cosine(outputs, images));
        group.Add("retrieval_r1", Retrieval.RecallAt1(outputs, images, Math.Min(EvaluationSizes.Candidates, images.Length), seed: small));
        group.Add("gap_closed", Figure.Bootstrap(
            outputs.Length, chosen => ModalityGap.Closed(Pick(outputs, chosen), Pick(images, chosen), Pick(texts, chosen)),
            small, resamples: 200));
        group.Add("energy_distance", EnergyDistance.Between(outputs, images, small));
        return group;
    }

    /// <summary>Mean cosine of each output to its own image embedding.</summary>
    public static Figure Cosine(float[][] outputs, float[][] images) =>
        Figure.Mean([.. outputs.Zip(images, (output, image) => Vectors.Cosine(output, image))]);

    /// <returns>[texts][features]: image embedding of the known pair with the nearest text</returns>
    public static float[][] Nearest(float[][] texts, float[][] knownTexts, float[][] knownImages)
    {
        var nearest = new float[texts.Length][];
        for (var i = 0; i < nearest.Length; i++)
        {
            var cosines = JointSpace.Cosines([texts[i]], knownTexts)[0];
            nearest[i] = knownImages[Array.IndexOf(cosines, cosines.Max())];
        }

        return nearest;
    }

    /// <summary>One prior's embeddings of all captions; all priors start a batch from the same noise.</summary>
    private float[][] Run(PriorKind kind, string[] captions, Action<string, int, int>? progress)
    {
        var (rows, source) = (new List<float[]>(), painter.By(kind));
        foreach (var chunk in captions.Chunk(Batch))
        {
            using var scope = NewDisposeScope();
            using var noise = new Noise(NoiseSeed.Of(scenes.Seed, rows.Count, NoiseSeed.Prior));
            rows.AddRange(JointSpace.Rows(source(embedder.Texts(chunk), rows.Count, noise)));
            progress?.Invoke($"asking the {PriorNames.Of(kind)} prior", rows.Count, captions.Length);
        }

        return [.. rows];
    }

    private static float[][] Pick(float[][] rows, IReadOnlyList<int> chosen) => [.. chosen.Select(i => rows[i])];
}
