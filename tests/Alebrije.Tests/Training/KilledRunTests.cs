using System.Diagnostics;
using Alebrije.Tensors;
using Alebrije.Tests.Datasets;
using Alebrije.Training;
using Alebrije.Weights;

namespace Alebrije.Tests.Training;

/// <summary>A process of the command line, killed without warning, resumes to the weights of an uninterrupted run.</summary>
public sealed class KilledRunTests : IDisposable
{
    private const string Configuration = """
        {
          "model": {
            "projection_dim": 16,
            "text_config": {
              "hidden_size": 16, "intermediate_size": 32, "projection_dim": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
              "max_position_embeddings": 16, "hidden_act": "gelu"
            },
            "vision_config": {
              "hidden_size": 16, "intermediate_size": 32, "projection_dim": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
              "image_size": 32, "patch_size": 8, "hidden_act": "gelu"
            }
          },
          "vocabulary_size": 600, "optimizer": "muon", "names": 8, "batch": 4, "samples": 96, "warm_up": 4, "ema_decay": 0.9, "precision": "fp32", "save_minutes": 0, "measured_scenes": 4, "evaluate_minutes": 1000000
        }
        """;

    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-killed-").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public void Clip_KilledAtAnyMoment_ResumesBitEqual()
    {
        TorchRuntime.Initialize();
        var scenes = new CaptionedScenes(World.Open());
        File.WriteAllText(Path.Combine(folder, "clip.json"), Configuration);
        var (whole, killed) = (Path.Combine(folder, "whole"), Path.Combine(folder, "killed"));
        foreach (var run in (string[])[whole, killed]) TinyParts.WriteTokenizer(run, scenes);
        using var reference = Start(whole);

        Kill(killed, new Random(1), until: () => File.Exists(Path.Combine(killed, "training.json")));
        Assert.Equal(0, Step(killed));
        var sawSave = Kill(killed, new Random(3), until: () => File.Exists(Path.Combine(killed, ".checkpoint.safetensors.alebrije")),
            atOnce: true);
        Kill(killed, new Random(4), until: () => Step(killed) >= 6);
        var reached = Step(killed);
        Assert.InRange(reached, 3, 23);
        Assert.True(sawSave, "no save was seen while it went on");

        using (var last = Start(killed)) Finish(last);
        Finish(reference);
        Checkpoints.AssertEqual(whole, killed);
        Assert.Equal(File.ReadAllBytes(Weights(whole)), File.ReadAllBytes(Weights(killed)));
        Assert.Equal(24, Step(killed));
        Assert.Empty(Directory.GetFiles(killed, ".*", SearchOption.AllDirectories));
    }

    /// <summary>Starts or resumes the run and kills it some milliseconds after a condition holds.</summary>
    /// <returns>True if the condition held before the process was killed.</returns>
    private bool Kill(string run, Random random, Func<bool> until, bool atOnce = false)
    {
        using var process = Start(run);
        var held = false;
        for (var limit = Environment.TickCount64 + 60_000; !held && !process.HasExited && Environment.TickCount64 < limit; held = until())
            process.WaitForExit(atOnce ? 0 : 1);
        if (!atOnce) process.WaitForExit(random.Next(30));
        if (process.HasExited) Finish(process);
        Assert.False(process.HasExited, "the run ended before it could be killed");
        process.Kill();
        process.WaitForExit();
        return held;
    }

    private Process Start(string run)
    {
        var start = new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory,
            OperatingSystem.IsWindows() ? "Alebrije.Cli.exe" : "Alebrije.Cli"))
        {
            RedirectStandardError = true, RedirectStandardOutput = true,
            ArgumentList = { "train", "clip", "--config", Path.Combine(folder, "clip.json"), "--out", run, "--threads", "1", "--resume" },
        };
        start.Environment["OMP_NUM_THREADS"] = "1";
        return Process.Start(start)!;
    }

    private static void Finish(Process process)
    {
        var error = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        Assert.True(process.WaitForExit(120_000), "the run did not end");
        Assert.True(process.ExitCode == 0, output + error.Result);
    }

    private static long Step(string run)
    {
        var path = Path.Combine(run, "checkpoint.safetensors");
        if (!File.Exists(path)) return 0;
        using var checkpoint = new SafeTensorsFile(path);
        return long.Parse(checkpoint.Metadata["step"], System.Globalization.CultureInfo.InvariantCulture);
    }

    private static string Weights(string run) => Path.Combine(run, "clip", "model.safetensors");
}
