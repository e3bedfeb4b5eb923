using System.Globalization;
using System.Net;
using System.Text;
using Alebrije.Reports;

namespace Alebrije.Robustness;

/// <summary>A report on robustness as one web page: the chart, the table, and a sheet of examples.</summary>
internal static class RobustnessHtml
{
    private const int MostClasses = 8, Picture = 96;

    public static string Render(RobustnessReport report, ReportOptions options)
    {
        var words = RobustnessWords.In(options.Language);
        var title = options.Title is { Length: > 0 } given ? given : words.Title;
        var page = new StringBuilder();
        PageParts.AppendHead(page, words.Code, title, Style);
        page.Append("</style>\n</head>\n<body>\n<main>\n");
        page.Append(CultureInfo.InvariantCulture,
            $"<h1>{Encode(title)}</h1>\n<p class=\"lead\">{Encode(report.Sentence(words.Code))}</p>\n");
        var chart = Convert.ToBase64String(RobustnessPng.Render(report, options with { Title = "", Model = null }));
        page.Append(CultureInfo.InvariantCulture,
            $"<img class=\"chart\" alt=\"{Encode(words.Lead(report.Labels.Count, report.Conditions[0].Count))}\" "
                + $"src=\"data:image/png;base64,{chart}\">\n");
        AppendTable(page, report, words);
        AppendSheet(page, report, words);
        page.Append(CultureInfo.InvariantCulture, $"<footer>{Encode(string.Join(", ", report.Labels))}");
        if (report.Model is { Length: > 0 } model) page.Append(CultureInfo.InvariantCulture, $" · {options.Words.Model}: {Encode(model)}");
        page.Append(" · Alebrije</footer>\n</main>\n</body>\n</html>\n");
        return page.ToString();
    }

    private static void AppendTable(StringBuilder page, RobustnessReport report, RobustnessWords words)
    {
        page.Append(CultureInfo.InvariantCulture,
            $"<div class=\"wide\"><table>\n<thead><tr><th scope=\"col\">{words.ConditionHead}</th><th "
                + $"scope=\"col\" class=\"n\">{words.Pictures}</th>");
        for (var k = 0; k < report.Classifiers.Count; k++)
            page.Append(CultureInfo.InvariantCulture,
                $"<th scope=\"col\" class=\"n\">{RobustnessMarks.Svg(k, true)}{Encode(words.Classifier(report.Classifiers[k]))}</th>");
        page.Append("</tr></thead>\n<tbody>\n");
        foreach (var condition in report.Conditions)
        {
            var severity = condition.Severities.Count > 0 ? $" <small>{Encode(words.Severity(condition.Severities))}</small>" : "";
            page.Append(CultureInfo.InvariantCulture,
                $"<tr><th scope=\"row\">{Encode(words.Condition(condition.Name))}{severity}</th><td>{condition.Count}</td>");
            var best = condition.Accuracy.Max(figure => figure.Value);
            foreach (var figure in condition.Accuracy)
                page.Append(CultureInfo.InvariantCulture,
                    $"<td{(figure.Value >= best ? " class=\"best\"" : "")}>{RobustnessReport.Share(figure.Value)} "
                        + $"<small>{100 * figure.Low:F0}–{100 * figure.High:F0}</small></td>");
            page.Append("</tr>\n");
        }

        page.Append("</tbody>\n</table></div>\n");
    }

    private static void AppendSheet(StringBuilder page, RobustnessReport report, RobustnessWords words)
    {
        var classes = Enumerable.Range(0, report.Labels.Count).OrderBy(k => k == report.ShownClass ? 0 : 1).Take(MostClasses).ToArray();
        page.Append(CultureInfo.InvariantCulture,
            $"<h2>{words.Sheet}</h2>\n<p class=\"lead\">{words.SheetLead}</p>\n<div "
                + $"class=\"wide\"><table class=\"sheet\">\n<thead><tr><td></td>");
        foreach (var k in classes) page.Append(CultureInfo.InvariantCulture, $"<th scope=\"col\">{Encode(report.Labels[k])}</th>");
        page.Append("</tr></thead>\n<tbody>\n");
        foreach (var condition in report.Conditions)
        {
            var examples = report.Examples.Where(example => example.Condition == condition.Name).ToArray();
            if (examples.Length == 0) continue;
            page.Append(CultureInfo.InvariantCulture, $"<tr><th scope=\"row\">{Encode(words.Condition(condition.Name))}</th>");
            foreach (var k in classes) AppendCell(page, report, words, examples.FirstOrDefault(example => example.Right == k));
            page.Append("</tr>\n");
        }

        page.Append("</tbody>\n</table></div>\n");
    }

    private static void AppendCell(StringBuilder page, RobustnessReport report, RobustnessWords words, RobustnessExample? example)
    {
        if (example is null)
        {
            page.Append("<td>–</td>");
            return;
        }

        var answers = string.Join("\n",
            example.Answers.Select((answer, k) => $"{words.Classifier(report.Classifiers[k])}: {report.Labels[answer]}"));
        page.Append(CultureInfo.InvariantCulture,
            $"<td title=\"{Encode(answers)}\"><img src=\"{Thumbnail.DataUri(example.Picture, Picture)}\" "
                + $"alt=\"{Encode(report.Labels[example.Right])}\"><span>");
        for (var k = 0; k < example.Answers.Count; k++) page.Append(RobustnessMarks.Svg(k, example.Answers[k] == example.Right));
        page.Append("</span></td>");
    }

    private static string Encode(string text) => WebUtility.HtmlEncode(text);

    private const string Style = """
        main{max-width:74rem;margin:0 auto}
        h2{font-size:1.2rem;margin:2rem 0 .3rem}
        .chart{display:block;width:100%;max-width:65rem;height:auto;margin:0 0 1.2rem}
        .wide{overflow-x:auto}
        .mark{width:.85em;height:.85em;vertical-align:-.08em;margin-right:.3em}
        table{border-collapse:collapse;font-variant-numeric:tabular-nums}
        th,td{padding:.28rem .8rem .28rem 0;border-bottom:1px solid var(--line);text-align:left;font-weight:400}
        thead th{color:var(--soft)}
        td{text-align:right;white-space:nowrap}
        th.n{text-align:right}
        td.best{font-weight:700}
        small{color:var(--soft);font-weight:400}
        .sheet td,.sheet thead th{text-align:center;padding:.25rem}
        .sheet img{display:block;width:5.2rem;height:5.2rem;object-fit:contain;margin:0 auto .15rem}
        .sheet span{display:block;line-height:1}
        .sheet .mark{margin:0 .12em}

        """;
}
