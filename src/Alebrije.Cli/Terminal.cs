using System.Text.Encodings.Web;
using System.Text.Json;
using Alebrije.Cli.TerminalImages;
using Alebrije.Preprocessing.Imaging;
using Spectre.Console;

namespace Alebrije.Cli;

/// <summary>Where a verb writes: answers to standard output, progress to standard error.</summary>
internal sealed class Terminal(TextWriter output, TextWriter error, TextReader input)
{
    /// <summary>Form of JSON answers.</summary>
    public static readonly JsonSerializerOptions JsonFormat = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        NumberHandling = System.Text.Json.Serialization.JsonNumberHandling.AllowNamedFloatingPointLiterals,
        WriteIndented = true,
    };

    private static readonly JsonSerializerOptions CompactJson = new(JsonFormat) { WriteIndented = false };

    private bool lineIsOpen;

    /// <summary>Whether a person looks at standard error, so that a line may be redrawn.</summary>
    public bool IsLive { get; } = ReferenceEquals(error, Console.Error) && !Console.IsErrorRedirected;

    /// <summary>Whether standard output is a terminal that may be coloured.</summary>
    public bool HasColour { get; } = ReferenceEquals(output, Console.Out) && !Console.IsOutputRedirected
        && string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR"));

    /// <summary>Columns of the terminal, 100 when it is none.</summary>
    public int Width { get; } = !ReferenceEquals(output, Console.Out) || Console.IsOutputRedirected ? 100 : Math.Max(40, Console.WindowWidth);

    /// <summary>What <c>-</c> stands for where a file is read.</summary>
    public TextReader Input { get; } = input;

    /// <summary>True leaves out everything beside the answer and errors: progress, notes, pictures, <see cref="Aside"/>.</summary>
    public bool IsQuiet { get; set; }

    /// <summary>Writes a line that goes with the answer and is no part of it.</summary>
    public void Aside(string line)
    {
        if (!IsQuiet) Say(line);
    }

    /// <summary>Writes a line of the answer.</summary>
    public void Say(string line = "")
    {
        CloseLine();
        output.WriteLine(line);
    }

    /// <summary>Writes a longer text, broken at spaces where the terminal ends.</summary>
    public void SayText(string text)
    {
        var line = "";
        foreach (var word in text.Split(' '))
        {
            if (line.Length > 0 && line.Length + 1 + word.Length > Width)
            {
                Say(line);
                line = "";
            }

            line = line.Length == 0 ? word : $"{line} {word}";
        }

        Say(line);
    }

    /// <summary>Writes text that ends its own lines.</summary>
    public void SayBlock(string text)
    {
        CloseLine();
        output.Write(text);
    }

    /// <summary>Writes the one JSON document of <c>--json</c>.</summary>
    /// <param name="document">Any object; names become snake_case.</param>
    /// <param name="compact">On one line, for documents that are mostly numbers.</param>
    /// <param name="stopped">Reason why the run ended early, which becomes its last member; null where it did not.</param>
    public void SayJson(object document, bool compact = false, string? stopped = null)
    {
        CloseLine();
        var format = compact ? CompactJson : JsonFormat;
        if (stopped is not null)
        {
            var members = JsonSerializer.SerializeToNode(document, format)!.AsObject();
            members["stopped"] = stopped;
            document = members;
        }

        output.WriteLine(JsonSerializer.Serialize(document, format));
    }

    /// <summary>Writes a table; numbers stand to the right, and no word is broken.</summary>
    /// <param name="heads">Heads of the columns; one that begins with <c>&gt;</c> is a column of numbers.</param>
    /// <param name="rows">Cells, as many as there are heads.</param>
    public void SayTable(IReadOnlyList<string> heads, IEnumerable<IReadOnlyList<string>> rows)
    {
        using var lines = new StringWriter();
        var console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = HasColour ? AnsiSupport.Yes : AnsiSupport.No,
            Interactive = InteractionSupport.No,
            Out = new AnsiConsoleOutput(lines),
        });
        console.Profile.Capabilities.Unicode = true;
        var cells = rows.ToArray();
        var (widths, whole) = TableWidths.Of(console, [[.. heads.Select(head => head.TrimStart('>'))], .. cells], Width, i => heads[i].StartsWith('>'));
        console.Profile.Width = whole;
        var table = new Table().Border(TableBorder.Simple);
        for (var i = 0; i < heads.Count; i++)
        {
            var column = new TableColumn(new Text(heads[i].TrimStart('>'), new Style(decoration: Decoration.Bold))).Width(widths[i]);
            if (heads[i].StartsWith('>')) column.RightAligned();
            table.AddColumn(column);
        }

        foreach (var row in cells) table.AddRow(row.Select(cell => new Text(cell)));
        console.Write(table);

        // The border's empty first and last line, and the spaces that fill every row, are of no use.
        foreach (var line in lines.ToString().Split('\n').Select(line => line.TrimEnd()).SkipWhile(line => line.Length == 0).Reverse().SkipWhile(line => line.Length == 0).Reverse())
            Say(line);
        Say();
    }

    /// <summary>Shows a picture where the terminal can; half blocks only where a picture is still one at that size.</summary>
    public void Show(RgbImage image, int columns, bool halfBlocks = true)
    {
        if (IsQuiet) return;
        var protocol = TerminalDetection.Detect(HasColour);
        if (protocol == TerminalProtocol.HalfBlocks && !halfBlocks) return;
        SayBlock(TerminalPicture.Render(image, protocol, Math.Clamp(columns, 1, Width - 1)));
    }

    /// <summary>A note beside the answer.</summary>
    public void Note(string line)
    {
        if (!IsQuiet) Fail(line);
    }

    /// <summary>A line about an error.</summary>
    public void Fail(string line)
    {
        CloseLine();
        error.WriteLine(line);
    }

    /// <summary>Redraws one line of progress; silent where nobody looks.</summary>
    public void Progress(string line)
    {
        if (!IsLive || IsQuiet) return;
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
