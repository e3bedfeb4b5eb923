using Alebrije.Evaluation;
using Alebrije.Models.Clip;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Preprocessing.Tokenizers;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Training;

/// <summary>Evaluation of a CLIP in training on held-out scenes: zero-shot accuracy over all concepts, retrieval among a hundred.</summary>
internal sealed class ClipProbe(ClipNetwork network, ClipTokenizer tokenizer, CaptionedScenes scenes, int count)
{
    /// <summary>Most scenes of a figure.</summary>
    public const int Most = 300;

    private const ulong Seed = 9001;
    private const int Draws = 3;
    private static readonly string[] Reported =
        ["zero_shot_top1_en", "zero_shot_top5_en", "zero_shot_top1_es", "zero_shot_top5_es", "retrieval_r1_en", "retrieval_r1_es"];

    private readonly ClipImageProcessor processor = ClipImageProcessor.Transformers(network.Config.VisionConfig.ImageSize);

    /// <returns>The main figures of <see cref="ClipEvaluation"/> and <c>pairs_both</c>, as shares.</returns>
    public Dictionary<string, double> Measure(int batch)
    {
        using var inference = inference_mode();
        using var scope = NewDisposeScope();
        var (space, held) = (new JointSpace(EmbedImages, EmbedTexts, batch), new EvaluationScenes(scenes.World, Seed));
        var metrics = ClipEvaluation.Measure(space, held, count, Math.Max(count, EvaluationSizes.Candidates), Draws);
        var figures = Reported.ToDictionary(name => name, name => metrics.Figures[name].Value);
        var pairs = held.Prompts(EvaluationScenes.CoreDuets, count);
        var answers = new PictureJudge(space, scenes.World).Ask([.. pairs.Select(pair => scenes.Draw(pair.Scene))]);
        figures["pairs_both"] = PictureJudge.Both(pairs, answers).Value;
        return figures;
    }

    private Tensor EmbedTexts(string[] texts)
    {
        var ids = ClipBatch.Pack(tokenizer, texts, network.Config.TextConfig.MaxPositionEmbeddings);
        return network.EmbedText(tensor(ids, [texts.Length, ids.Length / texts.Length]));
    }

    private Tensor EmbedImages(RgbImage[] pictures)
    {
        var size = network.Config.VisionConfig.ImageSize;
        return network.EmbedImage(tensor(pictures.SelectMany(processor.Prepare).ToArray(), [pictures.Length, 3, size, size]));
    }
}
