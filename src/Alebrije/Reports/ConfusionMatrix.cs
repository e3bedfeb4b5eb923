using System.Globalization;
using System.Text;
using Alebrije.Embeddings;
using Alebrije.Preprocessing;
using Alebrije.Preprocessing.Imaging.Lettering;
using SkiaSharp;

namespace Alebrije.Reports;

/// <summary>Recall and precision of one class.</summary>
/// <param name="Label">The class.</param>
/// <param name="Count">Images of it.</param>
/// <param name="Recall">Share of them that were predicted as this class; null without images.</param>
/// <param name="Precision">Share of the predictions of this class that are right; null without predictions.</param>
public sealed record ClassResult(string Label, int Count, double? Recall, double? Precision);

/// <summary>Confusion matrix: rows are true classes, columns predicted ones. Immutable.</summary>
public sealed class ConfusionMatrix
{
    private const float Margin = 24, Cell = 44, MaxName = 220, Legend = 40;

    /// <param name="labels">Classes.</param>
    /// <param name="right">[images]: what each shows.</param>
    /// <param name="given">[images]: what each was called.</param>
    /// <exception cref="ArgumentException">No images, different numbers, or a class that does not exist.</exception>
    public ConfusionMatrix(IReadOnlyList<string> labels, IReadOnlyList<int> right, IReadOnlyList<int> given)
    {
        ArgumentNullException.ThrowIfNull(labels);
        ArgumentNullException.ThrowIfNull(right);
        ArgumentNullException.ThrowIfNull(given);
        if (right.Count == 0 || right.Count != given.Count)
            throw new ArgumentException(
                $"A confusion matrix needs as many answers as right labels, and at least one; there are {given.Count} and {right.Count}.");
        if (right.Concat(given).Any(i => i < 0 || i >= labels.Count))
            throw new ArgumentException($"A class lies outside 0 to {labels.Count - 1}.");
        Labels = labels;
        var counts = labels.Select(_ => new int[labels.Count]).ToArray();
        for (var i = 0; i < right.Count; i++) counts[right[i]][given[i]]++;
        Counts = counts;
        Accuracy = Figure.Proportion(right.Zip(given).Count(pair => pair.First == pair.Second), right.Count);
    }

    /// <summary>Classes.</summary>
    public IReadOnlyList<string> Labels { get; }

    /// <summary>[shown][called]</summary>
    public IReadOnlyList<int[]> Counts { get; }

    /// <summary>Share of images whose class was predicted correctly.</summary>
    public Figure Accuracy { get; }

    /// <summary>Recall and precision of each class.</summary>
    public IReadOnlyList<ClassResult> Classes => [.. Labels.Select((label, i) =>
    {
        var (shown, called) = (Counts[i].Sum(), Counts.Sum(row => row[i]));
        return new ClassResult(label, shown, shown > 0 ? (double)Counts[i][i] / shown : null,
            called > 0 ? (double)Counts[i][i] / called : null);
    })];

    /// <summary>Counts as comma-separated values (RFC 4180): a row for each class shown.</summary>
    public string ToCsv()
    {
        var csv = new StringBuilder();
        Csv.AppendRow(csv, ["", .. Labels]);
        for (var i = 0; i < Labels.Count; i++)
            Csv.AppendRow(csv, [Labels[i], .. Counts[i].Select(n => n.ToString(CultureInfo.InvariantCulture))]);
        return csv.ToString();
    }

    /// <summary>The matrix as a PNG: counts, coloured by their share of the row, drawn at twice its size.</summary>
    /// <param name="options">Language, title and model.</param>
    /// <exception cref="ArgumentException">More classes than an image has room for.</exception>
    public byte[] ToPng(ReportOptions? options = null)
    {
        options ??= new ReportOptions();
        if (Labels.Count > 200)
            throw new ArgumentException($"A matrix of {Labels.Count} classes is too large for an image; write it as .csv instead.");
        var isSpanish = options.Language == "es";
        using var regular = new TextFace(14);
        using var small = new TextFace(12);
        using var bold = new TextFace(14, bold: true);
        using var large = new TextFace(20, bold: true);
        var name = MathF.Ceiling(MathF.Min(MaxName, Labels.Max(regular.Measure)));
        var (left, slant) = (Margin + name + 10, MathF.Ceiling(MathF.Min(MaxName, Labels.Max(regular.Measure)) * 0.71f) + 14);
        var title = options.Title ?? (isSpanish ? "¿Qué clase se tomó por cuál?" : "Which class was taken for which?");
        var lead = isSpanish ? "Filas: clase verdadera. Columnas: clase predicha. Color: parte de la fila."
            : "Rows: true class. Columns: predicted class. Colour: share of the row.";
        var width = MathF.Max(left + (Cell * Labels.Count) + slant + Margin,
            (2 * Margin) + MathF.Max(large.Measure(title), small.Measure(lead)));
        var top = Margin + large.LineHeight + small.LineHeight + 12 + slant;
        var height = top + (Cell * Labels.Count) + Legend + Margin;
        return PngCanvas.Draw(width, height, 2, canvas =>
        {
            using var paint = new SKPaint { IsAntialias = true, Color = new SKColor(0x1b, 0x1f, 0x24) };
            large.Draw(canvas, title, Margin, Margin + large.Baseline, paint);
            using var soft = new SKPaint { IsAntialias = true, Color = new SKColor(0x5c, 0x66, 0x70) };
            small.Draw(canvas, lead, Margin, Margin + large.LineHeight + 4 + small.Baseline, soft);
            for (var j = 0; j < Labels.Count; j++)
            {
                canvas.Save();
                canvas.Translate(left + ((j + 0.5f) * Cell), top - 8);
                canvas.RotateDegrees(-45);
                regular.Draw(canvas, regular.Shorten(Labels[j], MaxName), 0, 0, paint);
                canvas.Restore();
            }

            for (var i = 0; i < Labels.Count; i++) DrawRow(canvas, i, left, top + (i * Cell), name, regular, bold);
            var foot = string.Create(CultureInfo.InvariantCulture,
                $"{(isSpanish ? "acierto" : "accuracy")} {100 * Accuracy.Value:F1} "
                    + $"% ({Accuracy.Count}){(options.Model is { } model ? $", {options.Words.Model} {model}" : "")}");
            small.Draw(canvas, foot, Margin, top + (Cell * Labels.Count) + 14 + small.Baseline, soft);
        });
    }

    /// <summary>Writes the matrix by the file's ending: .png or .csv.</summary>
    /// <exception cref="ArgumentException">Another ending.</exception>
    public void Save(string path, ReportOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        switch (Path.GetExtension(path).ToLowerInvariant())
        {
            case ".png": WrittenFile.Write(path, ToPng(options)); break;
            case ".csv": WrittenFile.Write(path, ToCsv()); break;
            default: throw new ArgumentException($"{path}: a confusion matrix is written as .png or .csv.", nameof(path));
        }
    }

    private void DrawRow(SKCanvas canvas, int row, float left, float top, float nameWidth, TextFace regular, TextFace bold)
    {
        using var paint = new SKPaint { IsAntialias = true, Color = new SKColor(0x1b, 0x1f, 0x24) };
        var middle = top + ((Cell - regular.LineHeight) / 2) + regular.Baseline;
        regular.Draw(canvas, regular.Shorten(Labels[row], nameWidth), left - 10, middle, paint, align: 1);
        var total = Math.Max(1, Counts[row].Sum());
        for (var j = 0; j < Labels.Count; j++)
        {
            var level = BluesGradient.Level((double)Counts[row][j] / total);
            var (back, front) = (BluesGradient.Background(level), BluesGradient.Foreground(level));
            paint.Color = new SKColor(back.R, back.G, back.B);
            paint.IsAntialias = false;
            canvas.DrawRect(SKRect.Create(left + (j * Cell), top, Cell, Cell), paint);
            paint.IsAntialias = true;
            if (Counts[row][j] == 0) continue;
            paint.Color = new SKColor(front.R, front.G, front.B);
            (j == row ? bold : regular).Draw(
                canvas, Counts[row][j].ToString(CultureInfo.InvariantCulture), left + ((j + 0.5f) * Cell), middle, paint, align: 0);
        }
    }
}
