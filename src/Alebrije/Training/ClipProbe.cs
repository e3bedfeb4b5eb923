using Alebrije.Datasets;
using Alebrije.Models.Clip;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Preprocessing.Tokenizers;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Training;

/// <summary>A short look at a CLIP in training, on held-out scenes: zero-shot accuracy among all concepts, and retrieval among a hundred.</summary>
internal sealed class ClipProbe(ClipNetwork network, ClipTokenizer tokenizer, CaptionedScenes scenes)
{
    private const ulong Seed = 9001;
    private const int Singles = 300, Retrieved = 100, Draws = 3;
    private readonly ClipImageProcessor processor = ClipImageProcessor.Transformers(network.Config.VisionConfig.ImageSize);

    /// <returns>zero_shot_top1_en, zero_shot_top1_es, zero_shot_top5_en, retrieval_r1_en, retrieval_r1_es as shares.</returns>
    public Dictionary<string, double> Measure(int batch)
    {
        using var inference = inference_mode();
        using var scope = NewDisposeScope();
        var metrics = new Dictionary<string, double>();
        var singles = Scenes(Singles, 0, SceneOptions.SingleObjects);
        var pictures = EmbedImages(singles, batch);
        var truth = tensor(singles.Select(s => (long)s.Objects[0].Concept.Index).ToArray());
        foreach (var language in Enum.GetValues<Language>())
        {
            var names = EmbedTexts([.. scenes.World.Concepts.Select(c => c.Label(language))], batch);
            var top = pictures.mm(names.t()).topk(5, dim: 1).indexes.eq(truth.unsqueeze(1));
            metrics[$"zero_shot_top1_{language.Code()}"] = Share(top[.., ..1]);
            metrics[$"zero_shot_top5_{language.Code()}"] = Share(top);
        }

        foreach (var language in Enum.GetValues<Language>())
        {
            var hits = 0.0;
            for (var draw = 0; draw < Draws; draw++)
            {
                var some = Scenes(Retrieved, (draw + 1) * 100_000L, SceneOptions.Default);
                var texts = EmbedTexts([.. some.Select(s => scenes.World.Caption(s, language))], batch);
                var best = texts.mm(EmbedImages(some, batch).t()).argmax(1);
                hits += Share(best.eq(arange(Retrieved)).unsqueeze(1)) / Draws;
            }

            metrics[$"retrieval_r1_{language.Code()}"] = hits;
        }

        return metrics;
    }

    private Scene[] Scenes(int count, long first, SceneOptions options) =>
        [.. Enumerable.Range(0, count).Select(i => scenes.HeldOut(Seed, first + i, options))];

    private static double Share(Tensor hits) => hits.any(1).to(ScalarType.Float32).mean().ToDouble();

    private Tensor EmbedTexts(string[] texts, int batch) => cat([.. texts.Chunk(batch).Select(chunk =>
    {
        var ids = ClipBatch.Pack(tokenizer, chunk, network.Config.TextConfig.MaxPositionEmbeddings);
        return network.EmbedText(tensor(ids, [chunk.Length, ids.Length / chunk.Length]));
    })]);

    private Tensor EmbedImages(Scene[] some, int batch) => cat([.. some.Chunk(batch).Select(chunk =>
    {
        var size = network.Config.VisionConfig.ImageSize;
        var pixels = chunk.SelectMany(scene => processor.Prepare(scenes.Draw(scene))).ToArray();
        return network.EmbedImage(tensor(pixels, [chunk.Length, 3, size, size]));
    })]);
}
