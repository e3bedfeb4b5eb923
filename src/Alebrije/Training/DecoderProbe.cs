using Alebrije.Diffusion;
using Alebrije.Evaluation;
using Alebrije.Models.Guesses;
using Alebrije.Models.UNets;
using Alebrije.Preprocessing;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Tensors;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Training;

/// <summary>
/// Evaluation of a decoder in training: images drawn from true image embeddings and captions of single core concepts, classified by
/// CLIP among all concepts, and an image sheet (true images above, drawn ones below).
/// </summary>
internal sealed class DecoderProbe(UNet2DConditionModel network,
    FirstGuessModel? guess, double strength, LatentRun run, TrainedClip clip, CaptionedScenes scenes, int count)
{
    /// <summary>Most images.</summary>
    public const int Most = 32;

    private const ulong Seed = 9004;
    private const int Steps = 16, Columns = 8;
    private const double GuidanceScale = 2;

    /// <returns>from_true_embedding_top1, from_true_embedding_top5, same_on_true_pictures</returns>
    public Dictionary<string, double> Measure(string sheet)
    {
        using var inference = inference_mode();
        using var scope = NewDisposeScope();
        var prompts = new EvaluationScenes(scenes.World, Seed).Prompts(EvaluationScenes.CoreSingles, count);
        var truth = prompts.Select(prompt => scenes.Draw(prompt.Scene)).ToArray();
        var drawn = Draw(truth, [.. prompts.Select(prompt => prompt.Prompt)]);
        var judge = new PictureJudge(new JointSpace(Embed, texts => Texts(texts).Embeddings), scenes.World);
        var answers = judge.Ask(drawn);
        Save(truth, drawn, sheet);
        return new Dictionary<string, double>
        {
            ["from_true_embedding_top1"] = PictureJudge.Named(prompts, answers, 1).Value,
            ["from_true_embedding_top5"] = PictureJudge.Named(prompts, answers, 5).Value,
            ["same_on_true_pictures"] = PictureJudge.Named(prompts, judge.Ask(truth), 1).Value,
        };
    }

    private RgbImage[] Draw(RgbImage[] truth, string[] captions)
    {
        using var scheduler = Schedulers.Create(MiniSchedulers.Decoder);
        using var noise = new Noise((long)Seed);
        scheduler.SetTimesteps(guess is null ? Steps : (int)Math.Round(Steps / strength));
        var vae = run.Vae;
        var batch = run.Encode(PairBatch.Make(clip, count, vae.Config.SampleSize, i => (truth[i], captions[i])));
        var conditions = new UNetConditions(
            cat([run.Empty(count), batch.Context])) { ClassLabels = cat([zeros_like(batch.Condition), batch.Condition]) };
        var hint = guess?.call(batch.Condition, batch.Context);
        var beside = hint is null ? null : cat([zeros_like(hint), hint]);                    // [2 batch, channels, side, side]
        var (channels, side) = (vae.Config.LatentChannels, vae.Config.SampleSize / vae.Config.Factor);
        var first = hint is null || strength >= 1 ? 0 : scheduler.Timesteps.Count - Steps;
        var start = first == 0 ? Sampling.Begin(scheduler, noise, count, channels, side, side)
            : scheduler.AddNoise(hint!, noise.RandnLike(hint!), first);
        var latents = Sampling.Run(
            scheduler, Guidance.ClassifierFree((x, t) => network.call(beside is null ? x : cat([x, beside], 1), t, conditions),
                GuidanceScale), start, noise, new SamplingOptions { Start = first });
        var pixels = vae.Decode(vae.Unscale(latents)).div(2).add(0.5).clamp(0, 1);
        var size = (int)pixels.shape[2];
        return [.. Enumerable.Range(0, count).Select(i => RgbImage.FromPlanes(pixels[i].contiguous().data<float>().ToArray(), size, size))];
    }

    private Tensor Embed(RgbImage[] pictures)
    {
        var size = clip.Network.Config.VisionConfig.ImageSize;
        return clip.Images(tensor(pictures.SelectMany(clip.Prepare).ToArray(), [pictures.Length, 3, size, size]), ScalarType.Float32);
    }

    private (Tensor Embeddings, Tensor Encodings) Texts(string[] texts)
    {
        var rows = texts.Select(clip.Prepare).ToArray();
        var (embeddings, encodings, _) = clip.Texts(tensor(rows.SelectMany(r => r.Ids).ToArray(), [rows.Length, clip.Tokens]),
            [.. rows.Select(r => r.Length)]);
        return (embeddings, encodings);
    }

    private void Save(RgbImage[] truth, RgbImage[] drawn, string path)
    {
        var size = truth[0].Width;
        var sheet = new RgbImage(Columns * size, (count + Columns - 1) / Columns * 2 * size);
        for (var i = 0; i < count; i++)
        {
            Copy(truth[i], sheet, i % Columns * size, i / Columns * 2 * size);
            Copy(drawn[i], sheet, i % Columns * size, ((i / Columns * 2) + 1) * size);
        }

        WrittenFile.MakeFolder(Path.GetDirectoryName(path)!);
        sheet.SavePng(path);
    }

    private static void Copy(RgbImage picture, RgbImage sheet, int left, int top)
    {
        for (var y = 0; y < picture.Height; y++)
            picture.Pixels.AsSpan(y * picture.Width * 3, picture.Width * 3)
                .CopyTo(sheet.Pixels.AsSpan((((top + y) * sheet.Width) + left) * 3));
    }
}
