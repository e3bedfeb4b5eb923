using System.Globalization;
using System.Net;
using System.Text;
using Alebrije.Embeddings;

namespace Alebrije.Reports;

/// <summary>Writes a <see cref="PlotLayout"/> as SVG: text stays text, images are inside.</summary>
internal static class PlotSvg
{
    private const int Picture = 128;

    /// <param name="layout">Layout to draw.</param>
    /// <param name="points">The plot, when each mark is to carry its index and name for a page's script.</param>
    public static string Render(PlotLayout layout, EmbeddingPlot? points = null)
    {
        var svg = new StringBuilder();
        svg.Append(CultureInfo.InvariantCulture,
            $"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {PlotLayout.Width:0} "
                + $"{layout.Height:0.#}\" font-family=\"'DejaVu Sans',Verdana,Geneva,sans-serif\">\n");
        svg.Append("<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n");
        foreach (var shape in layout.Shapes) Append(svg, shape, points);
        return svg.Append("</svg>\n").ToString();
    }

    private static void Append(StringBuilder svg, PlotShape shape, EmbeddingPlot? points)
    {
        switch (shape)
        {
            case PlotLine l:
                svg.Append(CultureInfo.InvariantCulture,
                    $"<line x1=\"{l.X1:0.##}\" y1=\"{l.Y1:0.##}\" x2=\"{l.X2:0.##}\" y2=\"{l.Y2:0.##}\" "
                        + $"stroke=\"{l.Colour.Hex}\" stroke-width=\"{l.Width:0.#}\"{(l.Width < 1 ? " class=\"label\"" : "")}/>\n");
                break;
            case PlotDot d:
                Mark(svg, points, d.Point, string.Create(CultureInfo.InvariantCulture,
                    $"<circle cx=\"{d.X:0.##}\" cy=\"{d.Y:0.##}\" r=\"{d.Radius:0.#}\" "
                        + $"fill=\"{d.Colour.Hex}\" fill-opacity=\".85\" stroke=\"#fff\"/>"));
                break;
            case PlotDiamond d:
                Mark(svg, points, d.Point, string.Create(CultureInfo.InvariantCulture,
                    $"<path d=\"M{d.X:0.##} {d.Y - d.Radius:0.##}l{d.Radius} {d.Radius}l{-d.Radius} "
                        + $"{d.Radius}l{-d.Radius} {-d.Radius}z\" fill=\"{d.Colour.Hex}\" stroke=\"#fff\"/>"));
                break;
            case PlotPicture p:
                Mark(svg, points, p.Point, string.Create(CultureInfo.InvariantCulture,
                    $"<image x=\"{p.Place.X:0.##}\" y=\"{p.Place.Y:0.##}\" width=\"{p.Place.Width:0.##}\" "
                        + $"height=\"{p.Place.Height:0.##}\" preserveAspectRatio=\"none\" href=\"{Thumbnail.DataUri(p.Image, Picture)}\"/>")
                    + string.Create(CultureInfo.InvariantCulture,
                    $"<rect x=\"{p.Place.X - .75f:0.##}\" y=\"{p.Place.Y - .75f:0.##}\" width=\"{p.Place.Width + 1.5f:0.##}\" "
                        + $"height=\"{p.Place.Height + 1.5f:0.##}\" fill=\"none\" stroke=\"{p.Rim.Hex}\" stroke-width=\"1.5\"/>"));
                break;
            case PlotText t:
                AppendText(svg, t);
                break;
        }
    }

    private static void Mark(StringBuilder svg, EmbeddingPlot? points, int point, string mark)
    {
        if (points is null || point < 0) svg.Append(mark).Append('\n');
        else
            svg.Append(CultureInfo.InvariantCulture,
                $"<g class=\"point\" data-kind=\"{(points.Points[point].Kind == EmbeddingKind.Image ? "image" : "text")}\" "
                    + $"data-label=\"{Encode(points.Points[point].Label)}\">{mark}</g>\n");
    }

    private static void AppendText(StringBuilder svg, PlotText t)
    {
        var anchor = t.Align switch { < 0 => "start", 0 => "middle", _ => "end" };
        svg.Append(CultureInfo.InvariantCulture,
            $"<text x=\"{t.X:0.##}\" y=\"{t.Baseline:0.##}\" font-size=\"{t.Size:0.#}\" fill=\"{t.Colour.Hex}\" text-anchor=\"{anchor}\"");
        if (t.Bold) svg.Append(" font-weight=\"700\"");
        if (t.Upward) svg.Append(CultureInfo.InvariantCulture, $" transform=\"rotate(-90 {t.X:0.##} {t.Baseline:0.##})\" dy=\".36em\"");
        // Positions were computed with the embedded typeface; another one is fitted to the same width, so that labels stay apart.
        if (t.Label)
            svg.Append(CultureInfo.InvariantCulture,
                $" class=\"label\" textLength=\"{t.Width:0.#}\" lengthAdjust=\"spacingAndGlyphs\" "
                    + $"stroke=\"#fff\" stroke-width=\"3\" stroke-opacity=\".9\" stroke-linejoin=\"round\" paint-order=\"stroke\"");
        svg.Append('>').Append(Encode(t.Text)).Append("</text>\n");
    }

    private static string Encode(string text) => WebUtility.HtmlEncode(string.Concat(text.Select(c => char.IsControl(c) ? ' ' : c)));
}
