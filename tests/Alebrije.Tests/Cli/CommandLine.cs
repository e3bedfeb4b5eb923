using System.Text.Json;
using Alebrije.Cli;

namespace Alebrije.Tests.Cli;

/// <summary>Result of a command line.</summary>
/// <param name="Status">Exit status.</param>
/// <param name="Output">Standard output.</param>
/// <param name="Error">Standard error.</param>
internal sealed record Outcome(int Status, string Output, string Error)
{
    /// <summary>The one JSON document on standard output; fails if there is anything else.</summary>
    public JsonElement Json
    {
        get
        {
            Assert.True(Status is 0 or 1, Error);
            using var document = JsonDocument.Parse(Output);
            return document.RootElement.Clone();
        }
    }

    /// <summary>The error: one line, or two with a hint at the help; nothing on standard output.</summary>
    public string Refusal
    {
        get
        {
            Assert.Equal("", Output);
            var lines = Error.TrimEnd().Split('\n');
            Assert.InRange(lines.Length, 1, 2);
            if (lines.Length == 2) Assert.Matches("^(Try|Prueba): alebrije", lines[1]);
            Assert.DoesNotContain("   at ", Error, StringComparison.Ordinal);
            Assert.EndsWith(lines[0].EndsWith('?') ? "?" : ".", lines[0], StringComparison.Ordinal);
            return lines[0];
        }
    }
}

/// <summary>Runs the command with captured writers.</summary>
internal static class CommandLine
{
    /// <summary>File of defaults for the commands of a test.</summary>
    public static AsyncLocal<string?> Defaults { get; } = new();

    public static async Task<Outcome> Run(params string[] args) => await RunWithInput("", args);

    public static async Task<Outcome> RunWithInput(string input, params string[] args)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        using var reader = new StringReader(input);
        var language = args.Contains("--lang") ? args : [.. args, "--lang", "en"];
        // No defaults of the user who runs the tests.
        var status = await CommandLineApp.RunAsync(language, output,
            error, reader, Defaults.Value ?? Path.Combine(AppContext.BaseDirectory, "no-defaults.json"));
        return new Outcome(status, output.ToString().ReplaceLineEndings("\n"), error.ToString().ReplaceLineEndings("\n"));
    }

    public static string[] Strings(this JsonElement list) => [.. list.EnumerateArray().Select(item => item.GetString()!)];

    public static double[] Numbers(this JsonElement list) => [.. list.EnumerateArray().Select(item => item.GetDouble())];

    public static string[] Keys(this JsonElement item) => [.. item.EnumerateObject().Select(property => property.Name)];
}
