using Alebrije.Embeddings;
using Alebrije.Models.Autoencoders;
using Alebrije.Preprocessing.Imaging;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Evaluation;

/// <summary>Reconstruction error of an autoencoder on scenes of its own size, and of a linear baseline of equal latent size.</summary>
internal static class AutoencoderEvaluation
{
    private const int Batch = 8, FittedOn = 512;
    private const double SmallestError = 1e-10;

    /// <summary><c>psnr_db</c> and <c>psnr_db_linear</c>: means over held-out images, baseline fitted on training scenes.</summary>
    /// <param name="network">The autoencoder.</param>
    /// <param name="scenes">The world.</param>
    /// <param name="count">Number of held-out images.</param>
    /// <param name="sheets">Receive the first images, before and after.</param>
    /// <param name="progress">Called after each batch with the activity, the count done and the total.</param>
    public static MetricGroup Measure(
        AutoencoderKL network, EvaluationScenes scenes, int count, PictureSheets sheets, Action<string, int, int>? progress = null)
    {
        var factor = network.Config.Factor;
        var side = EvaluationScenes.SideFor(network.Config.SampleSize) / factor * factor;
        var (own, linear) = (new List<double>(), new List<double>());
        using var baseline = PatchBaseline.Fit(Known(scenes, side, progress), factor, network.Config.LatentChannels);
        var held = scenes.Draw(EvaluationScenes.Mixture, count);
        foreach (var chunk in held.Chunk(Batch))
        {
            using var scope = NewDisposeScope();
            RgbImage[] pictures = [.. chunk.Select(scene => scenes.Picture(scene, side))];
            var pixels = Pixels(pictures);
            var (decoded, plain) = (network.call(pixels).clamp(-1, 1), baseline.Reconstruct(pixels).clamp(-1, 1));
            own.AddRange(SignalToNoise(decoded, pixels));
            linear.AddRange(SignalToNoise(plain, pixels));
            if (own.Count == chunk.Length) sheets.Save("autoencoder", "true images, autoencoder, linear baseline",
                Batch, Rows(pictures, decoded, plain, own, linear));
            progress?.Invoke("encoding and decoding images", own.Count, count);
        }

        var metrics = new MetricGroup();
        metrics.Add("psnr_db", Figure.Mean(own));
        metrics.Add("psnr_db_linear", Figure.Mean(linear));
        return metrics;
    }

    /// <summary>Peak signal-to-noise ratio of each image, peak 1 for pixels in [0, 1]; at most 100 dB.</summary>
    /// <param name="decoded">[batch, 3, h, w] in [-1, 1]</param>
    /// <param name="pixels">[batch, 3, h, w] in [-1, 1]</param>
    /// <returns>[batch] in dB</returns>
    public static double[] SignalToNoise(Tensor decoded, Tensor pixels)
    {
        using var scope = NewDisposeScope();
        var error = ((decoded - pixels) / 2).square().mean([1, 2, 3]);
        return [.. error.to(ScalarType.Float64).contiguous().data<double>()
            .ToArray().Select(e => -10 * Math.Log10(Math.Max(e, SmallestError)))];
    }

    /// <returns>[batch, 3, h, w] in [-1, 1]</returns>
    public static Tensor Pixels(IReadOnlyList<RgbImage> pictures)
    {
        using var scope = NewDisposeScope();
        var bytes = tensor(pictures.SelectMany(picture => picture.Pixels).ToArray(),
            [pictures.Count, pictures[0].Height, pictures[0].Width, 3]);
        return bytes.permute(0, 3, 1, 2).to(ScalarType.Float32).div(127.5).sub(1).contiguous().MoveToOuterDisposeScope();
    }

    /// <param name="pixels">[batch, 3, h, w] in [-1, 1]</param>
    public static RgbImage[] Pictures(Tensor pixels)
    {
        using var scope = NewDisposeScope();
        var (h, w) = ((int)pixels.shape[2], (int)pixels.shape[3]);
        var planes = pixels.add(1).div(2).contiguous();
        return [.. Enumerable.Range(0, (int)pixels.shape[0])
            .Select(i => RgbImage.FromPlanes(planes[i].contiguous().data<float>().ToArray(), w, h))];
    }

    private static IEnumerable<Tensor> Known(EvaluationScenes scenes, int side, Action<string, int, int>? progress)
    {
        var done = 0;
        foreach (var chunk in scenes.Draw(EvaluationScenes.Known, FittedOn).Chunk(Batch))
        {
            yield return Pixels([.. chunk.Select(scene => scenes.Picture(scene, side))]);
            progress?.Invoke("fitting the linear baseline", done += chunk.Length, FittedOn);
        }
    }

    private static List<(RgbImage Picture, string Label)> Rows(RgbImage[] pictures,
        Tensor decoded, Tensor plain, List<double> own, List<double> linear) =>
    [
        .. pictures.Select(picture => (picture, "")),
        .. Pictures(decoded).Select((picture, i) => (picture, FormattableString.Invariant($"{own[i]:F1} dB"))),
        .. Pictures(plain).Select((picture, i) => (picture, FormattableString.Invariant($"{linear[i]:F1} dB"))),
    ];
}
