using System.Globalization;
using System.Text;
using Alebrije.Embeddings;
using Alebrije.Preprocessing;
using Alebrije.Preprocessing.Imaging;

namespace Alebrije.Reports;

/// <summary>
/// The table of the lecture: a row per image, a column per text, in each cell how well they fit, on a blue gradient. Immutable and
/// thread-safe.
/// </summary>
public sealed class SimilarityTable
{
    /// <summary>CLIP's logit scale, by which cosines are multiplied before the softmax.</summary>
    public const double LogitScale = 100;

    private readonly double low, high;

    /// <param name="images">Row labels: file names.</param>
    /// <param name="texts">Column labels.</param>
    /// <param name="cosine">[images][texts], finite.</param>
    /// <param name="thumbnails">[images]: small images for the rows, null if there is none; null for none at all.</param>
    /// <exception cref="ArgumentException">No images or texts, or sizes that do not fit.</exception>
    public SimilarityTable(
        IReadOnlyList<string> images, IReadOnlyList<string> texts, IReadOnlyList<double[]> cosine,
        IReadOnlyList<RgbImage?>? thumbnails = null)
    {
        ArgumentNullException.ThrowIfNull(images);
        ArgumentNullException.ThrowIfNull(texts);
        ArgumentNullException.ThrowIfNull(cosine);
        if (images.Count == 0 || texts.Count == 0)
            throw new ArgumentException(
                $"A similarity table needs at least one image and one text; there are {images.Count} and {texts.Count}.");
        if (cosine.Count != images.Count || cosine.Any(row => row.Length != texts.Count))
            throw new ArgumentException($"The cosines do not fit {images.Count} images and {texts.Count} texts.", nameof(cosine));
        if (thumbnails is not null && thumbnails.Count != images.Count)
            throw new ArgumentException($"There are {thumbnails.Count} thumbnails for {images.Count} images.", nameof(thumbnails));
        (Images, Texts, Cosine, Thumbnails) = (images, texts, cosine, thumbnails ?? new RgbImage?[images.Count]);
        Softmax = [.. cosine.Select(row => ZeroShot.Softmax(row, LogitScale))];
        (low, high) = (cosine.Min(row => row.Min()), cosine.Max(row => row.Max()));
    }

    /// <summary>Row labels.</summary>
    public IReadOnlyList<string> Images { get; }

    /// <summary>Column labels.</summary>
    public IReadOnlyList<string> Texts { get; }

    /// <summary>Cosines: [images][texts].</summary>
    public IReadOnlyList<double[]> Cosine { get; }

    /// <summary>Softmax over the texts of 100 × cosine: [images][texts], each row sums to 1.</summary>
    public IReadOnlyList<double[]> Softmax { get; }

    /// <summary>Small images: [images], null if there is none.</summary>
    public IReadOnlyList<RgbImage?> Thumbnails { get; }

    internal bool HasThumbnails => Thumbnails.Any(image => image is not null);

    /// <summary>The table of embeddings: cosines of all pairs.</summary>
    /// <param name="images">[images]</param>
    /// <param name="imageEmbeddings">[images][width]</param>
    /// <param name="texts">[texts]</param>
    /// <param name="textEmbeddings">[texts][width]</param>
    /// <param name="thumbnails">[images], or null.</param>
    /// <exception cref="ArgumentException">Labels and embeddings that do not fit, or different widths.</exception>
    public static SimilarityTable FromEmbeddings(
        IReadOnlyList<string> images, IReadOnlyList<float[]> imageEmbeddings,
        IReadOnlyList<string> texts, IReadOnlyList<float[]> textEmbeddings,
        IReadOnlyList<RgbImage?>? thumbnails = null)
    {
        Vectors.SameWidth(
            Vectors.Width(imageEmbeddings, "images"), "images", Vectors.Width(textEmbeddings, "texts"), "texts");
        return new SimilarityTable(images, texts,
            [.. imageEmbeddings.Select(image => textEmbeddings.Select(text => Vectors.Cosine(image, text)).ToArray())], thumbnails);
    }

    /// <summary>The cells: [images][texts].</summary>
    public IReadOnlyList<double[]> Values(SimilarityMeasure measure) => measure == SimilarityMeasure.Cosine ? Cosine : Softmax;

    /// <summary>Index of the text that fits an image best.</summary>
    public int Best(int image) => ZeroShot.TopK(Cosine[image], 1)[0];

    /// <summary>Sorts the rows by their fit to a text, best first.</summary>
    /// <param name="text">Index of the column.</param>
    /// <param name="measure">Measure to sort by; softmax and cosine may order differently.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no such column.</exception>
    public SimilarityTable SortedBy(int text, SimilarityMeasure measure = SimilarityMeasure.Softmax)
    {
        if (text < 0 || text >= Texts.Count)
            throw new ArgumentOutOfRangeException(nameof(text), $"There is no column {text}; columns are 0 to {Texts.Count - 1}.");
        var values = Values(measure);
        var order = Enumerable.Range(0, Images.Count).OrderByDescending(i => values[i][text]).ToArray();
        return new SimilarityTable(
            [.. order.Select(i => Images[i])], Texts, [.. order.Select(i => Cosine[i])], [.. order.Select(i => Thumbnails[i])]);
    }

    /// <summary>The table for a terminal.</summary>
    /// <param name="width">Columns of the terminal; wider tables are cut into blocks of columns, names are shortened.</param>
    /// <param name="colour">24-bit colours as escape sequences; false gives plain text.</param>
    /// <param name="options">Language and measure.</param>
    public string ToTerminal(int width = 80, bool colour = true, ReportOptions? options = null) =>
        SimilarityTerminal.Render(this, width, colour, options ?? new ReportOptions());

    /// <summary>The table as one web page that needs nothing else: switch between softmax and cosine, sort by a column.</summary>
    /// <param name="options">Language, title, model and the measure shown first.</param>
    public string ToHtml(ReportOptions? options = null) => SimilarityHtml.Render(this, options ?? new ReportOptions());

    /// <summary>The table as a PNG file, drawn at twice its size so that it is crisp on a projector.</summary>
    /// <param name="options">Language, title, model and measure.</param>
    /// <exception cref="ArgumentException">The table is too large for an image.</exception>
    public byte[] ToPng(ReportOptions? options = null) => SimilarityPng.Render(this, options ?? new ReportOptions());

    /// <summary>The table as comma-separated values (RFC 4180): heads, then a row per image, six decimals.</summary>
    /// <param name="options">Language of the first head, and measure.</param>
    public string ToCsv(ReportOptions? options = null)
    {
        options ??= new ReportOptions();
        var csv = new StringBuilder();
        Csv.AppendRow(csv, [options.Words.Image, .. Texts]);
        var values = Values(options.Measure);
        for (var i = 0; i < Images.Count; i++)
            Csv.AppendRow(csv, [Images[i], .. values[i].Select(v => Number(v, 6))]);
        return csv.ToString();
    }

    /// <summary>The table in GitHub's Markdown, two decimals, the best of each row in bold.</summary>
    /// <param name="options">Language of the first head, and measure.</param>
    public string ToMarkdown(ReportOptions? options = null)
    {
        options ??= new ReportOptions();
        var values = Values(options.Measure);
        var markdown = new StringBuilder();
        Row([options.Words.Image, .. Texts.Select(Escape)]);
        Row([":--", .. Texts.Select(_ => "--:")]);
        for (var i = 0; i < Images.Count; i++)
        {
            var best = Best(i);
            Row([Escape(Images[i]), .. values[i].Select((v, j) => j == best ? $"**{Number(v, 2)}**" : Number(v, 2))]);
        }

        return markdown.ToString();

        void Row(IEnumerable<string> cells) => markdown.Append("| ").AppendJoin(" | ", cells).Append(" |\n");
    }

    /// <summary>Writes the table by the file's ending: .html, .png, .csv or .md.</summary>
    /// <exception cref="ArgumentException">Another ending.</exception>
    public void Save(string path, ReportOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        switch (Path.GetExtension(path).ToLowerInvariant())
        {
            case ".html" or ".htm": WrittenFile.Write(path, ToHtml(options)); break;
            case ".png": WrittenFile.Write(path, ToPng(options)); break;
            case ".csv": WrittenFile.Write(path, ToCsv(options)); break;
            case ".md": WrittenFile.Write(path, ToMarkdown(options)); break;
            default: throw new ArgumentException($"{path}: a similarity table is written as .html, .png, .csv or .md.", nameof(path));
        }
    }

    /// <summary>Ends of the gradient for a measure.</summary>
    internal (double Low, double High) Range(SimilarityMeasure measure) =>
        measure == SimilarityMeasure.Softmax ? (0, 1) : (low, high > low ? high : low + 1);

    /// <summary>Entry of the gradient for a value.</summary>
    internal int Level(double value, SimilarityMeasure measure)
    {
        var (from, to) = Range(measure);
        return BluesGradient.Level((value - from) / (to - from));
    }

    /// <summary>A fixed number of decimals, never "-0.00".</summary>
    internal static string Number(double value, int decimals)
    {
        var text = value.ToString("F" + decimals.ToString(CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);
        return text.StartsWith('-') && text.AsSpan(1).IndexOfAnyExcept('0', '.') < 0 ? text[1..] : text;
    }

    private static string Escape(string text) =>
        text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("|", "\\|", StringComparison.Ordinal)
            .Replace("*", "\\*", StringComparison.Ordinal).Replace("_", "\\_", StringComparison.Ordinal)
            .Replace("`", "\\`", StringComparison.Ordinal).Replace("<", "&lt;", StringComparison.Ordinal)
            .ReplaceLineEndings(" ");
}

/// <summary>Rows of comma-separated values (RFC 4180).</summary>
internal static class Csv
{
    private static readonly System.Buffers.SearchValues<char> Special = System.Buffers.SearchValues.Create(",\"\r\n");

    public static void AppendRow(StringBuilder csv, IEnumerable<string> fields) =>
        csv.AppendJoin(',', fields.Select(Quote)).Append("\r\n");

    private static string Quote(string field) =>
        field.AsSpan().ContainsAny(Special) ? $"\"{field.Replace("\"", "\"\"", StringComparison.Ordinal)}\"" : field;
}
