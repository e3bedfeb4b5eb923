using System.Diagnostics;
using Alebrije.Pipelines.Flamingo;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Tensors;

namespace Alebrije.Evaluation;

/// <summary>Speed of text generation with and without the cache.</summary>
/// <param name="Tokens">Tokens of a text.</param>
/// <param name="Cached">Tokens per second with the cache, the first one and the prompt left out: median over rounds.</param>
/// <param name="Plain">Tokens per second without it.</param>
/// <param name="Ratio">Speed-up by the cache: median over rounds, each with both ways.</param>
/// <param name="Same">True if both ways gave the same tokens in every round.</param>
public sealed record FlamingoBenchmarkResult(int Tokens, double Cached, double Plain, double Ratio, bool Same);

/// <summary>Measures the generation of texts by a Flamingo on this machine.</summary>
public static class FlamingoBenchmark
{
    /// <summary>Tokens of a text.</summary>
    public const int Tokens = 128;

    /// <summary>Runs the benchmark: in each round both ways, one after the other.</summary>
    /// <param name="folder">A Flamingo.</param>
    /// <param name="rounds">Number of rounds, at least 1.</param>
    /// <param name="progress">Called before each round with a description.</param>
    /// <param name="cancellation">Stops between tokens.</param>
    public static FlamingoBenchmarkResult Run(
        string folder, int rounds, Action<string>? progress = null, CancellationToken cancellation = default) =>
        Run(folder, rounds, (Tokens, 0), Precision.Auto, progress, cancellation);

    /// <summary>As the public one, with a number of tokens, of examples before the image, and a number format.</summary>
    internal static FlamingoBenchmarkResult Run(string folder, int rounds, (int Tokens, int Shots) sizes, Precision precision,
        Action<string>? progress, CancellationToken cancellation)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(rounds, 1);
        using var model = FlamingoPipeline.Load(folder, precision);
        var (tokens, image) = (sizes.Tokens, new RgbImage(64, 64, [.. Enumerable.Range(0, 64 * 64 * 3).Select(i => (byte)(i * 7))]));
        var prompt = FlamingoPrompt.Caption(image,
            [.. Enumerable.Repeat(new FlamingoShot(image, "a small dog and a large cat on a green lawn"), sizes.Shots)]);
        var options = new FlamingoOptions { Beams = 1, MaxTokens = tokens, StopsAtEnd = false };
        model.Generate(prompt, options with { MaxTokens = 8 }, onText: null, cancellation);
        var (cached, plain, same) = (new List<double>(), new List<double>(), true);
        for (var round = 0; round < rounds; round++)
        {
            progress?.Invoke($"{round + 1}/{rounds}");
            var (first, ids) = Timed(options);
            var (second, others) = Timed(options with { UsesCache = false });
            cached.Add(first);
            plain.Add(second);
            same &= ids.SequenceEqual(others);
        }

        return new FlamingoBenchmarkResult(
            tokens, Median(cached), Median(plain), Median(cached.Zip(plain, (fast, slow) => fast / slow)), same);

        (double PerSecond, IEnumerable<int> Ids) Timed(FlamingoOptions way)
        {
            var watch = Stopwatch.StartNew();
            model.Generate(prompt, way with { MaxTokens = 1 }, onText: null, cancellation);
            var first = watch.Elapsed;
            var answer = model.Generate(prompt, way, onText: null, cancellation);
            return ((tokens - 1) / (watch.Elapsed - (2 * first)).TotalSeconds, answer.Tokens.Select(token => token.Id));
        }

        static double Median(IEnumerable<double> values) => values.Order().ToArray() is var sorted ? sorted[sorted.Length / 2] : 0;
    }
}
