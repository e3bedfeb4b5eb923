using System.Globalization;
using System.Text;
using Alebrije.Preprocessing;

namespace Alebrije.Reports;

/// <summary>A similarity table in rows of characters, with 24-bit colours or plain.</summary>
internal static class SimilarityTerminal
{
    private const int MinCell = 6, MaxCell = 16, MaxHeadLines = 5, Gap = 2, Longest = 400;
    private const string Reset = "\u001b[0m";

    public static string Render(SimilarityTable table, int width, bool colour, ReportOptions options)
    {
        width = Math.Max(width, 20);
        var names = table.Images.Select(Printable).ToArray();
        var heads = table.Texts.Select(Printable).ToArray();
        var label = Math.Min(Math.Max(names.Max(Columns), Columns(options.Words.Image)), Math.Max(8, width * 2 / 5));
        var room = Math.Max(MinCell, width - label - Gap);
        var cell = Math.Min(NeededCell(heads), room);
        var blocks = (heads.Length + room / cell - 1) / (room / cell);
        var perBlock = (heads.Length + blocks - 1) / blocks;

        var output = new StringBuilder();
        for (var from = 0; from < heads.Length; from += perBlock)
        {
            if (from > 0) output.Append('\n');
            var to = Math.Min(from + perBlock, heads.Length);
            AppendHeads(output, heads[from..to], options.Words.Image, label, cell);
            for (var row = 0; row < names.Length; row++)
                AppendRow(output, table, row, from, to, names[row], label, cell, colour, options.Measure);
        }

        return output.ToString();
    }

    /// <summary>Width at which every head fits its lines: the longest word, or more where a head has many.</summary>
    private static int NeededCell(string[] heads)
    {
        for (var cell = MinCell; cell < MaxCell; cell++)
            if (heads.All(head => head.Split(' ').All(word => Columns(word) < cell) && Wrap(head, cell - 1).Count <= 4)) return cell;
        return MaxCell;
    }

    private static void AppendHeads(StringBuilder output, string[] heads, string corner, int label, int cell)
    {
        var lines = heads.Select(head => Wrap(head, cell - 1)).ToArray();
        var height = lines.Max(l => l.Count);
        for (var y = 0; y < height; y++)
        {
            var line = new StringBuilder(y == height - 1 ? Pad(corner, label) : new string(' ', label)).Append(' ', Gap);
            foreach (var head in lines)
            {
                var at = y - (height - head.Count);
                var text = at < 0 ? "" : head[at];
                line.Append(' ', cell - Columns(text)).Append(text);
            }

            output.Append(line.ToString().TrimEnd()).Append('\n');
        }
    }

    private static void AppendRow(
        StringBuilder output, SimilarityTable table, int row, int from,
        int to, string name, int label, int cell, bool colour, SimilarityMeasure measure)
    {
        output.Append(Pad(Shorten(name, label), label)).Append(' ', Gap);
        for (var column = from; column < to; column++)
        {
            var value = table.Values(measure)[row][column];
            var text = SimilarityTable.Number(value, 2).PadLeft(colour ? cell - 1 : cell);
            if (!colour)
            {
                output.Append(text);
                continue;
            }

            var level = table.Level(value, measure);
            var (back, front) = (BluesGradient.Background(level), BluesGradient.Foreground(level));
            output.Append(CultureInfo.InvariantCulture,
                $"\u001b[48;2;{back.R};{back.G};{back.B}m\u001b[38;2;{front.R};{front.G};{front.B}m{text} ");
        }

        output.Append(colour ? Reset : "").Append('\n');
    }

    /// <summary>Lines of at most <paramref name="width"/> columns, broken at spaces, inside words only where they are longer.</summary>
    private static List<string> Wrap(string text, int width)
    {
        var lines = new List<string> { "" };
        foreach (var word in text.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            var rest = word;
            if (lines[^1].Length > 0 && Columns(lines[^1]) + 1 + Columns(rest) <= width)
            {
                lines[^1] += " " + rest;
                continue;
            }

            if (lines[^1].Length > 0) lines.Add("");
            while (Columns(rest) > width)
            {
                var part = Take(rest, width);
                lines[^1] = part;
                lines.Add("");
                rest = rest[part.Length..];
            }

            lines[^1] = rest;
        }

        if (lines.Count <= MaxHeadLines) return lines;
        lines.RemoveRange(MaxHeadLines, lines.Count - MaxHeadLines);
        lines[^1] = Take(lines[^1], width - 1) + "…";
        return lines;
    }

    /// <summary>Beginning and end of a long name, as these distinguish file names.</summary>
    private static string Shorten(string name, int width)
    {
        if (Columns(name) <= width) return name;
        var tail = Math.Min(width / 2, 10);
        var start = name.Length;
        while (start > 0 && Columns(name[(start - 1)..]) <= tail) start--;
        if (start < name.Length && char.IsLowSurrogate(name[start])) start++;
        return Take(name, width - 1 - Columns(name[start..])) + "…" + name[start..];
    }

    private static string Take(string text, int width)
    {
        var (used, end) = (0, 0);
        foreach (var rune in text.EnumerateRunes())
        {
            used += Columns(rune);
            if (used > width && end > 0) break;
            end += rune.Utf16SequenceLength;
            if (used > width) break;
        }

        return text[..end];
    }

    private static string Pad(string text, int width) => text + new string(' ', Math.Max(0, width - Columns(text)));

    private static int Columns(string text)
    {
        var sum = 0;
        foreach (var rune in text.EnumerateRunes()) sum += Columns(rune);
        return sum;
    }

    /// <summary>Columns a character takes: none for marks, two for East Asian wide ones and emoji.</summary>
    private static int Columns(Rune rune) => Rune.GetUnicodeCategory(rune) switch
    {
        UnicodeCategory.NonSpacingMark or UnicodeCategory.EnclosingMark or UnicodeCategory.Format => 0,
        _ => rune.Value is >= 0x1100 and <= 0x115F or >= 0x2E80 and <= 0xA4CF or >= 0xAC00 and <= 0xD7A3 or >= 0xF900 and <= 0xFAFF
            or >= 0xFE30 and <= 0xFE6F or >= 0xFF00 and <= 0xFF60 or >= 0xFFE0 and <= 0xFFE6 or >= 0x1F300 and <= 0x1FAFF
            or >= 0x20000 and <= 0x3FFFD ? 2 : 1,
    };

    /// <summary>A label in one line, without characters that could move the cursor or change the terminal.</summary>
    private static string Printable(string label)
    {
        var start = string.Concat(label.EnumerateRunes().Take(Longest)
            .Select(rune => rune.Value is '\n' or '\r' or '\t' ? " " : $"{rune}"));
        return PrintableText.Of(start).Trim();
    }
}
