using Alebrije.Preprocessing.Imaging;
using Alebrije.Preprocessing.Imaging.Lettering;
using SkiaSharp;

namespace Alebrije.Reports;

/// <summary>A similarity table as an image: laid out in logical pixels, drawn at twice that.</summary>
internal static class SimilarityPng
{
    private const float Margin = 24, Pad = 10, MinColumn = 64, MaxColumn = 150, MaxName = 300, PlainRow = 30, PictureRow = 56, Picture = 48;
    private const int HeadLines = 7;
    private const long MaxPixels = 120_000_000;
    private const int MaxSide = 30_000;

    private static readonly SKColor Ink = new(0x1b, 0x1f, 0x24), Soft = new(0x5c, 0x66, 0x70), Line = new(0xd8, 0xde, 0xe4);

    private sealed record Layout(
        float NameWidth, float PictureWidth, float Column, float TitleHeight, float HeadHeight, float Row, float Width, float Height,
        IReadOnlyList<string>[] Heads, IReadOnlyList<string> Title, IReadOnlyList<string> Lead)
    {
        public float Left => Margin + PictureWidth + NameWidth + Pad;
        public float Top => Margin + TitleHeight + HeadHeight;
    }

    public static byte[] Render(SimilarityTable table, ReportOptions options)
    {
        using var regular = new TextFace(14);
        using var small = new TextFace(12);
        using var bold = new TextFace(14, bold: true);
        using var large = new TextFace(20, bold: true);
        var layout = Plan(table, options, regular, small, large);
        var scale = ScaleFor(table, layout);
        return PngCanvas.Draw(layout.Width, layout.Height, scale, canvas =>
        {
            DrawHeads(canvas, layout, options, regular, small, large);
            DrawRows(canvas, table, layout, options, regular, bold);
            DrawLegend(canvas, table, layout, options, small);
        });
    }

    private static Layout Plan(SimilarityTable table, ReportOptions options, TextFace regular, TextFace small, TextFace large)
    {
        var pictures = table.HasThumbnails;
        var name = MathF.Ceiling(MathF.Min(MaxName, MathF.Max(table.Images.Max(regular.Measure), small.Measure(options.Words.Image))));
        var column = ColumnWidth(table.Texts, regular);
        var heads = table.Texts.Select(text => regular.Wrap(text, column - 10, HeadLines)).ToArray();
        var pictureWidth = pictures ? Picture + Pad : 0;
        var width = Margin * 2 + pictureWidth + name + Pad + column * table.Texts.Count;
        var heading = options.Title ?? options.Words.TableTitle;
        width = MathF.Ceiling(MathF.Max(width, Margin * 2 + Math.Clamp(large.Measure(heading), 380, 520)));
        var title = heading.Length > 0 ? large.Wrap(heading, width - 2 * Margin, 2) : [];
        var lead = small.Wrap(options.Measure == SimilarityMeasure.Softmax ? options.Words.SoftmaxLead : options.Words.CosineLead,
            width - 2 * Margin, 3);
        var titleHeight = title.Count * large.LineHeight + lead.Count * small.LineHeight + 18;
        var headHeight = heads.Max(lines => lines.Count) * regular.LineHeight + 10;
        var row = pictures ? PictureRow : PlainRow;
        var height = Margin + titleHeight + headHeight + row * table.Images.Count + 52;
        return new Layout(name, pictureWidth, column, titleHeight, headHeight, row, width, height, heads, title, lead);
    }

    /// <summary>The narrowest column that breaks no word and fits four heads of five in four lines; the widest if none does.</summary>
    internal static float ColumnWidth(IReadOnlyList<string> texts, TextFace face)
    {
        var words = texts.SelectMany(text => text.Split(' ')).Max(face.Measure);
        for (var column = MinColumn; column < MaxColumn; column += 6)
            if (words <= column - 10 && texts.Count(text => face.Wrap(text, column - 10, 9).Count <= 4) * 5 >= texts.Count * 4)
                return column;
        return MaxColumn;
    }

    private static float ScaleFor(SimilarityTable table, Layout layout)
    {
        foreach (var scale in new[] { 2f, 1f })
            if (layout.Width * scale <= MaxSide && layout.Height * scale <= MaxSide
                && layout.Width * layout.Height * scale * scale <= MaxPixels)
                return scale;
        throw new ArgumentException(
            $"A table of {table.Images.Count} images and {table.Texts.Count} "
                + $"texts is too large for an image; write it as .html or .csv instead.");
    }

    private static void DrawHeads(SKCanvas canvas, Layout layout, ReportOptions options, TextFace regular, TextFace small, TextFace large)
    {
        using var ink = Fill(Ink);
        using var soft = Fill(Soft);
        var y = Margin;
        foreach (var line in layout.Title)
        {
            large.Draw(canvas, line, Margin, y + large.Baseline, ink);
            y += large.LineHeight;
        }

        y += layout.Title.Count > 0 ? 4 : 0;
        foreach (var line in layout.Lead)
        {
            small.Draw(canvas, line, Margin, y + small.Baseline, soft);
            y += small.LineHeight;
        }

        small.Draw(canvas, options.Words.Image, Margin, layout.Top - 6 - small.LineHeight + small.Baseline, soft);
        for (var j = 0; j < layout.Heads.Length; j++)
        {
            var lines = layout.Heads[j];
            for (var k = 0; k < lines.Count; k++)
                regular.Draw(canvas, lines[k], layout.Left + (j + 0.5f) * layout.Column,
                    layout.Top - 6 - (lines.Count - k) * regular.LineHeight + regular.Baseline, ink, align: 0);
        }
    }

    private static void DrawRows(SKCanvas canvas, SimilarityTable table,
        Layout layout, ReportOptions options, TextFace regular, TextFace bold)
    {
        using var paint = Fill(Ink);
        using var rule = new SKPaint { Color = Line, StrokeWidth = 1, IsAntialias = false };
        var sampling = new SKSamplingOptions(SKFilterMode.Linear, SKMipmapMode.Linear);
        var values = table.Values(options.Measure);
        for (var i = 0; i < table.Images.Count; i++)
        {
            var top = layout.Top + i * layout.Row;
            canvas.DrawLine(Margin, top, layout.Left, top, rule);
            if (table.Thumbnails[i] is { } picture)
            {
                var (w, h) = Thumbnail.Size(picture, Picture);
                var place = SKRect.Create(Margin + (Picture - w) / 2, top + (layout.Row - h) / 2, w, h);
                using var small = SkiaNative.ToSkia(Thumbnail.Fit(picture, (int)Picture * 2));
                canvas.DrawImage(small, place, sampling, null);
            }

            paint.Color = Ink;
            var middle = top + (layout.Row - regular.LineHeight) / 2 + regular.Baseline;
            regular.Draw(canvas, regular.Shorten(table.Images[i], layout.NameWidth), Margin + layout.PictureWidth, middle, paint);
            var best = table.Best(i);
            for (var j = 0; j < table.Texts.Count; j++)
            {
                var level = table.Level(values[i][j], options.Measure);
                paint.Color = Of(BluesGradient.Background(level));
                paint.IsAntialias = false; // cells must meet without a seam
                canvas.DrawRect(SKRect.Create(layout.Left + j * layout.Column, top, layout.Column, layout.Row), paint);
                paint.IsAntialias = true;
                paint.Color = Of(BluesGradient.Foreground(level));
                (j == best ? bold : regular).Draw(
                    canvas, SimilarityTable.Number(values[i][j], 2), layout.Left + (j + 0.5f) * layout.Column, middle, paint, align: 0);
            }
        }

        var bottom = layout.Top + table.Images.Count * layout.Row;
        canvas.DrawLine(Margin, bottom, layout.Left, bottom, rule);
    }

    private static void DrawLegend(SKCanvas canvas, SimilarityTable table, Layout layout, ReportOptions options, TextFace small)
    {
        using var paint = Fill(Soft);
        var top = layout.Top + table.Images.Count * layout.Row + 16;
        var baseline = top + (14 - small.LineHeight) / 2 + small.Baseline;
        var (low, high) = table.Range(options.Measure);
        var (from, to) = (SimilarityTable.Number(low, options.Measure == SimilarityMeasure.Softmax ? 0 : 2),
            SimilarityTable.Number(high, options.Measure == SimilarityMeasure.Softmax ? 0 : 2));
        small.Draw(canvas, from, Margin, baseline, paint);
        var left = Margin + small.Measure(from) + 6;
        const float width = 128;
        for (var level = 0; level < 256; level += 2)
        {
            paint.Color = Of(BluesGradient.Background(level));
            canvas.DrawRect(SKRect.Create(left + level * width / 256, top, width / 128 + 0.5f, 14), paint);
        }

        paint.Color = Soft;
        small.Draw(canvas, to, left + width + 6, baseline, paint);
        if (options.Model is not { Length: > 0 } model) return;
        var right = layout.Width - Margin;
        var room = right - (left + width + 6 + small.Measure(to) + 16);
        small.Draw(canvas, small.Shorten($"{options.Words.Model}: {model}", room), right, baseline, paint, align: 1);
    }

    private static SKPaint Fill(SKColor colour) => new() { Color = colour, IsAntialias = true };

    private static SKColor Of(Rgb colour) => new(colour.R, colour.G, colour.B);
}
