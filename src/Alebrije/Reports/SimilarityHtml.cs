using System.Globalization;
using System.Net;
using System.Text;
using Alebrije.Preprocessing.Imaging.Lettering;

namespace Alebrije.Reports;

/// <summary>A similarity table as one web page: inline style, inline images, and a few lines of script to switch and sort.</summary>
internal static class SimilarityHtml
{
    private const int Picture = 112; // twice the size shown

    public static string Render(SimilarityTable table, ReportOptions options)
    {
        var words = options.Words;
        var title = options.Title is { Length: > 0 } given ? given : words.TableTitle;
        var page = new StringBuilder();
        PageParts.AppendHead(page, words.Code, title, Style);
        AppendGradient(page);
        page.Append("</style>\n</head>\n<body>\n<main>\n");
        page.Append(CultureInfo.InvariantCulture, $"<h1>{Encode(title)}</h1>\n");
        AppendControls(page, table, options);
        AppendTable(page, table, options);
        var (images, texts) = (table.Images.Count == 1 ? words.Image : words.Images, table.Texts.Count == 1 ? words.Text : words.Texts);
        page.Append(CultureInfo.InvariantCulture, $"<footer>{table.Images.Count} {images} × {table.Texts.Count} {texts}");
        if (options.Model is { Length: > 0 } model) page.Append(CultureInfo.InvariantCulture, $" · {words.Model}: {Encode(model)}");
        page.Append(" · Alebrije</footer>\n</main>\n<script>\n").Append(Script).Append("</script>\n</body>\n</html>\n");
        return page.ToString();
    }

    private static void AppendControls(StringBuilder page, SimilarityTable table, ReportOptions options)
    {
        var words = options.Words;
        var cosine = options.Measure == SimilarityMeasure.Cosine;
        var (low, high) = table.Range(SimilarityMeasure.Cosine);
        page.Append(CultureInfo.InvariantCulture, $"""
            <p class="lead"><span class="s"{(cosine ? " hidden" : "")}>{words.SoftmaxLead}</span><span class="c"{(cosine ? "" : " hidden")}>{words.CosineLead}</span></p>
            <div class="bar">
            <fieldset><legend>{words.Show}</legend>
            <label><input type="radio" name="m" value="s"{(cosine ? "" : " checked")}>{words.Softmax}</label>
            <label><input type="radio" name="m" value="c"{(cosine ? " checked" : "")}>{words.Cosine}</label>
            </fieldset>
            <span class="scale"><span id="from">{Edge(options.Measure, 0, low)}</span><i></i><span id="to">{Edge(options.Measure, 1, high)}</span></span>
            <span class="hint">{words.SortHint}</span>
            <button type="button" id="order" hidden>{words.FileOrder}</button>
            </div>

            """);
    }

    private static string Edge(SimilarityMeasure measure, int softmax, double cosine) =>
        measure == SimilarityMeasure.Softmax ? softmax.ToString(CultureInfo.InvariantCulture) : SimilarityTable.Number(cosine, 2);

    private static void AppendTable(StringBuilder page, SimilarityTable table, ReportOptions options)
    {
        var (low, high) = table.Range(SimilarityMeasure.Cosine);
        using var face = new TextFace(14);
        var column = SimilarityPng.ColumnWidth(table.Texts, face) / face.Size;
        page.Append(CultureInfo.InvariantCulture,
            $"<table style=\"--column:{column:0.##}rem\" data-low=\"{low:R}\" data-high=\"{high:R}\">\n");
        page.Append(CultureInfo.InvariantCulture, $"<thead><tr><th scope=\"col\" class=\"name\">{options.Words.Image}</th>");
        foreach (var text in table.Texts)
            page.Append(CultureInfo.InvariantCulture,
                $"<th scope=\"col\"><button type=\"button\" title=\"{Encode(text)}\"><span>{Encode(text)}</span></button></th>");
        page.Append("</tr></thead>\n<tbody>\n");
        var values = table.Values(options.Measure);
        for (var i = 0; i < table.Images.Count; i++)
        {
            page.Append("<tr><th scope=\"row\"><div>");
            if (table.Thumbnails[i] is { } picture)
                page.Append(CultureInfo.InvariantCulture, $"<img src=\"{Thumbnail.DataUri(picture, Picture)}\" alt=\"\">");
            page.Append(CultureInfo.InvariantCulture, $"<span>{Encode(table.Images[i])}</span></div></th>");
            var best = table.Best(i);
            for (var j = 0; j < table.Texts.Count; j++)
                page.Append(CultureInfo.InvariantCulture,
                    $"<td class=\"b{table.Level(values[i][j], options.Measure)}{(j == best ? " best" : "")}\" "
                        + $"data-s=\"{table.Softmax[i][j]:0.######}\" "
                            + $"data-c=\"{table.Cosine[i][j]:0.######}\">{SimilarityTable.Number(values[i][j], 2)}</td>");
            page.Append("</tr>\n");
        }

        page.Append("</tbody>\n</table>\n");
    }

    private static void AppendGradient(StringBuilder page)
    {
        page.Append(".scale i{background:linear-gradient(90deg");
        for (var level = 0; level <= 256; level += 16) page.Append(',').Append(BluesGradient.Background(Math.Min(level, 255)).Hex);
        page.Append(")}\n");
        for (var level = 0; level < 256; level++)
            page.Append(CultureInfo.InvariantCulture,
                $".b{level}{{background:{BluesGradient.Background(level).Hex};color:{BluesGradient.Foreground(level).Hex}}}");
        page.Append('\n');
    }

    private static string Encode(string text) => WebUtility.HtmlEncode(text);

    private const string Style = """
        .bar{display:flex;flex-wrap:wrap;gap:.6rem 1.4rem;align-items:center;margin:0 0 1rem}
        fieldset{border:0;margin:0;padding:0;display:flex;gap:.9rem;align-items:center}
        legend{float:left;padding:0;color:var(--soft);margin-right:.2rem}
        label{display:inline-flex;gap:.35rem;align-items:center;cursor:pointer}
        input{accent-color:#08519c;width:1.1em;height:1.1em;margin:0}
        .scale{display:inline-flex;gap:.45rem;align-items:center;color:var(--soft);font-variant-numeric:tabular-nums}
        .scale i{display:inline-block;width:7rem;height:.9rem;border:1px solid var(--line)}
        .hint{color:var(--soft)}
        #order{font:inherit;border:1px solid var(--line);border-radius:.4rem;background:#fff;padding:.2rem .7rem;cursor:pointer}
        main{width:max-content;min-width:100%}
        h1,.lead,.bar,footer{position:sticky;left:var(--edge);max-width:calc(100vw - 2*var(--edge) - 1rem)}
        table{border-collapse:separate;border-spacing:0;font-variant-numeric:tabular-nums;border:1px solid var(--line);border-width:1px 0}
        thead th{position:sticky;top:0;z-index:2;background:#fff;border-bottom:1px solid var(--line);vertical-align:bottom;font-weight:400;padding:0}
        thead th.name{left:0;z-index:3;text-align:left;color:var(--soft);padding:.5rem .7rem .5rem 0}
        thead button{font:inherit;color:inherit;background:none;border:0;width:var(--column);padding:.5rem .3rem;cursor:pointer;line-height:1.2;overflow-wrap:anywhere}
        thead button span{display:-webkit-box;-webkit-box-orient:vertical;-webkit-line-clamp:6;overflow:hidden}
        thead th[aria-sort] span{-webkit-line-clamp:none}
        thead button:hover,thead button:focus-visible{background:#eef4fb}
        thead th[aria-sort] button{font-weight:700}
        thead th[aria-sort=descending] button::after{content:" ▼";font-size:.75em}
        thead th[aria-sort=ascending] button::after{content:" ▲";font-size:.75em}
        tbody th{position:sticky;left:0;z-index:1;background:#fff;font-weight:400;text-align:left;padding:.2rem .7rem .2rem 0;border-bottom:1px solid var(--line)}
        tbody th div{display:flex;gap:.7rem;align-items:center;max-width:20rem}
        tbody th span{overflow-wrap:anywhere}
        tbody tr:last-child th{border-bottom:0}
        tbody img{width:3.5rem;height:3.5rem;object-fit:contain;flex:none}
        td{text-align:center;padding:.45rem 0}
        td.best{font-weight:700}
        @media (max-width:40rem){tbody th{padding-right:.4rem}tbody th div{flex-direction:column;gap:.15rem;align-items:flex-start;max-width:6.2rem;font-size:.78rem;line-height:1.15}thead button{width:calc(var(--column)*.82);font-size:.82rem}td{font-size:.92rem}}
        @media print{.hint,fieldset,#order{display:none}td,.scale i{print-color-adjust:exact;-webkit-print-color-adjust:exact}}

        """;

    private const string Script = """
        (function(){
        var table=document.querySelector('table'),body=table.tBodies[0],rows=Array.from(body.rows),heads=Array.from(table.tHead.rows[0].cells),order=document.getElementById('order');
        var measure=document.querySelector('input:checked').value,low=+table.dataset.low,high=+table.dataset.high,column=0,down=true;
        function paint(){
          rows.forEach(function(row){Array.from(row.cells).slice(1).forEach(function(cell){
            var v=+cell.dataset[measure],x=measure=='s'?v:(v-low)/(high-low),text=v.toFixed(2);
            cell.textContent=text=='-0.00'?'0.00':text;
            cell.className='b'+Math.max(0,Math.min(255,Math.floor(x*256)))+(cell.classList.contains('best')?' best':'');
          })});
          ['s','c'].forEach(function(m){document.querySelector('.lead .'+m).hidden=m!=measure});
          document.getElementById('from').textContent=measure=='s'?'0':low.toFixed(2);
          document.getElementById('to').textContent=measure=='s'?'1':high.toFixed(2);
        }
        function sort(){
          var sorted=rows.slice();
          if(column)sorted.sort(function(a,b){return (down?-1:1)*(a.cells[column].dataset[measure]-b.cells[column].dataset[measure])});
          sorted.forEach(function(row){body.appendChild(row)});
          heads.forEach(function(head,i){if(column&&i==column)head.setAttribute('aria-sort',down?'descending':'ascending');else head.removeAttribute('aria-sort')});
          order.hidden=!column;
        }
        document.querySelectorAll('input[name=m]').forEach(function(input){input.onchange=function(){measure=input.value;paint();sort()}});
        heads.forEach(function(head,i){if(i)head.querySelector('button').onclick=function(){down=column==i?!down:true;column=i;sort()}});
        order.onclick=function(){column=0;down=true;sort()};
        })();

        """;
}
