using Alebrije.Preprocessing.Imaging;
using Alebrije.Preprocessing.Imaging.Lettering;
using SkiaSharp;

namespace Alebrije.Reports;

/// <summary>Draws a <see cref="PlotLayout"/> with SkiaSharp, at twice its size.</summary>
internal static class PlotPng
{
    private const float Scale = 2;

    public static byte[] Render(PlotLayout layout)
    {
        var info = new SKImageInfo((int)(PlotLayout.Width * Scale), (int)MathF.Ceiling(layout.Height * Scale),
            SKColorType.Rgba8888, SKAlphaType.Premul);
        using var surface = SKSurface.Create(info)
            ?? throw new InvalidOperationException(
                $"SkiaSharp could not make an image of {info.Width} x {info.Height}; there is too little memory.");
        var canvas = surface.Canvas;
        canvas.Clear(SKColors.White);
        canvas.Scale(Scale);
        var faces = new Dictionary<(float, bool), TextFace>();
        try
        {
            foreach (var shape in layout.Shapes) Draw(canvas, shape, faces);
        }
        finally
        {
            foreach (var face in faces.Values) face.Dispose();
        }

        using var image = surface.Snapshot();
        using var encoded = image.Encode(SKEncodedImageFormat.Png, 100);
        return encoded.ToArray();
    }

    private static void Draw(SKCanvas canvas, PlotShape shape, Dictionary<(float, bool), TextFace> faces)
    {
        using var paint = new SKPaint { IsAntialias = true };
        switch (shape)
        {
            case PlotLine line:
                paint.Color = Of(line.Colour);
                paint.StrokeWidth = line.Width;
                canvas.DrawLine(line.X1, line.Y1, line.X2, line.Y2, paint);
                break;
            case PlotDot dot:
                paint.Color = Of(dot.Colour).WithAlpha(0xd8);
                canvas.DrawCircle(dot.X, dot.Y, dot.Radius, paint);
                Stroke(paint, SKColors.White, 1);
                canvas.DrawCircle(dot.X, dot.Y, dot.Radius, paint);
                break;
            case PlotDiamond diamond:
                DrawDiamond(canvas, diamond, paint);
                break;
            case PlotPicture picture:
                DrawPicture(canvas, picture, paint);
                break;
            case PlotText text:
                if (!faces.TryGetValue((text.Size, text.Bold), out var face))
                    faces[(text.Size, text.Bold)] = face = new TextFace(text.Size, text.Bold);
                DrawText(canvas, text, face, paint);
                break;
        }
    }

    private static void DrawDiamond(SKCanvas canvas, PlotDiamond diamond, SKPaint paint)
    {
        var (x, y, r) = (diamond.X, diamond.Y, diamond.Radius);
        using var path = new SKPath();
        path.AddPoly([new(x, y - r), new(x + r, y), new(x, y + r), new(x - r, y)], close: true);
        paint.Color = Of(diamond.Colour);
        canvas.DrawPath(path, paint);
        Stroke(paint, SKColors.White, 1);
        canvas.DrawPath(path, paint);
    }

    private static void DrawPicture(SKCanvas canvas, PlotPicture picture, SKPaint paint)
    {
        var place = SKRect.Create(picture.Place.X, picture.Place.Y, picture.Place.Width, picture.Place.Height);
        var longest = (int)MathF.Ceiling(MathF.Max(place.Width, place.Height) * Scale);
        using var image = SkiaNative.ToSkia(Thumbnail.Fit(picture.Image, longest));
        canvas.DrawImage(image, place, new SKSamplingOptions(SKFilterMode.Linear, SKMipmapMode.Linear), null);
        Stroke(paint, Of(picture.Rim), 1.5f);
        place.Inflate(0.75f, 0.75f);
        canvas.DrawRect(place, paint);
    }

    private static void DrawText(SKCanvas canvas, PlotText text, TextFace face, SKPaint paint)
    {
        using var restore = new SKAutoCanvasRestore(canvas);
        if (text.Upward)
        {
            canvas.Translate(text.X, text.Baseline);
            canvas.RotateDegrees(-90);
            canvas.Translate(-text.X, -text.Baseline);
        }

        var baseline = text.Upward ? text.Baseline + text.Size * 0.36f : text.Baseline;
        if (text.Label)
        {
            Stroke(paint, SKColors.White.WithAlpha(0xe6), 3);
            paint.StrokeJoin = SKStrokeJoin.Round;
            face.Draw(canvas, text.Text, text.X, baseline, paint, text.Align);
        }

        paint.Style = SKPaintStyle.Fill;
        paint.Color = Of(text.Colour);
        face.Draw(canvas, text.Text, text.X, baseline, paint, text.Align);
    }

    private static void Stroke(SKPaint paint, SKColor colour, float width) =>
        (paint.Style, paint.Color, paint.StrokeWidth) = (SKPaintStyle.Stroke, colour, width);

    private static SKColor Of(Rgb colour) => new(colour.R, colour.G, colour.B);
}
