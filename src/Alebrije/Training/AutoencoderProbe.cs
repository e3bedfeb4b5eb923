using Alebrije.Datasets;
using Alebrije.Evaluation;
using Alebrije.Models.Autoencoders;
using Alebrije.Preprocessing;
using Alebrije.Preprocessing.Imaging;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Training;

/// <summary>Evaluation of an autoencoder in training on held-out scenes.</summary>
internal sealed class AutoencoderProbe(AutoencoderKL network, CaptionedScenes scenes)
{
    private const ulong Seed = 9002;
    private const int Batch = 8;
    private readonly int side = network.Config.SampleSize;

    /// <returns>Mean signal-to-noise ratio in dB over whole scenes (peak 1, pixels in [0, 1]).</returns>
    public double SignalToNoise(int count)
    {
        using var inference = inference_mode();
        var total = 0.0;
        for (var first = 0; first < count; first += Batch)
        {
            using var scope = NewDisposeScope();
            var pixels = Pixels(first, Math.Min(Batch, count - first));
            total += AutoencoderEvaluation.SignalToNoise(network.call(pixels).clamp(-1, 1), pixels).Sum();
        }

        return total / count;
    }

    /// <returns>Mean and standard deviation of each latent channel.</returns>
    public (double[] Mean, double[] Deviation) LatentStatistics(int count)
    {
        using var inference = inference_mode();
        using var scope = NewDisposeScope();
        var latents = cat([.. Enumerable.Range(0, count / Batch).Select(i => network.Encode(Pixels(i * Batch, Batch)).Mean)]);
        return ([.. latents.mean([0, 2, 3]).to(ScalarType.Float64).data<double>()],
            [.. latents.std([0, 2, 3]).to(ScalarType.Float64).data<double>()]);
    }

    /// <summary>Writes an image sheet: scenes above, their reconstructions below.</summary>
    public void SaveGrid(string path)
    {
        using var inference = inference_mode();
        using var scope = NewDisposeScope();
        var pixels = Pixels(0, 8);
        var rows = cat([pixels, network.call(pixels).clamp(-1, 1)]).reshape(2, 8, 3, side, side);
        var sheet = rows.permute(2, 0, 3, 1, 4).reshape(3, 2 * side, 8 * side).contiguous().add(1).div(2); // [3, h, w]
        WrittenFile.MakeFolder(Path.GetDirectoryName(path)!);
        RgbImage.FromPlanes(sheet.data<float>().ToArray(), 8 * side, 2 * side).SavePng(path);
    }

    private Tensor Pixels(int first, int count) => AutoencoderEvaluation.Pixels(
        [.. Enumerable.Range(first, count).Select(i => scenes.Draw(scenes.HeldOut(Seed, i, SceneOptions.Default), side))]);
}
