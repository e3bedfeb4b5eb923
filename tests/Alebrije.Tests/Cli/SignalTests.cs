using System.Diagnostics;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Tests.Datasets;

namespace Alebrije.Tests.Cli;

/// <summary>The command as a process of its own, asked to stop.</summary>
public sealed class SignalTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-signal-").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Theory]
    [InlineData("-TERM")]
    [InlineData("-INT")]
    public async Task Signal_StopsCleanly_AndWhatIsWrittenIsWhole(string signal)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no such signals.");
        World.Open();
        var cancellation = TestContext.Current.CancellationToken;
        var program = Path.Combine(AppContext.BaseDirectory, "Alebrije.Cli");
        using var process = Process.Start(new ProcessStartInfo(program, ["world", "--count", "5000", "--export", folder, "--lang", "en"]) { RedirectStandardError = true, RedirectStandardOutput = true })!;
        var error = process.StandardError.ReadToEndAsync(cancellation);
        while (!process.HasExited && !Directory.EnumerateFiles(folder, "0001-*.png").Any()) await Task.Delay(20, cancellation);

        using (var kill = Process.Start("kill", [signal, process.Id.ToString(System.Globalization.CultureInfo.InvariantCulture)])) await kill.WaitForExitAsync(cancellation);
        await process.WaitForExitAsync(cancellation);

        Assert.Equal((1, "Stopped."), (process.ExitCode, (await error).Trim()));
        Assert.All(Directory.EnumerateFiles(folder, "*.png"), file => Assert.Equal(128, RgbImage.Load(file).Width));
    }
}
