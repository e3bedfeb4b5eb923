using System.Diagnostics;
using System.Globalization;
using Alebrije.Tests.Catalog;

namespace Alebrije.Search.Tests;

/// <summary>
/// Processes killed with SIGKILL at random moments and started again: the index is that of an undisturbed run. A longer campaign:
/// <c>ALEBRIJE_KILLS=20 ALEBRIJE_KILL_PICTURES=5000 ALEBRIJE_KILL_MODEL=mini</c>.
/// </summary>
public sealed class KillTests : Folders
{
    private static int Kills => Number("ALEBRIJE_KILLS", 3);

    private static int Count => Number("ALEBRIJE_KILL_PICTURES", 200);

    private static string ModelName => Environment.GetEnvironmentVariable("ALEBRIJE_KILL_MODEL") ?? TestModels.StableUnClip;

    [Fact]
    public async Task KilledAtRandomMoments_AndResumed_IsTheIndexOfAnUndisturbedRun()
    {
        Write(0, Count);
        var plain = Path.Combine(Root, "plain");
        var watch = Stopwatch.StartNew();
        Assert.Equal(0, await Run(plain, null));
        var (whole, random, killed) = (watch.Elapsed, new Random(7), 0);
        for (var n = 0; n < Kills; n++)
        {
            // From before the first batch on; a run that ends earlier leaves nothing to be killed, and the next begins anew.
            var moment = whole * (0.25 + (0.75 * random.NextDouble() / Math.Max(1, Kills / 4.0)));
            if (await Run(IndexFolder, moment) == 137) killed++;
            else Directory.Delete(IndexFolder, recursive: true);
        }

        Assert.Equal(0, await Run(IndexFolder, null));
        TestContext.Current.SendDiagnosticMessage($"{killed} of {Kills} runs were killed; a whole run took {whole.TotalSeconds:F1} s.");
        var (expected, found) = (Items(plain), Items(IndexFolder));
        Assert.Equal(Count, expected.Count);
        Assert.Equal(expected, found);
        Assert.True(killed > 0, "no run was killed");
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
