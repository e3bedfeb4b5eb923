using Alebrije.Embeddings;
using Alebrije.Models.Autoencoders;
using Alebrije.Pipelines;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Tensors;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Evaluation;

/// <summary>Reconstruction of downscaled scenes by an upsampler, compared with bicubic enlargement.</summary>
internal static class UpsamplerEvaluation
{
    private const int Batch = 4;

    /// <summary>
    /// <c>upsampler_psnr_db</c>, <c>bicubic_psnr_db</c> and <c>back_projected_psnr_db</c> (bicubic plus the residual of the small image)
    /// on downscaled held-out images; the group <c>autoencoded</c> has the same figures for small images encoded and decoded by the
    /// autoencoder, as generated ones are.
    /// </summary>
    /// <param name="upsampler">The upsampler.</param>
    /// <param name="autoencoder">The autoencoder before it.</param>
    /// <param name="scenes">The world.</param>
    /// <param name="count">Number of held-out images.</param>
    /// <param name="steps">Steps of the upsampler.</param>
    /// <param name="sheets">Receive the first images: bicubic, back-projected, upsampled, true.</param>
    /// <param name="progress">Called after each batch with the activity, the count done and the total.</param>
    public static MetricGroup Measure(
        Upsampler upsampler, AutoencoderKL? autoencoder, EvaluationScenes scenes, int count, int steps, PictureSheets sheets,
        Action<string, int, int>? progress = null)
    {
        var side = EvaluationScenes.SideFor(upsampler.Side) / 2 * 2;
        var small = side / 2;
        using var noise = new Noise(unchecked((long)scenes.Seed));
        var figures = new Dictionary<string, List<double>>();
        var done = 0;
        foreach (var chunk in scenes.Draw(EvaluationScenes.Mixture, count).Chunk(Batch))
        {
            using var scope = NewDisposeScope();
            RgbImage[] pictures = [.. chunk.Select(scene => scenes.Picture(scene, side))];
            var truth = AutoencoderEvaluation.Pixels(pictures);
            var reduced = AutoencoderEvaluation.Pixels([.. pictures.Select(picture => picture.Resize(small, small))]);
            var rows = Compare("", reduced);
            if (autoencoder is not null) rows.AddRange(Compare("autoencoded ", autoencoder.call(reduced).clamp(-1, 1)));
            rows.AddRange(pictures.Select(picture => (picture, "true")));
            if (done == 0) sheets.Save("upsampler", $"bicubic, bicubic with back-projection, {steps} steps of the upsampler, true images",
                pictures.Length, rows);
            progress?.Invoke("enlarging images", done += chunk.Length, count);

            List<(RgbImage Picture, string Label)> Compare(string kind, Tensor given)
            {
                var plain = Bicubic.Resize(given, side, side).clamp(-1, 1);
                var projected = Upsampler.BackProjected(plain, given, 1).clamp(-1, 1);
                var ours = upsampler.Enlarge(given, side, side, steps, noise).clamp(-1, 1);
                return [.. Row(kind + "bicubic", plain, truth), .. Row(kind + "back-projected", projected, truth),
                    .. Row(kind + "upsampler", ours, truth)];
            }
        }

        var metrics = new MetricGroup();
        metrics.Add("upsampler_psnr_db", Figure.Mean(figures["upsampler"]));
        metrics.Add("bicubic_psnr_db", Figure.Mean(figures["bicubic"]));
        metrics.Add("back_projected_psnr_db", Figure.Mean(figures["back-projected"]));
        if (autoencoder is null) return metrics;
        var after = new MetricGroup();
        after.Add("upsampler_psnr_db", Figure.Mean(figures["autoencoded upsampler"]));
        after.Add("bicubic_psnr_db", Figure.Mean(figures["autoencoded bicubic"]));
        after.Add("back_projected_psnr_db", Figure.Mean(figures["autoencoded back-projected"]));
        metrics.Add("autoencoded", after);
        return metrics;

        IEnumerable<(RgbImage Picture, string Label)> Row(string name, Tensor enlarged, Tensor truth)
        {
            var decibels = AutoencoderEvaluation.SignalToNoise(enlarged, truth);
            if (!figures.TryGetValue(name, out var all)) figures[name] = all = [];
            all.AddRange(decibels);
            return AutoencoderEvaluation.Pictures(enlarged)
                .Select((picture, i) => (picture, FormattableString.Invariant($"{name}, {decibels[i]:F1} dB")));
        }
    }
}
