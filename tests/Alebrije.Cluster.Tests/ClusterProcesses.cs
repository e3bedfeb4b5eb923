using System.Diagnostics;
using System.Globalization;

namespace Alebrije.Cluster.Tests;

/// <summary>Processes of the command, ended by their ids. Their output is kept for messages of failed tests.</summary>
internal sealed class ClusterProcesses : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);

    private readonly List<(Process Process, StringWriter Said)> all = [];

    /// <summary>Lines of all processes.</summary>
    public string Said => string.Join('\n', all.Select(one =>
    {
        lock (one.Said) return one.Said.ToString();
    }));

    public Process Start(params string[] args)
    {
        var start = new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, "Alebrije.Cli"), [.. args, "--lang", "en"])
        {
            RedirectStandardError = true, RedirectStandardOutput = true,
            Environment = { ["OMP_NUM_THREADS"] = "1", ["DOTNET_TieredPGO"] = "0" },
        };
        var (process, said) = (Process.Start(start)!, new StringWriter());
        DataReceivedEventHandler keep = (_, line) =>
        {
            lock (said) said.WriteLine(line.Data);
        };
        process.OutputDataReceived += keep;
        process.ErrorDataReceived += keep;
        process.BeginErrorReadLine();
        process.BeginOutputReadLine();
        all.Add((process, said));
        return process;
    }

    public string SaidBy(Process process)
    {
        var said = all.Single(one => one.Process == process).Said;
        lock (said) return said.ToString();
    }

    /// <summary>Sends a signal.</summary>
    public static async Task SignalAsync(Process process, string signal)
    {
        using var kill = Process.Start("kill", [signal, process.Id.ToString(CultureInfo.InvariantCulture)]);
        await kill.WaitForExitAsync().WaitAsync(Limit);
    }

    /// <summary>Waits for a condition.</summary>
    public async Task UntilAsync(Func<bool> condition, TimeSpan limit, string what)
    {
        var watch = Stopwatch.StartNew();
        while (!condition())
        {
            Assert.True(watch.Elapsed < limit, $"{what}: not within {limit.TotalSeconds} s.\n{Said}");
            await Task.Delay(20, TestContext.Current.CancellationToken);
        }
    }

    public void Dispose()
    {
        foreach (var (process, _) in all)
        {
            if (!process.HasExited) process.Kill();
            process.WaitForExit(Limit);
            process.Dispose();
        }
    }
}
