using System.Globalization;
using Alebrije.Datasets;
using Alebrije.Diffusion;
using Alebrije.Evaluation;
using Alebrije.Models.Guesses;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Training;

/// <summary>
/// Errors of a latent model on fixed, still held-out scenes by kind: one core concept, two core concepts (held-out pairs), one core
/// concept in a held-out style. They show progress long before images do. Jitter beyond that of the training would be measured as error.
/// </summary>
internal sealed class LatentProbe : IDisposable
{
    private const ulong Seed = 9005;

    /// <summary>Most scenes of a kind.</summary>
    public const int Most = 32;

    /// <summary>Noise levels of the denoiser's error.</summary>
    private static readonly int[] Levels = [999, 800, 600, 400, 200, 50];

    private readonly List<(string Kind, LatentBatch Batch)> kinds = [];

    /// <param name="run">Encodes the scenes.</param>
    /// <param name="clip">Prepares images and texts.</param>
    /// <param name="scenes">The world.</param>
    /// <param name="count">Scenes of a kind.</param>
    public LatentProbe(LatentRun run, TrainedClip clip, CaptionedScenes scenes, int count)
    {
        foreach (var (kind, prompts) in Scenes(scenes.World, count))
        {
            using var scope = NewDisposeScope();
            var batch = run.Encode(PairBatch.Make(clip, count, run.Vae.Config.SampleSize,
                i => (scenes.Draw(prompts[i].Scene), prompts[i].Prompt)).With(i => prompts[i].Named));
            foreach (var part in batch.Parts) part.DetachFromDisposeScope();
            kinds.Add((kind, batch));
        }
    }

    /// <summary>The fixed scenes and prompts by kind.</summary>
    internal static IEnumerable<(string Kind, PromptedScene[] Scenes)> Scenes(EmojiWorld world, int count)
    {
        var (fixedScenes, singles) = (new EvaluationScenes(world, Seed), EvaluationScenes.CoreSingles);
        return new[]
        {
            ("single", singles),
            ("two", EvaluationScenes.CoreDuets),
            ("style", singles with { Options = singles.Options with { StyleShare = 1 }, First = 7_000_000 }),
        }.Select(kind => (kind.Item1,
            fixedScenes.Prompts(kind.Item2 with { Options = kind.Item2.Options with { Jitter = 0 } }, count)));
    }

    /// <summary>
    /// Mean squared error of the latents by kind, <c>guess_single</c> and so on: 1 is about that of the mean image. Also
    /// <c>placed_single</c>, the error where objects and places are given, and <c>named_single</c>, the share of objects that the network
    /// names from the conditions.
    /// </summary>
    public Dictionary<string, double> Guess(FirstGuessModel network)
    {
        using var guard = no_grad();
        var errors = new Dictionary<string, double>();
        foreach (var (kind, batch) in kinds)
        {
            using var scope = NewDisposeScope();
            errors[$"guess_{kind}"] = (network.call(batch.Condition, batch.Context) - batch.Latents).square().mean().ToDouble();
            var own = network.Errors((batch.Condition, batch.Context), batch.Latents, batch.Objects, batch.Named);
            errors[$"placed_{kind}"] = own.Latents.ToDouble();
            errors[$"named_{kind}"] = own.Named.ToDouble();
        }

        return errors;
    }

    /// <summary>Mean squared error of v by kind and noise level, <c>v999_single</c> and so on, with the same noise at every call.</summary>
    /// <param name="schedule">The denoiser's schedule.</param>
    /// <param name="velocity">From noisy latents, timesteps and conditions to v.</param>
    public Dictionary<string, double> Velocity(NoiseSchedule schedule, Func<Tensor, Tensor, LatentBatch, Tensor> velocity)
    {
        using var guard = no_grad();
        var errors = new Dictionary<string, double>();
        foreach (var (kind, batch) in kinds) AddVelocity(errors, kind, schedule, batch.Latents,
            (noisy, timesteps) => velocity(noisy, timesteps, batch));
        return errors;
    }

    /// <summary>Adds the mean squared errors of v of one kind.</summary>
    /// <param name="errors">Gets <c>v999_single</c> and so on.</param>
    /// <param name="kind">Name of the kind.</param>
    /// <param name="schedule">The denoiser's schedule.</param>
    /// <param name="original">[batch, channels, h, w]: x0.</param>
    /// <param name="velocity">From the noisy sample and timesteps to v.</param>
    internal static void AddVelocity(
        Dictionary<string, double> errors, string kind, NoiseSchedule schedule, Tensor original, Func<Tensor, Tensor, Tensor> velocity)
    {
        foreach (var level in Levels)
        {
            using var scope = NewDisposeScope();
            using var generator = new Generator(Seed + (ulong)level);
            var timesteps = full([original.shape[0]], level, dtype: ScalarType.Int64);
            var noise = randn(original.shape, generator: generator);
            var target = schedule.Target(PredictionType.VPrediction, original, noise, timesteps);
            var predicted = velocity(schedule.AddNoise(original, noise, timesteps), timesteps);
            errors[string.Create(CultureInfo.InvariantCulture, $"v{level}_{kind}")] = (predicted - target).square().mean().ToDouble();
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var (_, batch) in kinds)
            foreach (var part in batch.Parts) part.Dispose();
    }
}
