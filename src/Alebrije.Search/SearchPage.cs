using System.Globalization;
using System.Net;
using System.Text;
using Alebrije.Preprocessing;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Reports;

namespace Alebrije.Search;

/// <summary>Results of a search as one web page without other files, in English or Spanish.</summary>
public static class SearchPage
{
    private const int ThumbnailSide = 320;

    private const string Style = """
        .grid{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(15rem,100%),1fr));gap:1rem;list-style:none;margin:0;padding:0}
        figure{margin:0;border:1px solid var(--line);border-radius:.5rem;overflow:hidden;height:100%;display:flex;flex-direction:column}
        figure a{display:block;background:#f2f4f7}
        figure img{display:block;width:100%;height:14rem;object-fit:contain}
        figure a:focus-visible{outline:3px solid #1f6feb;outline-offset:-3px}
        .none{height:14rem;display:grid;place-items:center;color:var(--soft)}
        figcaption{padding:.6rem .7rem;font-size:.9rem;overflow-wrap:anywhere}
        figcaption b{display:block;font-weight:600}
        .soft{color:var(--soft)}
        .bar{display:block;height:.35rem;border-radius:.2rem;background:var(--line);margin:.35rem 0 .2rem;overflow:hidden}
        .bar i{display:block;height:100%;background:#1f6feb}
        </style>
        </head>
        """;

    /// <summary>The page; names of files are escaped, and images that can no longer be read are named without one.</summary>
    /// <param name="results">The results.</param>
    /// <param name="query">The query.</param>
    /// <param name="language"><c>en</c> or <c>es</c>.</param>
    public static string Render(SearchResults results, SearchQuery query, string language = "en")
    {
        ArgumentNullException.ThrowIfNull(results);
        ArgumentNullException.ThrowIfNull(query);
        var spanish = language == "es";
        var title = string.Join(" ", query.Parts.Select(part => (part.Weight < 0 ? "− " : part == query.Parts[0] ? "" : "+ ")
            + (part.IsImage ? Path.GetFileName(part.Value) : part.Value)
            + (Math.Abs(part.Weight) == 1 ? "" : string.Create(CultureInfo.InvariantCulture, $" × {Math.Abs(part.Weight):0.##}"))));
        var page = new StringBuilder();
        PageParts.AppendHead(page, language, PrintableText.Of(title), Style);
        page.Append("<body>\n<main>\n<h1>").Append(Text(title)).Append("</h1>\n<p class=\"lead\">");
        var (found, searched) = (results.Results.Count, results.Searched);
        page.Append(Text(spanish
            ? $"{Count(found, "resultado", "resultados")} de {Count(searched, "imagen", "imágenes")}, modelo {results.Model}."
            : $"{Count(found, "result", "results")} of {Count(searched, "image", "images")}, model {results.Model}."));
        if (results.Cut is { } cut)
        {
            var (at, rate) = ((100 * cut).ToString("0.##", CultureInfo.InvariantCulture),
                (100 * results.FalseAlarmRate).ToString("0.##", CultureInfo.InvariantCulture));
            page.Append(' ').Append(Text(spanish
                ? $"Corte en una relevancia del {at} %: de las imágenes ajenas a la consulta, el {rate} % queda por encima."
                : $"Cut at a relevance of {at} %: {rate} % of images unrelated to the query lie above it."));
        }

        page.Append("</p>\n<ol class=\"grid\">\n");
        foreach (var result in results.Results) AppendResult(page, result, spanish);
        page.Append("</ol>\n");
        if (results.Results.Count == 0)
        {
            page.Append("<p>").Append(spanish ? "Ninguna imagen se parece lo bastante a la consulta."
                : "No image is near enough to the query.").Append("</p>\n");
        }

        return page.Append("<footer>").Append(spanish
            ? "Puntuación: coseno entre la consulta y la imagen. Relevancia: parte de las consultas ajenas que puntúa menos."
            : "Score: cosine of query and image. Relevance: share of unrelated queries that score lower.")
            .Append("</footer>\n</main>\n</body>\n</html>\n").ToString();
    }

    private static void AppendResult(StringBuilder page, SearchResult result, bool spanish)
    {
        var (picture, name) = (result.Picture, PrintableText.Of(Path.GetFileName(result.File)));
        page.Append(CultureInfo.InvariantCulture, $"<li><figure><a href=\"{Text(Address(result.File))}\">");
        if (Thumbnail(result.File, ThumbnailSide) is { } image)
            page.Append(CultureInfo.InvariantCulture,
                $"<img src=\"{Reports.Thumbnail.DataUri(image, ThumbnailSide)}\" alt=\"{Text(name)}\" loading=\"lazy\">");
        else page.Append(CultureInfo.InvariantCulture,
            $"<span class=\"none\">{(spanish ? "ya no se puede leer" : "can no longer be read")}</span>");
        page.Append(CultureInfo.InvariantCulture, $"</a><figcaption><b>{Text(name)}</b>");
        page.Append(CultureInfo.InvariantCulture,
            $"<span class=\"bar\"><i style=\"width:{100 * Math.Clamp(result.Relevance, 0, 1):F0}%\"></i></span>");
        page.Append(CultureInfo.InvariantCulture, $"<span>{(spanish ? "puntuación" : "score")} {result.Score:F3} · ");
        page.Append(CultureInfo.InvariantCulture, $"{(spanish ? "relevancia" : "relevance")} {100 * result.Relevance:F1} %</span><br>");
        page.Append(CultureInfo.InvariantCulture, $"<span class=\"soft\">{picture.Date:yyyy-MM-dd} · {picture.Width} × {picture.Height}");
        if (picture.Camera is { } camera) page.Append(" · ").Append(Text(camera));
        if (picture.Label is { } label) page.Append(" · ").Append(Text(label));
        page.Append("<br>").Append(Text(PrintableText.Of(Path.GetDirectoryName(result.File) ?? "")));
        if (result.Copies.Count > 0)
        {
            page.Append("<br>").Append(Text(spanish ? $"+ {Count(result.Copies.Count, "copia", "copias")}"
                : $"+ {Count(result.Copies.Count, "copy", "copies")}"));
        }

        page.Append("</span></figcaption></figure></li>\n");
    }

    /// <summary>Writes the page; an existing file is replaced.</summary>
    /// <inheritdoc cref="Render"/>
    /// <param name="path">The file.</param>
    /// <exception cref="UnwritableFileException">The file cannot be written.</exception>
    public static void Save(string path, SearchResults results, SearchQuery query, string language = "en") =>
        WrittenFile.Write(path, Render(results, query, language));

    /// <summary>An image made smaller, upright and on white; null if it can no longer be read.</summary>
    /// <param name="file">The file.</param>
    /// <param name="side">Longest side in pixels.</param>
    public static RgbImage? Thumbnail(string file, int side)
    {
        ArgumentException.ThrowIfNullOrEmpty(file);
        try
        {
            return Reports.Thumbnail.Fit(PictureContent.Read(file).Decode().ToRgbOnWhite(), side);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static string Address(string file) =>
        "file://" + string.Join('/', file.Split(Path.DirectorySeparatorChar).Select(Uri.EscapeDataString));

    private static string Count(int count, string one, string other) =>
        string.Create(CultureInfo.InvariantCulture, $"{count} {(count == 1 ? one : other)}");

    private static string Text(string text) => WebUtility.HtmlEncode(text);
}
