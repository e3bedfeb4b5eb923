using System.Diagnostics;
using System.Globalization;
using Alebrije.Datasets;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Tests.Catalog;

namespace Alebrije.Search.Tests;

/// <summary>
/// Processes killed with SIGKILL at random moments and started again: the index is that of an undisturbed run. A longer campaign, on
/// EmojiWorld scenes of 192 to 512 pixels a side: <c>ALEBRIJE_KILLS=20 ALEBRIJE_KILL_PICTURES=5000 ALEBRIJE_KILL_MODEL=mini</c>.
/// </summary>
public sealed class KillTests : Folders
{
    private static int Kills => Number("ALEBRIJE_KILLS", 3);

    private static int Count => Number("ALEBRIJE_KILL_PICTURES", 200);

    private static string ModelName => Environment.GetEnvironmentVariable("ALEBRIJE_KILL_MODEL") ?? TestModels.StableUnClip;

    [Fact]
    public async Task KilledAtRandomMoments_AndResumed_IsTheIndexOfAnUndisturbedRun()
    {
        if (ModelName == "mini") WriteScenes();
        else Write(0, Count);
        var plain = Path.Combine(Root, "plain");
        var (whole, start) = (await Time(plain), await Time(plain));
        var (random, kills) = (new Random(7), new List<int>());
        for (var n = 0; n < Kills; n++)
        {
            // One of four during the start of the process, the others in the next share of the work; some of it is left after the last.
            var moment = random.Next(4) == 0 ? start * random.NextDouble()
                : start + ((whole - start) * (1.6 / (Kills + 1) * random.NextDouble()));
            if (await Run(IndexFolder, moment) == 137) kills.Add(Finished());
            else Directory.Delete(IndexFolder, recursive: true);
        }

        Assert.Equal(0, await Run(IndexFolder, null));
        TestContext.Current.TestOutputHelper!.WriteLine($"{kills.Count} of {Kills} runs were killed, with "
            + $"{string.Join(", ", kills)} files in the index; a whole run took {whole.TotalSeconds:F1} s, one without work "
            + $"{start.TotalSeconds:F1} s.");
        var (expected, found) = (Items(plain), Items(IndexFolder));
        Assert.Equal(Count, expected.Count);
        Assert.Equal(expected, found);
        Assert.True(kills.Count > 0, "no run was killed");
    }

    [Fact]
    public async Task SecondProcess_IsRefusedInOneSentence()
    {
        Write(0, 4);
        Assert.Equal(0, await Run(IndexFolder, null));
        using (IndexLock.Take(IndexFolder))
        {
            using var process = Start(IndexFolder);
            var error = await process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
            await process.WaitForExitAsync(TestContext.Current.CancellationToken);
            Assert.Equal((1, $"The index {IndexFolder} is being changed by another process; wait until it is finished, or stop it."),
                (process.ExitCode, error.Trim()));
        }
    }

    private void WriteScenes()
    {
        var world = EmojiWorld.Open();
        for (var i = 0; i < Count; i++)
        {
            var side = 192 + (64 * (i % 6));
            new RgbImage(side, side, world.Render(world.Scene(5, i), side)).SavePng(
                Path.Combine(Photos, string.Create(CultureInfo.InvariantCulture, $"{i:0000}.png")));
        }
    }

    private async Task<TimeSpan> Time(string index)
    {
        var watch = Stopwatch.StartNew();
        Assert.Equal(0, await Run(index, null));
        return watch.Elapsed;
    }

    /// <summary>Files in the index, counted in a copy: whoever opens it first mends what the killed process left.</summary>
    private int Finished()
    {
        if (!File.Exists(Path.Combine(IndexFolder, IndexDatabase.FileName))) return 0;
        var copy = Directory.CreateDirectory(Path.Combine(Root, "copy")).FullName;
        foreach (var file in Directory.GetFiles(IndexFolder, $"{IndexDatabase.FileName}*"))
            File.Copy(file, Path.Combine(copy, Path.GetFileName(file)));
        try
        {
            using var database = IndexDatabase.Open(copy, create: true);
            return database.Value<int>("SELECT count(*) FROM files");
        }
        finally
        {
            Directory.Delete(copy, recursive: true);
        }
    }

    private async Task<int> Run(string index, TimeSpan? kill)
    {
        using var process = Start(index);
        var output = Task.WhenAll(process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        if (kill is { } moment)
        {
            try
            {
                await process.WaitForExitAsync(TestContext.Current.CancellationToken)
                    .WaitAsync(moment, TestContext.Current.CancellationToken);
            }
            catch (TimeoutException)
            {
                process.Kill();
            }
        }

        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        await output;
        return process.ExitCode;
    }

    private Process Start(string index)
    {
        var start = new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, "Alebrije.Cli"),
            ["index", "add", Photos, "--index", index, "--model", ModelName, "--lang", "en"])
        {
            RedirectStandardOutput = true, RedirectStandardError = true,
        };
        return Process.Start(start)!;
    }

    private static int Number(string variable, int otherwise) =>
        int.TryParse(Environment.GetEnvironmentVariable(variable), NumberStyles.None,
            CultureInfo.InvariantCulture, out var n) ? n : otherwise;
}
