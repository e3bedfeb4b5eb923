using Alebrije.Diffusion;
using Alebrije.Evaluation;
using Alebrije.Models.Priors;
using Alebrije.Tensors;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Training;

/// <summary>A short look at a prior in training, on held-out scenes: cosines to the true image embedding beside those of doing nothing.</summary>
internal sealed class PriorProbe(PriorTransformer network, TrainedClip clip, CaptionedScenes scenes)
{
    private const ulong Seed = 9003;
    private const int Count = 128, Steps = 12;
    private const double GuidanceScale = 1.5;

    /// <returns>cosine_diffusion, cosine_text_as_is, cosine_mean_embedding, retrieval_r1_diffusion, gap_closed_diffusion</returns>
    public Dictionary<string, double> Measure()
    {
        using var inference = inference_mode();
        using var scope = NewDisposeScope();
        var set = new EvaluationScenes(scenes.World, Seed);
        var some = set.Draw(EvaluationScenes.Mixture, Count);
        var size = clip.Network.Config.VisionConfig.ImageSize;
        var pixels = some.SelectMany(scene => clip.Prepare(scenes.Draw(scene))).ToArray();
        var truth = JointSpace.Rows(clip.Images(tensor(pixels, [Count, 3, size, size]), ScalarType.Float32));
        var text = Encode([.. some.Select(set.Caption)]);
        var none = Encode([.. Enumerable.Repeat("", Count)]);
        var both = new PriorConditions(cat([none.TextEmbedding, text.TextEmbedding]), cat([none.TextEncodings!, text.TextEncodings!]), cat([none.TextMask!, text.TextMask!]));

        using var scheduler = Schedulers.Create(MiniSchedulers.Prior);
        using var noise = new Noise((long)Seed);
        scheduler.SetTimesteps(Steps);
        var start = Sampling.Begin(scheduler, noise, Count, network.Config.EmbeddingDim);
        var sampled = network.PostProcessLatents(Sampling.Run(
            scheduler, Guidance.ClassifierFree((x, t) => network.call(x, t, both), GuidanceScale), start, noise));
        var texts = JointSpace.Rows(text.TextEmbedding);
        var figures = PriorEvaluation.Figures(JointSpace.Rows(sampled), truth, texts, Seed).Figures;
        return new Dictionary<string, double>
        {
            ["cosine_diffusion"] = figures["cosine"].Value,
            ["cosine_text_as_is"] = PriorEvaluation.Cosine(texts, truth).Value,
            ["cosine_mean_embedding"] = PriorEvaluation.Cosine(JointSpace.Rows(network.ClipMean.expand(Count, -1)), truth).Value,
            ["retrieval_r1_diffusion"] = figures["retrieval_r1"].Value,
            ["gap_closed_diffusion"] = figures["gap_closed"].Value,
        };
    }

    private PriorConditions Encode(string[] texts)
    {
        var rows = texts.Select(clip.Prepare).ToArray();
        var (embeddings, encodings, mask) = clip.Texts(tensor(rows.SelectMany(r => r.Ids).ToArray(), [rows.Length, clip.Tokens]), [.. rows.Select(r => r.Length)]);
        return new PriorConditions(embeddings, encodings, mask);
    }
}
