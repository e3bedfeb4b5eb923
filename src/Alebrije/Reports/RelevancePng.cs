using Alebrije.Pipelines;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Preprocessing.Imaging.Lettering;
using SkiaSharp;

namespace Alebrije.Reports;

/// <summary>Relevance as an image: the encoder's input, the same under its relevance, and the words, darker with relevance.</summary>
public static class RelevancePng
{
    private const float Margin = 24, Side = 224, Gap = 16;

    private static readonly SKColor Ink = new(0x1b, 0x1f, 0x24), Soft = new(0x5c, 0x66, 0x70);

    /// <summary>Draws one row for each explanation, at twice its size.</summary>
    /// <param name="explanations">At least one.</param>
    /// <param name="options">Language, title and model.</param>
    /// <exception cref="ArgumentException">None, or more than an image has room for.</exception>
    public static byte[] Render(IReadOnlyList<ClipExplanation> explanations, ReportOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(explanations);
        if (explanations.Count is < 1 or > 50) throw new ArgumentException(
            $"{explanations.Count} explanations cannot be drawn in one image; 1 to 50 can.", nameof(explanations));
        options ??= new ReportOptions();
        var isSpanish = options.Language == "es";
        using var regular = new TextFace(14);
        using var small = new TextFace(12);
        using var large = new TextFace(20, bold: true);
        const float width = (2 * Margin) + (2 * Side) + Gap;
        var title = large.Wrap(options.Title ?? (isSpanish ? "Relevancia para CLIP" : "Relevance for CLIP"), width - (2 * Margin), 2);
        var lead = small.Wrap(
            isSpanish ? "Izquierda: la entrada del codificador. Derecha: "
                + "cuanto más claro y cálido, más contribuye esa zona al parecido con el texto."
                : "Left: the encoder's input. Right: the brighter and warmer a place, the more it contributes to the match.",
                width - (2 * Margin), 3);
        var words = explanations.Select(e => Place(e.Words, regular, width - (2 * Margin))).ToArray();
        var top = Margin + (title.Count * large.LineHeight) + (lead.Count * small.LineHeight) + 14;
        var heights = words.Select(w => Side + 10 + w.Height + 26).ToArray();
        var height = top + heights.Sum() + small.LineHeight + Margin - 10;
        return PngCanvas.Draw(width, height, 2, canvas =>
        {
            using var ink = new SKPaint { IsAntialias = true, Color = Ink };
            using var soft = new SKPaint { IsAntialias = true, Color = Soft };
            var y = Margin;
            foreach (var line in title) (_, y) = (Write(large, line, y, ink), y + large.LineHeight);
            y += 4;
            foreach (var line in lead) (_, y) = (Write(small, line, y, soft), y + small.LineHeight);
            y = top;
            for (var i = 0; i < explanations.Count; i++)
            {
                Draw(canvas, explanations[i], words[i].Cells, y, regular);
                y += heights[i];
            }

            if (options.Model is { } model) Write(small, $"{options.Words.Model}: {model}", y - 10, soft);

            bool Write(TextFace face, string line, float at, SKPaint paint)
            {
                face.Draw(canvas, line, Margin, at + face.Baseline, paint);
                return true;
            }
        });
    }

    /// <summary>The image under its relevance: dark for none, warm for most, interpolated between patches.</summary>
    /// <param name="explanation">Image and relevance.</param>
    /// <returns>An image of the size of <see cref="ClipExplanation.Seen"/>.</returns>
    public static RgbImage Overlay(ClipExplanation explanation)
    {
        ArgumentNullException.ThrowIfNull(explanation);
        var (seen, grid) = (explanation.Seen, explanation.Grid);
        var (low, high) = (explanation.Patches.Min(), explanation.Patches.Max());
        var shares = explanation.Patches.Select(x => high > low ? (x - low) / (high - low) : 0).ToArray();
        var pixels = new byte[seen.Pixels.Length];
        for (var y = 0; y < seen.Height; y++)
        {
            for (var x = 0; x < seen.Width; x++)
            {
                var share = At(shares, grid, ((x + 0.5) * grid / seen.Width) - 0.5, ((y + 0.5) * grid / seen.Height) - 0.5);
                var (light, tint) = (0.3 + (0.7 * share), 0.45 * share);
                for (var c = 0; c < 3; c++)
                {
                    var place = (((y * seen.Width) + x) * 3) + c;
                    pixels[place] = (byte)Math.Round((seen.Pixels[place] * light * (1 - tint))
                        + (tint * (c == 0 ? 255 : c == 1 ? 120 : 0)));
                }
            }
        }

        return new RgbImage(seen.Width, seen.Height, pixels);
    }

    private static double At(double[] shares, int grid, double x, double y)
    {
        (x, y) = (Math.Clamp(x, 0, grid - 1), Math.Clamp(y, 0, grid - 1));
        var (left, top) = ((int)x, (int)y);
        var (right, bottom) = (Math.Min(left + 1, grid - 1), Math.Min(top + 1, grid - 1));
        var (u, v) = (x - left, y - top);
        return ((((1 - u) * shares[(top * grid) + left]) + (u * shares[(top * grid) + right])) * (1 - v))
            + ((((1 - u) * shares[(bottom * grid) + left]) + (u * shares[(bottom * grid) + right])) * v);
    }

    private static (IReadOnlyList<(SKRect Box, string Word, int Level)> Cells, float Height) Place(
        IReadOnlyList<TokenRelevance> words, TextFace face, float width)
    {
        var cells = new List<(SKRect, string, int)>();
        var (x, y, high) = (0f, 0f, words.Count == 0 ? 1 : Math.Max(1e-12, words.Max(w => w.Relevance)));
        var row = face.LineHeight + 6;
        foreach (var (word, relevance) in words)
        {
            var shown = face.Shorten(word, width - 12);
            var wide = face.Measure(shown) + 12;
            if (x > 0 && x + wide > width) (x, y) = (0, y + row + 4);
            cells.Add((SKRect.Create(Margin + x, y, wide, row), shown, BluesGradient.Level(0.85 * relevance / high)));
            x += wide + 4;
        }

        return (cells, y + row);
    }

    private static void Draw(SKCanvas canvas, ClipExplanation e,
        IReadOnlyList<(SKRect Box, string Word, int Level)> words, float top, TextFace face)
    {
        var sampling = new SKSamplingOptions(SKFilterMode.Linear, SKMipmapMode.None);
        using (var seen = SkiaNative.ToSkia(e.Seen)) canvas.DrawImage(seen, SKRect.Create(Margin, top, Side, Side), sampling, null);
        using (var overlay = SkiaNative.ToSkia(Overlay(e)))
            canvas.DrawImage(overlay, SKRect.Create(Margin + Side + Gap, top, Side, Side), sampling, null);
        using var paint = new SKPaint { IsAntialias = true };
        foreach (var (box, word, level) in words)
        {
            var (back, front) = (BluesGradient.Background(level), BluesGradient.Foreground(level));
            var place = SKRect.Create(box.Left, box.Top + top + Side + 10, box.Width, box.Height);
            paint.Color = new SKColor(back.R, back.G, back.B);
            canvas.DrawRoundRect(place, 4, 4, paint);
            paint.Color = new SKColor(front.R, front.G, front.B);
            face.Draw(canvas, word, place.MidX, place.Top + 3 + face.Baseline, paint, align: 0);
        }
    }
}
