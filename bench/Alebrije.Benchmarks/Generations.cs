using System.Diagnostics;
using Alebrije.Pipelines;
using Alebrije.Tensors;
using Alebrije.Tests;

namespace Alebrije.Benchmarks;

/// <summary>Memory of a process that draws many small images, one after another, by the built-in model.</summary>
internal static class Generations
{
    private const int First = 100;

    /// <summary>Draws, and fails where the memory at the end is more than 5 % above that after the first hundred.</summary>
    /// <param name="rounds">Images in all; at least 200 are drawn.</param>
    public static void Run(int rounds)
    {
        rounds = Math.Max(rounds, 2 * First);
        TorchRuntime.Initialize();
        using var pipeline = ImagePipeline.Load(Path.Combine(Repository.Root, "models", "mini"), new ImagePipelineOptions());
        var (clock, early) = (Stopwatch.StartNew(), 0L);
        for (var i = 1; i <= rounds; i++)
        {
            pipeline.Generate(new GenerationRequest { Prompt = $"a lion {i % 7}", Seed = (ulong)i, Steps = 2, PriorSteps = 2, Size = 64 });
            if (i == First) early = Resident();
            if (i == First || i % 1000 == 0 || i == rounds)
                Console.WriteLine($"{i,6} images  {Resident() / 1048576.0,8:0.0} MiB  {clock.Elapsed.TotalSeconds,7:0} s");
        }

        var growth = ((double)Resident() / early) - 1;
        Console.WriteLine(FormattableString.Invariant($"growth since image {First}: {100 * growth:0.0} %"));
        if (growth > 0.05) throw new InvalidOperationException("The memory grows by more than 5 %.");
    }

    /// <summary>Bytes of the process after a collection.</summary>
    internal static long Resident()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();
        using var process = Process.GetCurrentProcess();
        return process.WorkingSet64;
    }
}
