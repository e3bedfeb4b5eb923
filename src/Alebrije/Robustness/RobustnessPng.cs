using System.Globalization;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Preprocessing.Imaging.Lettering;
using Alebrije.Reports;
using SkiaSharp;

namespace Alebrije.Robustness;

/// <summary>
/// A robustness report as an image: a row of marks for each condition, then one class under all of them with the answers.
/// </summary>
internal static class RobustnessPng
{
    private const float Margin = 28, Width = 1040, Row = 27, Names = 190, Counts = 54, Tile = 116, TileGap = 7, Side = 100;

    private static readonly SKColor Ink = new(0x1b, 0x1f, 0x24),
        Soft = new(0x5c, 0x66, 0x70), Line = new(0xd8, 0xde, 0xe4), Band = new(0xf4, 0xf6, 0xf8);

    public static byte[] Render(RobustnessReport report, ReportOptions options)
    {
        using var faces = new Faces();
        var words = RobustnessWords.In(options.Language);
        var shown = report.Examples.Where(example => example.Right == report.ShownClass).ToArray();
        var title = options.Title is "" ? [] : faces.Large.Wrap(options.Title ?? words.Title, Width - (2 * Margin), 2);
        var lead = faces.Small.Wrap(words.Lead(report.Labels.Count, report.Conditions[0].Count), Width - (2 * Margin), 3);
        var fall = options.Title is "" ? [] : faces.Small.Wrap(report.Sentence(options.Language), Width - (2 * Margin), 4);
        var top = Margin + (title.Count * faces.Large.LineHeight) + (lead.Count * faces.Small.LineHeight)
            + 8 + faces.Regular.LineHeight + 14;
        var rows = Rows(report, words);
        var bottom = top + (rows.Count * Row);
        var below = bottom + 44 + (fall.Count * faces.Small.LineHeight) + 24;
        var perLine = (int)((Width - (2 * Margin) + TileGap) / (Tile + TileGap));
        var tile = Side + 6 + (2 * faces.Small.LineHeight) + (report.Classifiers.Count * faces.Small.LineHeight) + 14;
        var height = shown.Length == 0 ? below : below + faces.Bold.LineHeight + 12 + (((shown.Length + perLine - 1) / perLine) * tile);
        return PngCanvas.Draw(Width, height + (options.Model is null ? 0 : faces.Small.LineHeight + Margin), 2, canvas =>
        {
            using var ink = Paint(Ink);
            using var soft = Paint(Soft);
            var y = Margin;
            foreach (var line in title) y = Write(canvas, faces.Large, line, y, ink);
            y += 4;
            foreach (var line in lead) y = Write(canvas, faces.Small, line, y, soft);
            Legend(canvas, report, words, y + 8, faces, ink);
            Chart(canvas, report, rows, top, bottom, words, faces);
            y = bottom + 44;
            foreach (var line in fall) y = Write(canvas, faces.Small, line, y, ink);
            if (shown.Length > 0)
            {
                y = Write(canvas, faces.Bold, faces.Bold.Shorten(words.Shown(report.Labels[report.ShownClass]), Width - (2 * Margin)),
                    below, ink) + 12;
                for (var i = 0; i < shown.Length; i++)
                    DrawTile(canvas, report, shown[i], words, Margin + (i % perLine * (Tile + TileGap)), y + (i / perLine * tile), faces);
            }

            if (options.Model is { } model) Write(canvas, faces.Small, $"{options.Words.Model}: {model}", height, soft);
        });
    }

    private static List<(RobustnessCondition? Condition, string Text)> Rows(RobustnessReport report, RobustnessWords words)
    {
        var rows = new List<(RobustnessCondition?, string)>();
        var group = "";
        foreach (var condition in report.Conditions)
        {
            var name = condition == report.Conditions[0] ? "" : condition.Severities.Count > 0
                ? $"{words.Corruptions}, {words.Severity(condition.Severities)}" : words.Styles;
            if (name != group) rows.Add((null, name));
            group = name;
            rows.Add((condition, words.Condition(condition.Name)));
        }

        return rows;
    }

    private static void Legend(SKCanvas canvas, RobustnessReport report, RobustnessWords words, float y, Faces faces, SKPaint ink)
    {
        var x = Margin;
        for (var k = 0; k < report.Classifiers.Count; k++)
        {
            using var paint = Paint(RobustnessMarks.Colour(k));
            RobustnessMarks.Draw(canvas, k, x + 6, y + (faces.Regular.LineHeight / 2), 5, paint);
            var name = words.Classifier(report.Classifiers[k]);
            faces.Regular.Draw(canvas, name, x + 18, y + faces.Regular.Baseline, ink);
            x += 18 + faces.Regular.Measure(name) + 26;
        }
    }

    private static void Chart(
        SKCanvas canvas, RobustnessReport report, IReadOnlyList<(RobustnessCondition? Condition, string Text)> rows,
        float top, float bottom, RobustnessWords words, Faces faces)
    {
        using var ink = Paint(Ink);
        using var soft = Paint(Soft);
        using var line = Paint(Line);
        var (left, right) = (Margin + Names, Width - Margin - Counts);
        var y = top;
        var banded = false;
        foreach (var (condition, _) in rows)
        {
            banded = condition is not null && !banded;
            using var band = Paint(Band);
            if (banded) canvas.DrawRect(SKRect.Create(Margin, y, Width - (2 * Margin), Row), band);
            y += Row;
        }

        line.StrokeWidth = 1;
        for (var percent = 0; percent <= 100; percent += 20)
        {
            var x = At(percent / 100.0);
            canvas.DrawLine(x, top, x, bottom, line);
            faces.Small.Draw(canvas, string.Create(CultureInfo.InvariantCulture, $"{percent} %"),
                x, bottom + 4 + faces.Small.Baseline, soft, align: 0);
        }

        faces.Small.Draw(canvas, words.Accuracy, (left + right) / 2,
            bottom + 4 + faces.Small.LineHeight + faces.Small.Baseline, soft, align: 0);
        using (var dots = SKPathEffect.CreateDash([2, 4], 0))
        using (var chance = new SKPaint { IsAntialias = true, Color = Soft,
            StrokeWidth = 1.5f, PathEffect = dots, Style = SKPaintStyle.Stroke })
            canvas.DrawLine(At(1.0 / report.Labels.Count), top, At(1.0 / report.Labels.Count), bottom, chance);
        y = top;
        foreach (var (condition, text) in rows)
        {
            var middle = y + (Row / 2);
            var baseline = y + ((Row - faces.Regular.LineHeight) / 2) + faces.Regular.Baseline;
            if (condition is null)
            {
                using var white = Paint(SKColors.White);
                canvas.DrawRect(SKRect.Create(Margin, y, faces.Bold.Measure(text) + 14, Row), white);
                faces.Bold.Draw(canvas, text, Margin + 6, baseline, ink);
            }
            else Marks(canvas, condition, text, middle, baseline);
            y += Row;
        }

        float At(double share) => (float)(left + (share * (right - left)));

        void Marks(SKCanvas on, RobustnessCondition condition, string text, float middle, float baseline)
        {
            faces.Regular.Draw(on, faces.Regular.Shorten(text, Names - 22), Margin + 6, baseline, ink);
            faces.Small.Draw(on, string.Create(CultureInfo.InvariantCulture, $"n {condition.Count}"),
                Width - Margin - 4, baseline, soft, align: 1);
            for (var k = 0; k < condition.Accuracy.Count; k++)
            {
                var figure = condition.Accuracy[k];
                var at = middle + ((k - ((condition.Accuracy.Count - 1) / 2f)) * 7);
                using var paint = Paint(RobustnessMarks.Colour(k));
                paint.StrokeWidth = 1.5f;
                on.DrawLine(At(figure.Low), at, At(figure.High), at, paint);
                RobustnessMarks.Draw(on, k, At(figure.Value), at, 4.5f, paint);
            }
        }
    }

    private static void DrawTile(SKCanvas canvas, RobustnessReport report,
        RobustnessExample example, RobustnessWords words, float x, float y, Faces faces)
    {
        using var ink = Paint(Ink);
        using var soft = Paint(Soft);
        using (var image = SkiaNative.ToSkia(example.Picture))
            canvas.DrawImage(image, SKRect.Create(x, y, Side, Side), new SKSamplingOptions(SKFilterMode.Linear, SKMipmapMode.Linear), null);
        using (var frame = new SKPaint { IsAntialias = true, Color = Line, Style = SKPaintStyle.Stroke, StrokeWidth = 1 })
            canvas.DrawRect(SKRect.Create(x, y, Side, Side), frame);
        var at = y + Side + 6;
        var name = faces.Small.Wrap(words.Condition(example.Condition), Tile, 2);
        for (var i = 0; i < name.Count; i++)
            faces.Small.Draw(canvas, name[i], x, at + (i * faces.Small.LineHeight) + faces.Small.Baseline, soft);
        at += Math.Max(1, name.Count) * faces.Small.LineHeight + 2;
        for (var k = 0; k < example.Answers.Count; k++)
        {
            var isRight = example.Answers[k] == example.Right;
            using var paint = new SKPaint
            {
                IsAntialias = true, Color = RobustnessMarks.Colour(k), Style = isRight ? SKPaintStyle.Fill : SKPaintStyle.Stroke,
                StrokeWidth = 1.3f,
            };
            RobustnessMarks.Draw(canvas, k, x + 5, at + (faces.Small.LineHeight / 2), 3.6f, paint);
            faces.Small.Draw(canvas, faces.Small.Shorten(report.Labels[example.Answers[k]], Tile - 14),
                x + 14, at + faces.Small.Baseline, isRight ? ink : soft);
            at += faces.Small.LineHeight;
        }
    }

    private static float Write(SKCanvas canvas, TextFace face, string line, float y, SKPaint paint)
    {
        face.Draw(canvas, line, Margin, y + face.Baseline, paint);
        return y + face.LineHeight;
    }

    private static SKPaint Paint(SKColor colour) => new() { IsAntialias = true, Color = colour };

    private sealed class Faces : IDisposable
    {
        public TextFace Small { get; } = new(12);
        public TextFace Regular { get; } = new(14);
        public TextFace Bold { get; } = new(14, bold: true);
        public TextFace Large { get; } = new(20, bold: true);

        public void Dispose()
        {
            Small.Dispose();
            Regular.Dispose();
            Bold.Dispose();
            Large.Dispose();
        }
    }
}
