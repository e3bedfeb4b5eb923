using System.Globalization;
using System.Net;
using System.Text;

namespace Alebrije.Reports;

/// <summary>An embedding plot as one web page: the SVG, and a few lines of script that name the point under the pointer.</summary>
internal static class PlotHtml
{
    public static string Render(EmbeddingPlot plot, ReportOptions options)
    {
        var words = options.Words;
        var title = options.Title is { Length: > 0 } given ? given : words.PlotTitle;
        var page = new StringBuilder();
        PageParts.AppendHead(page, words.Code, title, Style);
        page.Append("</style>\n</head>\n<body>\n<main>\n");
        page.Append(CultureInfo.InvariantCulture, $"<h1>{WebUtility.HtmlEncode(title)}</h1>\n<p class=\"lead\">{words.PlotLead}</p>\n");
        page.Append(CultureInfo.InvariantCulture,
            $"<p class=\"bar\"><label><input type=\"checkbox\" id=\"labels\" checked>{words.ShowLabels}</label></p>\n");
        page.Append("<div class=\"plot\">").Append(PlotSvg.Render(PlotLayout.Of(plot, options with { Title = "" }), plot))
            .Append("</div>\n");
        page.Append(CultureInfo.InvariantCulture,
            $"<div id=\"tip\" hidden data-image=\"{words.Image}\" data-text=\"{words.Text}\"></div>\n");
        page.Append("<footer>Alebrije</footer>\n</main>\n<script>\n").Append(Script).Append("</script>\n</body>\n</html>\n");
        return page.ToString();
    }

    private const string Style = """
        main{max-width:96rem;margin:0 auto}
        .bar{margin:0 0 .4rem}
        .bar label{display:inline-flex;gap:.4rem;align-items:center;cursor:pointer}
        .bar input{accent-color:#08519c;width:1.1em;height:1.1em;margin:0}
        .plot{overflow-x:auto}
        .plot svg{display:block;width:100%;min-width:46rem;max-height:92vh}
        .plot.quiet .label{display:none}
        .label{pointer-events:none}
        .point{cursor:pointer}
        .point:hover>*,.point.on>*{stroke:#1b1f24;stroke-width:2}
        #tip{position:fixed;z-index:9;max-width:min(20rem,80vw);background:#fff;border:1px solid var(--line);border-radius:.5rem;box-shadow:0 .3rem 1.2rem #0003;padding:.5rem .7rem;pointer-events:none;overflow-wrap:anywhere}
        #tip small{color:var(--soft);display:block}
        #tip img{display:block;width:10rem;height:10rem;object-fit:contain;margin-top:.35rem}
        @media print{.bar{display:none}}

        """;

    private const string Script = """
        (function(){
        var tip=document.getElementById('tip'),plot=document.querySelector('.plot'),on=null;
        document.getElementById('labels').onchange=function(){plot.classList.toggle('quiet',!this.checked)};
        function show(point,event){
          if(on)on.classList.remove('on');
          on=point;
          tip.hidden=!point;
          if(!point)return;
          point.classList.add('on');
          tip.textContent='';
          var kind=document.createElement('small'),label=document.createElement('div'),image=point.querySelector('image');
          kind.textContent=tip.dataset[point.dataset.kind];
          label.textContent=point.dataset.label;
          tip.append(kind,label);
          if(image){var picture=document.createElement('img');picture.src=image.getAttribute('href');picture.alt='';tip.append(picture)}
          var box=tip.getBoundingClientRect(),x=event.clientX+16,y=event.clientY+16;
          if(x+box.width>innerWidth-8)x=Math.max(8,event.clientX-16-box.width);
          if(y+box.height>innerHeight-8)y=Math.max(8,event.clientY-16-box.height);
          tip.style.left=x+'px';
          tip.style.top=y+'px';
        }
        plot.addEventListener('pointermove',function(event){show(event.target.closest('.point'),event)});
        plot.addEventListener('pointerleave',function(event){if(event.pointerType=='mouse')show(null)});
        plot.addEventListener('click',function(event){show(event.target.closest('.point'),event)});
        })();

        """;
}
