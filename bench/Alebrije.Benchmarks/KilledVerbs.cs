using System.Diagnostics;
using System.Security.Cryptography;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Tests;

namespace Alebrije.Benchmarks;

/// <summary>
/// Verbs of the command killed (SIGKILL) at random moments and gone on with: the files at the end equal those of an undisturbed run, byte
/// for byte, and nothing else is left. Needs the command, built beside.
/// </summary>
internal static class KilledVerbs
{
    /// <summary>The command.</summary>
    internal static readonly string Cli = Path.Combine(
        Repository.Root, "artifacts", "bin", "Alebrije.Cli", "debug_linux-x64", "Alebrije.Cli");

    public static void Run(int rounds)
    {
        var root = Directory.CreateTempSubdirectory("alebrije-kills-").FullName;
        var pictures = Path.Combine(root, "pictures");
        Directory.CreateDirectory(pictures);
        for (var i = 0; i < 200; i++)
            new RgbImage(32, 32, [.. Enumerable.Range(0, 32 * 32 * 3).Select(j => (byte)((i * 31) + (j * 7)))])
                .SavePng(Path.Combine(pictures, $"{i:D3}.png"));
        var model = Path.Combine(Repository.Root, "models", "mini");
        Check("embed", rounds, root, _ => ["embed", "--images", pictures, "--out", "out/e.npy"]);
        Check("imagine", rounds, root, again => ["imagine", "a lion", "a dog", "--count", "4", "--seed", "3", "--steps", "2",
            "--size", "64", "--out", "out", .. again ? ["--resume"] : Array.Empty<string>()]);
        Check("models pull", rounds, root, _ => ["models", "pull", model, "--name", "copy"], isDone: "already");
        Directory.Delete(root, recursive: true);
    }

    private static void Check(string verb, int rounds, string root, Func<bool, string[]> command, string? isDone = null)
    {
        var whole = Path.Combine(root, "whole");
        var clock = Stopwatch.StartNew();
        Directory.CreateDirectory(Path.Combine(whole, "out"));
        if (Start(whole, command(false), TimeSpan.MaxValue) is not (0, _))
            throw new InvalidOperationException($"{verb} fails undisturbed.");
        var (time, expected, random, cut) = (clock.Elapsed, Hashes(whole), new Random(1), 0);
        for (var round = 0; round < rounds; round++)
        {
            var folder = Path.Combine(root, "killed");
            Directory.CreateDirectory(Path.Combine(folder, "out"));
            var (status, _) = Start(folder, command(false), time * random.NextDouble());
            if (status != 0) cut++;
            var (again, error) = Start(folder, command(true), TimeSpan.MaxValue);
            if (again != 0 && !(isDone is not null && error.Contains(isDone, StringComparison.Ordinal)))
                throw new InvalidOperationException($"{verb}, round {round}: gone on with, it fails: {error}");
            if (!Hashes(folder).SequenceEqual(expected))
                throw new InvalidOperationException($"{verb}, round {round}: other files than undisturbed: "
                    + string.Join(", ", Hashes(folder).Except(expected).Concat(expected.Except(Hashes(folder)))));
            Directory.Delete(folder, recursive: true);
        }

        Directory.Delete(whole, recursive: true);
        Console.WriteLine($"{verb,-12} {rounds} of {rounds} rounds equal to an undisturbed run; {cut} were killed before their end");
    }

    private static (int Status, string Error) Start(string folder, string[] arguments, TimeSpan kill)
    {
        var start = new ProcessStartInfo(Cli, [.. arguments, "--lang", "en", "--threads", "1"])
        {
            WorkingDirectory = folder, RedirectStandardError = true, RedirectStandardOutput = true,
        };
        start.Environment["XDG_DATA_HOME"] = Path.Combine(folder, "store");
        using var process = Process.Start(start)!;
        var (error, output) = (process.StandardError.ReadToEndAsync(), process.StandardOutput.ReadToEndAsync());
        if (kill != TimeSpan.MaxValue && !process.WaitForExit(kill)) process.Kill();
        process.WaitForExit();
        output.Wait();
        return (process.ExitCode, error.Result);
    }

    private static string[] Hashes(string folder) => [.. Directory.GetFiles(folder, "*", SearchOption.AllDirectories)
        .Order(StringComparer.Ordinal)
        .Select(file => $"{Path.GetRelativePath(folder, file)} "
            + $"{Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(file)))[..12]}")];
}
