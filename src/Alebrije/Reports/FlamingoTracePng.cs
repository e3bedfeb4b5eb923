using System.Globalization;
using Alebrije.Pipelines;
using Alebrije.Pipelines.Flamingo;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Preprocessing.Imaging.Lettering;
using SkiaSharp;

namespace Alebrije.Reports;

/// <summary>The attention of generated tokens as an image: a tile for each token, the image under its attention.</summary>
public static class FlamingoTracePng
{
    private const float Margin = 24, Side = 140, Gap = 14;
    private const int Columns = 5, MostTokens = 200;

    /// <summary>Draws the tokens that attended to an image, at twice the size.</summary>
    /// <param name="trace">Attention of the tokens.</param>
    /// <param name="seen">Input of the image tower for each image of the prompt.</param>
    /// <exception cref="ArgumentException">No token attended to an image, or too many for one image did.</exception>
    public static byte[] Render(FlamingoTrace trace, IReadOnlyList<RgbImage> seen)
    {
        ArgumentNullException.ThrowIfNull(trace);
        ArgumentNullException.ThrowIfNull(seen);
        var tiles = trace.Glances.Where(glance => glance.Image >= 0).ToArray();
        if (tiles.Length is < 1 or > MostTokens)
            throw new ArgumentException($"{tiles.Length} tokens attended to an image; 1 to {MostTokens} can be drawn.", nameof(trace));
        using var face = new TextFace(13);
        var columns = Math.Min(Columns, tiles.Length);
        var row = Side + (2 * face.LineHeight) + Gap;
        var width = (2 * Margin) + (columns * Side) + ((columns - 1) * Gap);
        var height = (2 * Margin) + (((tiles.Length + columns - 1) / columns) * row) - Gap;
        return PngCanvas.Draw(width, height, 2, canvas =>
        {
            using var ink = new SKPaint { IsAntialias = true, Color = new(0x1b, 0x1f, 0x24) };
            for (var i = 0; i < tiles.Length; i++)
            {
                var (x, y) = (Margin + (i % columns * (Side + Gap)), Margin + (i / columns * row));
                var (token, image) = (tiles[i].Token, seen[tiles[i].Image]);
                var overlay = RelevancePng.Overlay(new ClipExplanation(token.Text, 0, image, trace.Grid, tiles[i].Patches, []));
                using (var drawn = SkiaNative.ToSkia(overlay)) canvas.DrawImage(drawn, SKRect.Create(x, y, Side, Side),
                    new SKSamplingOptions(SKFilterMode.Linear, SKMipmapMode.None), null);
                var name = token.Text.Replace('\n', ' ').Trim();
                face.Draw(canvas, face.Shorten(name.Length == 0 ? "␣" : name, Side), x, y + Side + face.Baseline + 3, ink);
                face.Draw(canvas, token.LogProbability.ToString("F3", CultureInfo.InvariantCulture),
                    x, y + Side + face.LineHeight + face.Baseline + 3, ink);
            }
        });
    }
}
