using System.Text.Encodings.Web;
using System.Text.Json;
using Alebrije.Cli.TerminalImages;
using Alebrije.Preprocessing;
using Alebrije.Preprocessing.Imaging;
using Spectre.Console;

namespace Alebrije.Cli;

/// <summary>
/// Output of a verb: answers to standard output, progress to standard error. All output goes through this class, which makes control
/// characters and marks of direction in it visible (<see cref="PrintableText"/>).
/// </summary>
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

    /// <summary>True if standard error is a terminal, so that a line may be redrawn.</summary>
    public bool IsLive { get; } = ReferenceEquals(error, Console.Error) && !Console.IsErrorRedirected;

    /// <summary>True if standard output is a terminal that supports colours.</summary>
    public bool HasColour { get; } = ReferenceEquals(output, Console.Out) && !Console.IsOutputRedirected
        && string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR"));

    /// <summary>Columns of the terminal, 100 if the output is not a terminal.</summary>
    public int Width { get; } = !ReferenceEquals(output, Console.Out)
        || Console.IsOutputRedirected ? 100 : Math.Max(40, Console.WindowWidth);

    /// <summary>Reader of the input for <c>-</c> in place of a file.</summary>
    public TextReader Input { get; } = input;

    /// <summary>True to write only the answer and errors, without progress, notes, images and <see cref="Aside"/>.</summary>
    public bool IsQuiet { get; set; }

    /// <summary>Writes a line in addition to the answer.</summary>
    public void Aside(string line)
    {
        if (!IsQuiet) Say(line);
    }

    /// <summary>Writes a line of the answer.</summary>
    public void Say(string line = "")
    {
        CloseLine();
        output.WriteLine(PrintableText.Of(line));
    }

    /// <summary>Writes a longer text, broken at spaces at the width of the terminal.</summary>
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

    /// <summary>Writes text with line breaks and escape sequences of this program's own; words from outside in it are made visible by
    /// the caller.</summary>
    public void SayBlock(string text)
    {
        CloseLine();
        output.Write(text);
    }

    /// <summary>Writes the one JSON document of <c>--json</c>.</summary>
    /// <param name="document">Any object; names become snake_case.</param>
    /// <param name="compact">True for one line, for documents of mostly numbers.</param>
    /// <param name="stopped">Reason why the run ended early, written as its last member; null if it did not.</param>
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

        output.WriteLine(PrintableText.Of(JsonSerializer.Serialize(document, format), keepLines: true));
    }

    /// <summary>Writes a table; numbers are right-aligned, and no word is broken.</summary>
    /// <param name="heads">Heads of the columns; one that begins with <c>&gt;</c> is a column of numbers.</param>
    /// <param name="rows">Cells, one for each head.</param>
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
        heads = [.. heads.Select(head => PrintableText.Of(head))];
        string[][] cells = [.. rows.Select(row => row.Select(cell => PrintableText.Of(cell)).ToArray())];
        var (widths, whole) = TableWidths.Of(console, [[.. heads.Select(head => head.TrimStart('>'))], .. cells],
            Width, i => heads[i].StartsWith('>'));
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

        // Removes the border's empty first and last line, and the spaces that fill every row.
        foreach (var line in lines.ToString().Split('\n').Select(line => line.TrimEnd())
            .SkipWhile(line => line.Length == 0).Reverse().SkipWhile(line => line.Length == 0).Reverse())
            SayBlock(line + Environment.NewLine);
        Say();
    }

    /// <summary>Shows an image if the terminal can; half blocks only if the image is still recognisable at that size.</summary>
    public void Show(RgbImage image, int columns, bool halfBlocks = true)
    {
        if (IsQuiet) return;
        var protocol = TerminalDetection.Detect(HasColour);
        if (protocol == TerminalProtocol.HalfBlocks && !halfBlocks) return;
        SayBlock(TerminalPicture.Render(image, protocol, Math.Clamp(columns, 1, Width - 1)));
    }

    /// <summary>Writes a note in addition to the answer.</summary>
    public void Note(string line)
    {
        if (!IsQuiet) Fail(line);
    }

    /// <summary>Writes a line about an error.</summary>
    public void Fail(string line)
    {
        CloseLine();
        error.WriteLine(PrintableText.Of(ErrorSentence.Cut(line), keepLines: true));
    }

    /// <summary>Redraws one line of progress; silent if standard error is not a terminal.</summary>
    public void Progress(string line)
    {
        if (!IsLive || IsQuiet) return;
        line = PrintableText.Of(line);
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
