using Alebrije.Evaluation;
using Alebrije.Models.Priors;
using Alebrije.Pipelines;
using Alebrije.Pipelines.Priors;
using Alebrije.Tensors;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Training;

/// <summary>Short evaluation of a prior in training on held-out scenes: cosines to the true image embedding, with baselines.</summary>
/// <param name="prior">The prior; disposed after the evaluation.</param>
/// <param name="mean">The mean image embedding of training pairs, [1, features].</param>
/// <param name="clip">The CLIP that it was trained on.</param>
/// <param name="scenes">The world.</param>
/// <param name="count">Scenes.</param>
internal sealed class PriorProbe(IPrior prior, Tensor mean, TrainedClip clip, CaptionedScenes scenes, int count)
{
    /// <summary>Most scenes.</summary>
    public const int Most = 128;

    private const ulong Seed = 9003;
    private const int Steps = 12;
    private const double GuidanceScale = 1.5;

    /// <returns>For a prior named diffusion: cosine_diffusion, cosine_text_as_is, cosine_mean_embedding,
    /// retrieval_r1_diffusion, gap_closed_diffusion.</returns>
    public Dictionary<string, double> Measure()
    {
        using var inference = inference_mode();
        using var scope = NewDisposeScope();
        var set = new EvaluationScenes(scenes.World, Seed);
        var some = set.Draw(EvaluationScenes.Mixture, count);
        var size = clip.Network.Config.VisionConfig.ImageSize;
        var pixels = some.SelectMany(scene => clip.Prepare(scenes.Draw(scene))).ToArray();
        var truth = JointSpace.Rows(clip.Images(tensor(pixels, [count, 3, size, size]), ScalarType.Float32));
        var none = Encode([""]);
        var text = new PriorText(Encode([.. some.Select(set.Caption)]), () => none);
        using var noise = new Noise((long)Seed);
        Tensor drawn;
        using (prior) drawn = prior.Draw(text, new PriorOptions(Steps, prior.Guidance ?? GuidanceScale), noise)[0];
        var texts = JointSpace.Rows(text.Conditions.TextEmbedding);
        var figures = PriorEvaluation.Figures(JointSpace.Rows(drawn), truth, texts, Seed).Figures;
        var name = PriorNames.Of(prior.Kind).Replace('-', '_');
        return new Dictionary<string, double>
        {
            [$"cosine_{name}"] = figures["cosine"].Value,
            ["cosine_text_as_is"] = PriorEvaluation.Cosine(texts, truth).Value,
            ["cosine_mean_embedding"] = PriorEvaluation.Cosine(JointSpace.Rows(mean.reshape(1, -1).expand(count, -1)), truth).Value,
            [$"retrieval_r1_{name}"] = figures["retrieval_r1"].Value,
            [$"gap_closed_{name}"] = figures["gap_closed"].Value,
        };
    }

    private PriorConditions Encode(string[] texts)
    {
        var rows = texts.Select(clip.Prepare).ToArray();
        var (embeddings, encodings, mask) = clip.Texts(tensor(rows.SelectMany(r => r.Ids).ToArray(), [rows.Length, clip.Tokens]),
            [.. rows.Select(r => r.Length)]);
        return new PriorConditions(embeddings, encodings, mask);
    }
}
