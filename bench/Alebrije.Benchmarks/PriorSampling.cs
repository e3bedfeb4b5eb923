using System.Diagnostics;
using System.Globalization;
using Alebrije.Diffusion;
using Alebrije.Models.Priors;
using Alebrije.Pipelines.Priors;
using Alebrije.Tensors;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Benchmarks;

/// <summary>
/// Karlo's prior at its published size with random weights, 25 guided steps: the whole sequence in every step, as in the reference,
/// against the text computed once. Takes 9 GB of memory and minutes, so each text is sampled once, whatever the number of rounds.
/// Runs on one thread: waits between threads on a busy machine would distort the ratio.
/// </summary>
internal static class PriorSampling
{
    private const int Steps = 25;
    private const double Scale = 4;

    public static void Run(int _)
    {
        TorchRuntime.Initialize(threads: 1);
        using var inference = inference_mode();
        using var network = new PriorTransformer(new PriorTransformerConfig());
        using var noise = new Noise(1);
        foreach (var (name, parameter) in network.named_parameters())
            if (name is "positional_embedding" or "prd_embedding") parameter.copy_(0.02 * noise.Randn(parameter.shape));
            else if (name == "clip_std") parameter.fill_(1);
        network.eval();
        using var prior = new DiffusionPrior(network, Scheduler, ScalarType.Float32) { OwnsNetwork = false };
        // Packs the weights outside the timing.
        prior.Denoise(new PriorText(Conditions(noise, 2), () => Conditions(noise, 2)), 1)(noise.Randn(1, 768), zeros(1)).Dispose();
        Console.WriteLine($"PriorTransformer of {network.parameters().Sum(p => p.numel()) / 1e6:0} "
            + $"M parameters, {Steps} steps, guidance {Scale}, {get_num_threads()} thread");
        Console.WriteLine($"{"text",-11}{"whole, s",12}{"prefix kept, s",16}{"again, s",11}{"ratio",9}{"difference",13}");
        foreach (var tokens in new[] { 77, 14 })
        {
            using var scope = NewDisposeScope();
            var prompt = Conditions(noise, tokens);

            // A new empty text, so that its part is computed within the first timing.
            var empty = Conditions(noise, 2);
            var text = new PriorText(prompt, () => empty);
            var (whole, reference) = Time(() => Whole(network, text));
            var (kept, ours) = Time(() => Kept(prior, text));
            var (again, _) = Time(() => Kept(prior, text));
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{tokens + " tokens",-11}{whole,12:0.0}{kept,16:0.0}{again,11:0.0}{whole / kept,9:0.0}"
                    + $"{(reference - ours).abs().max().item<float>(),13:0.0e0}"));
        }
    }

    private static Tensor Whole(PriorTransformer network, PriorText text)
    {
        var both = text.Guided();
        using var noise = new Noise(7);
        using var scheduler = Scheduler();
        scheduler.SetTimesteps(Steps);
        var start = Sampling.Begin(scheduler, noise, 1, network.Config.EmbeddingDim);
        return Sampling.Run(scheduler, Guidance.ClassifierFree((x, t) => network.call(x, t, both), Scale), start, noise);
    }

    private static Tensor Kept(DiffusionPrior prior, PriorText text)
    {
        using var noise = new Noise(7);
        return prior.Draw(text, new PriorOptions(Steps, Scale), noise)[0];
    }

    private static (double Seconds, Tensor Value) Time(Func<Tensor> work)
    {
        var start = Stopwatch.GetTimestamp();
        var value = work();
        return (Stopwatch.GetElapsedTime(start).TotalSeconds, value);
    }

    private static PriorConditions Conditions(Noise noise, int tokens) =>
        new(noise.Randn(1, 768), noise.Randn(1, 77, 768), arange(77).unsqueeze(0).lt(tokens));

    private static IScheduler Scheduler() => Schedulers.Create(SchedulerConfig.Parse("""
        {
          "_class_name": "UnCLIPScheduler",
          "clip_sample": true,
          "clip_sample_range": 5.0,
          "num_train_timesteps": 1000,
          "prediction_type": "sample",
          "variance_type": "fixed_small_log"
        }
        """));
}
