using System.Runtime.InteropServices;
using Alebrije.Preprocessing.Imaging.Lettering;
using SkiaSharp;

namespace Alebrije.Preprocessing.Imaging;

/// <summary>Layout of a <see cref="PictureSheet"/>; lengths in pixels.</summary>
public sealed record PictureSheetOptions
{
    /// <summary>Images in a row; 0 picks a grid that is about square.</summary>
    public int Columns { get; init; }

    /// <summary>Side of the square that each image is fitted into; 0 is the longest side of all images, at most 512.</summary>
    public int CellSize { get; init; }

    /// <summary>Margin around each image.</summary>
    public int Gap { get; init; } = 8;

    /// <summary>Height of the letters; 0 derives it from the cell.</summary>
    public int TextSize { get; init; }

    /// <summary>A line above all images, or null.</summary>
    public string? Title { get; init; }
}

/// <summary>Several images in a grid on white, each with a short label below: contact sheets, training samples, variations.</summary>
public static class PictureSheet
{
    private const int LabelLines = 2;

    /// <summary>Draws the sheet with proportions kept: larger images are shrunk (bicubic), smaller ones enlarged by integers.</summary>
    /// <param name="pictures">At least one.</param>
    /// <param name="labels">One for each image (wrapped to two lines, then cut with an ellipsis), or null.</param>
    /// <param name="options">Null: about square, at the size of the images.</param>
    /// <exception cref="ArgumentException">No images, another number of labels, or a sheet that would be too large.</exception>
    public static RgbImage Draw(IReadOnlyList<RgbImage> pictures, IReadOnlyList<string>? labels = null, PictureSheetOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(pictures);
        options ??= new PictureSheetOptions();
        if (pictures.Count == 0)
            throw new ArgumentException("A sheet needs at least one image.", nameof(pictures));
        if (labels is not null && labels.Count != pictures.Count)
            throw new ArgumentException($"{labels.Count} labels for {pictures.Count} images: give one for each, or none.",
                nameof(labels));
        if (options.Columns < 0 || options.CellSize < 0 || options.Gap < 0 || options.TextSize < 0)
            throw new ArgumentException("Columns, cell size, gap and text size of a sheet cannot be negative.", nameof(options));

        var cell = options.CellSize > 0 ? options.CellSize : Math.Min(pictures.Max(p => Math.Max(p.Width, p.Height)), 512);
        var columns = Math.Min(options.Columns > 0 ? options.Columns : (int)Math.Ceiling(Math.Sqrt(pictures.Count)), pictures.Count);
        var rows = (pictures.Count + columns - 1) / columns;
        using var face = new TextFace(options.TextSize > 0 ? options.TextSize : Math.Clamp(cell / 10, 10, 18));
        using var titleFace = new TextFace(face.Size * 1.25f, bold: true);
        var (line, head) = ((int)face.LineHeight, options.Title is null ? 0 : (int)titleFace.LineHeight + options.Gap);
        var wrapped = labels?.Select(label => face.Wrap(label, cell, LabelLines)).ToArray();
        var (stepX, stepY) = (cell + options.Gap, cell + options.Gap + (wrapped?.Max(w => w.Count) ?? 0) * line);
        var (width, height) = ((long)columns * stepX + options.Gap, (long)rows * stepY + options.Gap + head);
        if (width * height > ImageLimits.MaximumPixels)
            throw new ArgumentException($"A sheet of {width} x {height} is too large: use fewer images or a smaller cell.",
                nameof(pictures));

        var sheet = new RgbImage((int)width, (int)height);
        sheet.Pixels.AsSpan().Fill(255);
        var spots = pictures.Select((_, i) => (X: options.Gap + i % columns * stepX, Y: head + options.Gap + i / columns * stepY))
            .ToArray();
        for (var i = 0; i < pictures.Count; i++)
        {
            var fitted = Fit(pictures[i], cell);
            Paste(fitted, sheet, spots[i].X + (cell - fitted.Width) / 2, spots[i].Y + (cell - fitted.Height) / 2);
        }
        Write(sheet, canvas =>
        {
            using var ink = new SKPaint { Color = new SKColor(32, 32, 32), IsAntialias = true };
            if (options.Title is { } title)
                titleFace.Draw(canvas, titleFace.Shorten(title, (float)width - 2 * options.Gap, tail: 0),
                    options.Gap, options.Gap + titleFace.Baseline, ink);
            for (var i = 0; i < spots.Length && wrapped is not null; i++)
            {
                for (var n = 0; n < wrapped[i].Count; n++)
                    face.Draw(canvas, wrapped[i][n], spots[i].X + cell / 2f, spots[i].Y + cell + n * line + face.Baseline, ink, align: 0);
            }
        });
        return sheet;
    }

    private static RgbImage Fit(RgbImage picture, int cell)
    {
        var longest = Math.Max(picture.Width, picture.Height);
        if (longest <= cell)
            return picture.Resize(picture.Width * (cell / longest), picture.Height * (cell / longest), ResizeFilter.Nearest);
        return picture.Resize(Math.Max(1, (int)((long)picture.Width * cell / longest)),
            Math.Max(1, (int)((long)picture.Height * cell / longest)));
    }

    private static void Paste(RgbImage picture, RgbImage sheet, int left, int top)
    {
        for (var y = 0; y < picture.Height; y++)
            picture.Pixels.AsSpan(y * picture.Width * 3, picture.Width * 3)
                .CopyTo(sheet.Pixels.AsSpan(((top + y) * sheet.Width + left) * 3));
    }

    /// <summary>Draws with Skia on the image, which has four bytes a pixel meanwhile.</summary>
    private static void Write(RgbImage sheet, Action<SKCanvas> draw)
    {
        using var image = SkiaNative.ToSkia(sheet);
        using var bitmap = new SKBitmap(new SKImageInfo(sheet.Width, sheet.Height, SKColorType.Rgba8888, SKAlphaType.Opaque));
        image.ReadPixels(bitmap.Info, bitmap.GetPixels(), bitmap.RowBytes, 0, 0);
        using (var canvas = new SKCanvas(bitmap))
            draw(canvas);
        var pixels = bitmap.GetPixelSpan();
        for (int i = 0, o = 0; i < sheet.Pixels.Length; i += 3, o += 4)
            (sheet.Pixels[i], sheet.Pixels[i + 1], sheet.Pixels[i + 2]) = (pixels[o], pixels[o + 1], pixels[o + 2]);
    }
}
