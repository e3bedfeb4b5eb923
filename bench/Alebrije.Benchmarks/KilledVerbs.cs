using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text.RegularExpressions;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Tensors;
using Alebrije.Tests;
using Alebrije.Weights;

namespace Alebrije.Benchmarks;

/// <summary>
/// Verbs of the command killed (SIGKILL) at random moments between their first file and their end, and resumed: the files at the end
/// equal those of an undisturbed run, and nothing else is left. Needs the built command.
/// </summary>
internal static partial class KilledVerbs
{
    public const string Usage = "verbs killed at random moments, resumed and compared: kills [--rounds N] [--verb NAME], "
        + "15 rounds of all by default; NAME is embed, imagine, models, index, train, pack, or the name of one training run";

    /// <summary>The command.</summary>
    internal static readonly string Cli = Path.Combine(
        Repository.Root, "artifacts", "bin", "Alebrije.Cli", "debug_linux-x64", "Alebrije.Cli");

    public static int Run(string[] options)
    {
        var (rounds, only) = (15, "");
        for (var i = 0; i < options.Length; i += 2)
        {
            if (i + 1 < options.Length && options[i] == "--verb") only = options[i + 1];
            else if (i + 1 == options.Length || options[i] != "--rounds" || !int.TryParse(options[i + 1], out rounds) || rounds < 1)
            {
                Console.Error.WriteLine(Usage);
                return 2;
            }
        }

        TorchRuntime.Initialize();
        var root = Directory.CreateTempSubdirectory("alebrije-kills-").FullName;
        var (pictures, classes) = (Path.Combine(root, "pictures"), Path.Combine(root, "classes"));
        for (var i = 0; i < 200; i++) Draw(Path.Combine(pictures, $"{i:D3}.png"), i);
        for (var i = 0; i < 24; i++) Draw(Path.Combine(classes, $"{(char)('a' + (i % 3))}", $"{i:D3}.png"), i);
        var model = Path.Combine(Repository.Root, "models", "mini");
        var kinds = TinyRuns.Write(Path.Combine(root, "runs"), classes);
        string[] names = ["embed", "imagine", "models", "index", "train", "pack", .. kinds.Select(each => each.Kind)];
        if (only.Length > 0 && !names.Contains(only))
        {
            Directory.Delete(root, recursive: true);
            Console.Error.WriteLine($"kills: '{only}' is not one of {string.Join(", ", names)}.");
            return 2;
        }

        if (Is("embed")) Check("embed", rounds, root, _ => ["embed", "--images", pictures, "--out", "out/e.npy"]);
        if (Is("imagine")) Check("imagine", rounds, root, again => ["imagine", "a lion", "a dog", "--count", "6", "--seed", "3",
            "--steps", "2", "--size", "64", "--out", "out", .. Resume(again)]);
        if (Is("models")) Check("models pull", rounds, root, _ => ["models", "pull", model, "--name", "copy"], isDone: "already");
        if (Is("index")) Check("index add", rounds, root, _ => ["index", "add", pictures, "--index", "out"]);
        var runs = new Dictionary<string, string>();
        foreach (var (kind, command) in kinds)
        {
            runs[kind] = Path.Combine(root, "runs", "done-" + kind.Replace(' ', '-'));
            var isPart = Is("pack") && kind is "decoder" or "autoencoder" or "clip" or "prior --kind diffusion" or "guess" or "upsampler";
            if (!Is("train") && only != kind && !isPart) continue;
            string[] Whole(bool again) =>
                [.. command, "--out", "out", .. kind == "prior --kind linear" ? Array.Empty<string>() : Resume(again)];
            Check("train " + kind, Is("train") || only == kind ? rounds : 0, root, Whole,
                isDone: kind == "prior --kind linear" ? "another run" : null, keep: runs[kind]);
        }

        if (Is("pack")) Check("pack", rounds, root, _ => ["pack", "--clip", runs["clip"], "--autoencoder", runs["autoencoder"],
            "--prior", runs["prior --kind diffusion"], "--guess", runs["guess"], "--decoder", runs["decoder"],
            "--upsampler", runs["upsampler"], "--out", "out"]);
        Directory.Delete(root, recursive: true);
        return 0;

        bool Is(string verb) => only.Length == 0 || only == verb;
    }

    private static string[] Resume(bool again) => again ? ["--resume"] : [];

    private static void Draw(string path, int seed)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        new RgbImage(32, 32, [.. Enumerable.Range(0, 32 * 32 * 3).Select(j => (byte)((seed * 31) + (j * 7)))]).SavePng(path);
    }

    private static void Check(string verb, int rounds, string root, Func<bool, string[]> command, string? isDone = null,
        string? keep = null)
    {
        // The second run is timed: files that were read once are read faster.
        var (whole, time, first) = (Path.Combine(root, "whole"), TimeSpan.Zero, TimeSpan.Zero);
        for (var run = 0; run < 2; run++)
        {
            if (Directory.Exists(whole)) Directory.Delete(whole, recursive: true);
            Prepare(whole);
            var clock = Stopwatch.StartNew();
            var (status, error, _) = Start(whole, command(false), TimeSpan.MaxValue, () => first = clock.Elapsed);
            if (status != 0) throw new InvalidOperationException($"{verb} fails undisturbed: {error}");
            time = clock.Elapsed;
        }

        var (expected, random, cut) = (Contents(whole), new Random(1), 0);
        for (var round = 0; round < rounds; round++)
        {
            var folder = Path.Combine(root, "killed");
            Prepare(folder);
            var clock = Stopwatch.StartNew();
            var (status, _, _) = Start(folder, command(false), (time - first) * random.NextDouble());
            if (status != 0) cut++;
            // A run that ended before its moment was faster than all before it: the next moments are drawn from its time.
            else if (clock.Elapsed < time) (first, time) = (first * (clock.Elapsed / time), clock.Elapsed);
            var (again, error, _) = Start(folder, command(true), TimeSpan.MaxValue);
            if (again != 0 && !(isDone is not null && error.Contains(isDone, StringComparison.Ordinal)))
                throw new InvalidOperationException($"{verb}, round {round}: the resumed run fails: {error} ({folder})");
            if (!Contents(folder).SequenceEqual(expected))
                throw new InvalidOperationException($"{verb}, round {round}: other files than undisturbed: "
                    + string.Join(", ", Contents(folder).Except(expected).Concat(expected.Except(Contents(folder)))) + $" ({folder})");
            Directory.Delete(folder, recursive: true);
        }

        if (keep is not null) Directory.Move(Path.Combine(whole, "out"), keep);
        Directory.Delete(whole, recursive: true);
        if (rounds == 0) return;
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{verb,-24} {rounds} of {rounds} rounds equal to an undisturbed "
            + $"run; {cut} were killed before their end ({first.TotalSeconds:0.0} to {time.TotalSeconds:0.0} s)"));
    }

    private static void Prepare(string folder)
    {
        foreach (var name in (string[])["out", "temporary", "store"]) Directory.CreateDirectory(Path.Combine(folder, name));
    }

    /// <param name="folder">Current folder of the command, with its store and its temporary folder.</param>
    /// <param name="arguments">The command.</param>
    /// <param name="kill">Time from its first file to its end.</param>
    /// <param name="onFile">Called when there is a first file.</param>
    private static (int Status, string Error, string Output) Start(string folder, string[] arguments, TimeSpan kill, Action? onFile = null)
    {
        var start = new ProcessStartInfo(Cli, [.. arguments, "--lang", "en", "--threads", "1"])
        {
            WorkingDirectory = folder, RedirectStandardError = true, RedirectStandardOutput = true,
        };
        start.Environment["XDG_DATA_HOME"] = Path.Combine(folder, "store");
        start.Environment["TMPDIR"] = Path.Combine(folder, "temporary");
        start.Environment["DOTNET_EnableDiagnostics"] = "0";
        start.Environment["OMP_NUM_THREADS"] = "1";
        using var process = Process.Start(start)!;
        var (error, output) = (process.StandardError.ReadToEndAsync(), process.StandardOutput.ReadToEndAsync());
        while (!process.WaitForExit(5) && !Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories).Any())
        {
        }

        onFile?.Invoke();

        if (kill != TimeSpan.MaxValue && !process.WaitForExit(kill)) process.Kill();
        process.WaitForExit();
        output.Wait();
        return (process.ExitCode, error.Result, output.Result);
    }

    /// <summary>Files below a folder with the hashes of what they hold, besides the time that a run took.</summary>
    private static string[] Contents(string folder) => [.. Directory.GetFiles(folder, "*", SearchOption.AllDirectories)
        .Order(StringComparer.Ordinal)
        .Select(file => $"{Path.GetRelativePath(folder, file)} {Convert.ToHexStringLower(SHA256.HashData(Bytes(file)))[..12]}")];

    private static byte[] Bytes(string file) => Path.GetFileName(file) switch
    {
        "checkpoint.safetensors" => WithoutTime(file),
        "log.csv" => System.Text.Encoding.UTF8.GetBytes(Log(File.ReadAllText(file))),
        "index.db" => Tables(file),
        var name when name.StartsWith("vectors-", StringComparison.Ordinal) => [],
        _ => File.ReadAllBytes(file),
    };

    /// <summary>
    /// Rows of a log without the rows of losses before the last, which a run writes every ten seconds; all rows if these are not in order.
    /// </summary>
    private static string Log(string text)
    {
        var rows = text.Split('\n');
        var losses = rows.Skip(1).Where(row => row.Split(',', 7) is { Length: 7 } parts && parts[2] != "NaN").ToArray();
        var steps = losses.Select(row => int.Parse(row.Split(',')[0], CultureInfo.InvariantCulture)).ToArray();
        var isInOrder = steps.Zip(steps.Skip(1)).All(pair => pair.First < pair.Second);
        return string.Join('\n', rows.Where(row => !isInOrder || !losses.SkipLast(1).Contains(row)).Select(Row));
    }

    /// <summary>
    /// A row of a log without seconds, speed and losses, which are also in its warnings: those of the steps since a restart are means of
    /// fewer steps.
    /// </summary>
    private static string Row(string row)
    {
        var parts = row.Split(',', 7);
        return parts.Length < 7 ? row : $"{parts[0]},{parts[3]},{WarnedLoss().Replace(parts[6], "loss")}";
    }

    [GeneratedRegex(@"loss \([0-9.]+\)")]
    private static partial Regex WarnedLoss();

    private static byte[] WithoutTime(string file)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        using var source = new SafeTensorsFile(file);
        foreach (var name in source.Names.Order(StringComparer.Ordinal))
        {
            using var tensor = source.Read(name);
            hash.AppendData(System.Text.Encoding.UTF8.GetBytes($"{name} {source.Describe(name)}"));
            hash.AppendData(tensor.bytes.ToArray());
        }

        foreach (var (key, value) in source.Metadata.Where(pair => pair.Key != "seconds").OrderBy(pair => pair.Key, StringComparer.Ordinal))
            hash.AppendData(System.Text.Encoding.UTF8.GetBytes($"{key}={value}"));
        return hash.GetHashAndReset();
    }

    /// <summary>Images of an index with their vectors, whatever rows they stand in.</summary>
    private static byte[] Tables(string file)
    {
        using var index = Search.PictureIndex.Open(Path.GetDirectoryName(file)!);
        var space = index.Spaces[0];
        using var vectors = Search.Vectors.VectorFile.Open(Path.Combine(index.Folder, space.File));
        var vector = new float[vectors.Width];
        return System.Text.Encoding.UTF8.GetBytes(string.Join('\n', index.Pictures(space).Select(one =>
        {
            vectors.Row(one.Row, vector);
            return $"{one} {string.Join(' ', vector)}";
        })));
    }
}
