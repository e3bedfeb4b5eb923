using SkiaSharp;

namespace Alebrije.Robustness;

/// <summary>A colour and a form for each classifier, distinct without colour too. Colours: Okabe and Ito, 2008.</summary>
internal static class RobustnessMarks
{
    public static readonly string[] Colours = ["#0072b2", "#009e73", "#d55e00", "#cc79a7"];

    public static SKColor Colour(int classifier) => SKColor.Parse(Colours[classifier % Colours.Length]);

    /// <summary>A disk, a square, a diamond or a triangle.</summary>
    public static void Draw(SKCanvas canvas, int classifier, float x, float y, float radius, SKPaint paint)
    {
        using var path = new SKPath();
        switch (classifier % Colours.Length)
        {
            case 0: path.AddCircle(x, y, radius); break;
            case 1: path.AddRect(SKRect.Create(x - (radius * 0.88f), y - (radius * 0.88f), radius * 1.76f, radius * 1.76f)); break;
            case 2: Polygon(path, (x, y - (radius * 1.25f)), (x + (radius * 1.25f), y),
                (x, y + (radius * 1.25f)), (x - (radius * 1.25f), y)); break;
            default: Polygon(path, (x, y - (radius * 1.2f)), (x + (radius * 1.15f), y + (radius * 0.85f)),
                (x - (radius * 1.15f), y + (radius * 0.85f))); break;
        }

        canvas.DrawPath(path, paint);
    }

    /// <summary>The same form as a small SVG, filled or as an outline.</summary>
    public static string Svg(int classifier, bool filled)
    {
        var colour = Colours[classifier % Colours.Length];
        var style = filled ? $"fill=\"{colour}\"" : $"fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.4\"";
        var form = (classifier % Colours.Length) switch
        {
            0 => $"<circle cx=\"6\" cy=\"6\" r=\"4\" {style}/>",
            1 => $"<rect x=\"2.4\" y=\"2.4\" width=\"7.2\" height=\"7.2\" {style}/>",
            2 => $"<path d=\"M6 1L11 6L6 11L1 6Z\" {style}/>",
            _ => $"<path d=\"M6 1.4L10.6 9.6L1.4 9.6Z\" {style}/>",
        };
        return $"<svg class=\"mark\" viewBox=\"0 0 12 12\" aria-hidden=\"true\">{form}</svg>";
    }

    private static void Polygon(SKPath path, params (float X, float Y)[] corners)
    {
        path.MoveTo(corners[0].X, corners[0].Y);
        foreach (var (x, y) in corners.AsSpan(1)) path.LineTo(x, y);
        path.Close();
    }
}
