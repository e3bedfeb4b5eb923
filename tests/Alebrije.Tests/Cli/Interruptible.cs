using System.Diagnostics;

namespace Alebrije.Tests.Cli;

/// <summary>
/// Processes that SIGINT stops. A shell starts its background jobs with the signal ignored, and their children inherit that.
/// </summary>
internal static class Interruptible
{
    /// <summary>A program with its output and errors redirected.</summary>
    /// <param name="program">Path of the program.</param>
    /// <param name="arguments">Its arguments.</param>
    public static ProcessStartInfo Start(string program, IEnumerable<string> arguments)
    {
        var start = OperatingSystem.IsLinux() ? new ProcessStartInfo("env", ["--default-signal=INT", program, .. arguments])
            : new ProcessStartInfo(program, arguments);
        (start.RedirectStandardError, start.RedirectStandardOutput) = (true, true);
        return start;
    }
}
