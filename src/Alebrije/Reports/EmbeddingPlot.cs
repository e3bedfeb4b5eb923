using System.Text;
using Alebrije.Embeddings;
using Alebrije.Preprocessing;
using Alebrije.Preprocessing.Imaging;

namespace Alebrije.Reports;

/// <summary>One point of the plane.</summary>
/// <param name="Kind">Image or text.</param>
/// <param name="Label">File name or text.</param>
/// <param name="X">Coordinate along the first principal component.</param>
/// <param name="Y">Coordinate along the second.</param>
public sealed record EmbeddingPoint(EmbeddingKind Kind, string Label, double X, double Y);

/// <summary>
/// Images and texts of a joint space in one plane: the first two principal components of all together, images blue, texts orange.
/// Immutable and thread-safe.
/// </summary>
public sealed class EmbeddingPlot
{
    /// <param name="points">At least one, finite.</param>
    /// <param name="explainedVarianceRatio">Shares of the two axes, each in [0, 1].</param>
    /// <param name="thumbnails">[points]: small images, null if there is none (texts never have one); null for none at all.</param>
    /// <exception cref="ArgumentException">No points, coordinates that are not finite, or numbers that do not fit.</exception>
    public EmbeddingPlot(
        IReadOnlyList<EmbeddingPoint> points, IReadOnlyList<double> explainedVarianceRatio, IReadOnlyList<RgbImage?>? thumbnails = null)
    {
        ArgumentNullException.ThrowIfNull(points);
        ArgumentNullException.ThrowIfNull(explainedVarianceRatio);
        if (points.Count == 0) throw new ArgumentException("There is nothing to plot; at least one image or text is needed.",
            nameof(points));
        if (points.FirstOrDefault(point => !double.IsFinite(point.X) || !double.IsFinite(point.Y)) is { } lost)
            throw new ArgumentException($"The point {lost.Label} has no finite place ({lost.X}, {lost.Y}).", nameof(points));
        if (explainedVarianceRatio.Count != 2)
            throw new ArgumentException($"A plane has two axes; {explainedVarianceRatio.Count} shares of variance were given.",
                nameof(explainedVarianceRatio));
        if (thumbnails is not null && thumbnails.Count != points.Count)
            throw new ArgumentException($"There are {thumbnails.Count} thumbnails for {points.Count} points.", nameof(thumbnails));
        (Points, ExplainedVarianceRatio, Thumbnails) = (points, explainedVarianceRatio, thumbnails ?? new RgbImage?[points.Count]);
    }

    /// <summary>The points, in the order given.</summary>
    public IReadOnlyList<EmbeddingPoint> Points { get; }

    /// <summary>Shares of the whole variance along the two axes.</summary>
    public IReadOnlyList<double> ExplainedVarianceRatio { get; }

    /// <summary>Small images: [points], null if there is none.</summary>
    public IReadOnlyList<RgbImage?> Thumbnails { get; }

    /// <summary>Fits the plane to all embeddings together and projects them.</summary>
    /// <param name="items">Embeddings of one space, images and texts.</param>
    /// <param name="thumbnails">[items], or null.</param>
    /// <exception cref="ArgumentException">No items or embeddings of different widths.</exception>
    public static EmbeddingPlot Of(IReadOnlyList<EmbeddingItem> items, IReadOnlyList<RgbImage?>? thumbnails = null)
    {
        ArgumentNullException.ThrowIfNull(items);
        var rows = items.Select(item => item.Embedding).ToArray();
        var axes = Math.Min(2, Vectors.Width(rows, "embeddings"));
        var pca = PrincipalComponents.Fit(rows, axes);
        var points = items.Select(item =>
        {
            var at = pca.Transform(item.Embedding);
            return new EmbeddingPoint(item.Kind, item.Label, at[0], axes > 1 ? at[1] : 0);
        }).ToArray();
        return new EmbeddingPlot(points, [pca.VarianceRatio[0], axes > 1 ? pca.VarianceRatio[1] : 0], thumbnails);
    }

    /// <summary>The plot as a PNG file, drawn at twice its size.</summary>
    /// <param name="options">Language, title and model.</param>
    public byte[] ToPng(ReportOptions? options = null) => PlotPng.Render(PlotLayout.Of(this, options ?? new ReportOptions()));

    /// <summary>The plot as an SVG file that needs nothing else.</summary>
    /// <param name="options">Language, title and model.</param>
    public string ToSvg(ReportOptions? options = null) => PlotSvg.Render(PlotLayout.Of(this, options ?? new ReportOptions()));

    /// <summary>The plot as one web page that needs nothing else; pointing at a point or tapping it shows its label and image.</summary>
    /// <param name="options">Language, title and model.</param>
    public string ToHtml(ReportOptions? options = null) => PlotHtml.Render(this, options ?? new ReportOptions());

    /// <summary>The points as comma-separated values (RFC 4180): kind, label, x, y.</summary>
    public string ToCsv()
    {
        var csv = new StringBuilder();
        Csv.AppendRow(csv, ["kind", "label", "x", "y"]);
        foreach (var point in Points)
            Csv.AppendRow(csv, [point.Kind == EmbeddingKind.Image ? "image" : "text", point.Label,
                SimilarityTable.Number(point.X, 6), SimilarityTable.Number(point.Y, 6)]);
        return csv.ToString();
    }

    /// <summary>Writes the plot by the file's ending: .png, .svg, .html or .csv.</summary>
    /// <exception cref="ArgumentException">Another ending.</exception>
    public void Save(string path, ReportOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        switch (Path.GetExtension(path).ToLowerInvariant())
        {
            case ".png": WrittenFile.Write(path, ToPng(options)); break;
            case ".svg": WrittenFile.Write(path, ToSvg(options)); break;
            case ".html" or ".htm": WrittenFile.Write(path, ToHtml(options)); break;
            case ".csv": WrittenFile.Write(path, ToCsv()); break;
            default: throw new ArgumentException($"{path}: a plot is written as .png, .svg, .html or .csv.", nameof(path));
        }
    }
}
