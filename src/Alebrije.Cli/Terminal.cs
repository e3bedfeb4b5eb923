using System.Text.Encodings.Web;
using System.Text.Json;

namespace Alebrije.Cli;

/// <summary>Where a verb writes: answers to standard output, progress to standard error.</summary>
internal sealed class Terminal(TextWriter output, TextWriter error)
{
    private static readonly JsonSerializerOptions JsonFormat = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        NumberHandling = System.Text.Json.Serialization.JsonNumberHandling.AllowNamedFloatingPointLiterals,
        WriteIndented = true,
    };

    private bool lineIsOpen;

    /// <summary>Whether a person looks at standard error, so that a line may be redrawn.</summary>
    public bool IsLive { get; } = ReferenceEquals(error, Console.Error) && !Console.IsErrorRedirected;

    /// <summary>Whether standard output is a terminal that may be coloured.</summary>
    public bool HasColour { get; } = ReferenceEquals(output, Console.Out) && !Console.IsOutputRedirected
        && string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR"));

    /// <summary>Columns of the terminal, 100 when it is none.</summary>
    public int Width { get; } = Console.IsOutputRedirected ? 100 : Math.Max(40, Console.WindowWidth);

    /// <summary>Writes a line of the answer.</summary>
    public void Say(string line = "")
    {
        CloseLine();
        output.WriteLine(line);
    }

    /// <summary>Writes the one JSON document of <c>--json</c>.</summary>
    public void SayJson(object document) => output.WriteLine(JsonSerializer.Serialize(document, JsonFormat));

    /// <summary>A note beside the answer.</summary>
    public void Note(string line)
    {
        CloseLine();
        error.WriteLine(line);
    }

    /// <summary>Redraws one line of progress; silent where nobody looks.</summary>
    public void Progress(string line)
    {
        if (!IsLive) return;
        error.Write("\r\e[2K" + (line.Length > Width - 1 ? line[..(Width - 1)] : line));
        lineIsOpen = true;
    }

    /// <summary>Ends the line of progress.</summary>
    public void CloseLine()
    {
        if (!lineIsOpen) return;
        error.Write("\r\e[2K");
        lineIsOpen = false;
    }
}
