using System.Globalization;
using Alebrije.Preprocessing.Imaging.Lettering;
using Alebrije.Reports;
using SkiaSharp;

namespace Alebrije.Benchmarks;

/// <summary>A line of a plot.</summary>
/// <param name="Name">Its name, written at its last point.</param>
/// <param name="Points">Points with coordinates above zero, by x.</param>
internal sealed record LogSeries(string Name, IReadOnlyList<(double X, double Y)> Points);

/// <summary>Lines over logarithmic axes, as a PNG.</summary>
internal static class LogPlot
{
    private const float Width = 760, Height = 460, Left = 76, Right = 130, Top = 58, Bottom = 62;

    private static readonly SKColor Ink = new(0x1b, 0x1f, 0x24), Soft = new(0x5c, 0x66, 0x70), Faint = new(0xe4, 0xe8, 0xec);

    /// <summary>Colours of lines that differ also without colour vision.</summary>
    private static readonly SKColor[] Colours =
        [new(0x1f, 0x6f, 0xb4), new(0xc2, 0x57, 0x00), new(0x00, 0x7a, 0x5a), new(0x8a, 0x3f, 0xa0)];

    /// <summary>Draws at twice the size.</summary>
    /// <param name="title">The title.</param>
    /// <param name="x">Name of the horizontal axis.</param>
    /// <param name="y">Name of the vertical axis, written above it.</param>
    /// <param name="lines">One to four lines.</param>
    /// <exception cref="ArgumentException">No line, too many, or a coordinate that has no logarithm.</exception>
    public static byte[] Render(string title, string x, string y, IReadOnlyList<LogSeries> lines)
    {
        var points = lines.SelectMany(line => line.Points).ToArray();
        if (lines.Count is < 1 or > 4 || points.Length == 0 || points.Any(point => !(point.X > 0 && point.Y > 0)))
            throw new ArgumentException("A logarithmic plot has one to four lines, with coordinates above zero.", nameof(lines));
        var (fromX, toX) = Decades(points.Select(point => point.X));
        var (fromY, toY) = Decades(points.Select(point => point.Y));
        return PngCanvas.Draw(Width, Height, 2, canvas =>
        {
            using var small = new TextFace(12);
            using var regular = new TextFace(13);
            using var large = new TextFace(17, bold: true);
            using var paint = new SKPaint { IsAntialias = true, StrokeWidth = 1 };
            paint.Color = Ink;
            large.Draw(canvas, title, Left, 14 + large.Baseline, paint);
            paint.Color = Soft;
            small.Draw(canvas, y, Left, 38 + small.Baseline, paint);
            small.Draw(canvas, x, (Left + Width - Right) / 2, Height - 26 + small.Baseline, paint, align: 0);
            for (var decade = fromX; decade <= toX; decade++) Tick(AtX(Math.Pow(10, decade)), null, decade);
            for (var decade = fromY; decade <= toY; decade++) Tick(null, AtY(Math.Pow(10, decade)), decade);
            foreach (var (i, line) in lines.Index())
            {
                (paint.Color, paint.StrokeWidth) = (Colours[i], 2);
                foreach (var (from, to) in line.Points.Zip(line.Points.Skip(1)))
                    canvas.DrawLine(AtX(from.X), AtY(from.Y), AtX(to.X), AtY(to.Y), paint);
                foreach (var point in line.Points) canvas.DrawCircle(AtX(point.X), AtY(point.Y), 4, paint);
                var end = line.Points[^1];

                // Right of a point in the last column. Within the plot, where other lines may go on: below a point under one of them, else
                // above it.
                var (isLast, height) = (end.X >= points.Max(point => point.X), regular.LineHeight);
                var isUnder = lines.Any(other => At(other, end.X) > end.Y);
                var top = AtY(end.Y) + (isLast ? -height / 2 : isUnder ? 8 : -height - 8);
                regular.Draw(canvas, line.Name, AtX(end.X) + (isLast ? 10 : 0), top + regular.Baseline, paint, isLast ? -1 : 0);
            }

            void Tick(float? column, float? row, int decade)
            {
                (paint.Color, paint.StrokeWidth) = (Faint, 1);
                canvas.DrawLine(column ?? Left, row ?? Top, column ?? Width - Right, row ?? Height - Bottom, paint);
                paint.Color = Soft;
                var text = Math.Pow(10, decade).ToString(decade < 0 ? "0.######" : "N0", CultureInfo.InvariantCulture);
                if (column is { } at) small.Draw(canvas, text, at, Height - Bottom + 6 + small.Baseline, paint, align: 0);
                else small.Draw(canvas, text, Left - 8, row!.Value - (small.LineHeight / 2) + small.Baseline, paint, align: 1);
            }
        });

        float AtX(double value) => Left + ((Width - Left - Right) * (float)((Math.Log10(value) - fromX) / (toX - fromX)));

        float AtY(double value) => Height - Bottom - ((Height - Top - Bottom) * (float)((Math.Log10(value) - fromY) / (toY - fromY)));
    }

    /// <summary>Height of a line over a value between two of its points; null elsewhere.</summary>
    private static double? At(LogSeries line, double x)
    {
        foreach (var (from, to) in line.Points.Zip(line.Points.Skip(1)))
        {
            var share = Math.Log(x / from.X) / Math.Log(to.X / from.X);
            if (share is >= 0 and <= 1) return from.Y * Math.Pow(to.Y / from.Y, share);
        }

        return null;
    }

    private static (int From, int To) Decades(IEnumerable<double> values)
    {
        var all = values.ToArray();
        var (from, to) = ((int)Math.Floor(Math.Log10(all.Min()) + 1e-9), (int)Math.Ceiling(Math.Log10(all.Max()) - 1e-9));
        return (from, Math.Max(to, from + 1));
    }
}
