using System.Globalization;
using System.Net;
using System.Text;

namespace Alebrije.Reports;

/// <summary>Common parts of the web pages of tables and plots; the style is left open for more.</summary>
internal static class PageParts
{
    public static void AppendHead(StringBuilder page, string language, string title, string style) =>
        page.Append(CultureInfo.InvariantCulture, $$"""
            <!DOCTYPE html>
            <html lang="{{language}}">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <title>{{WebUtility.HtmlEncode(title)}}</title>
            <style>
            :root{--ink:#1b1f24;--soft:#5c6670;--line:#d8dee4;--edge:clamp(.8rem,2.5vw,2.2rem);color-scheme:light}
            *{box-sizing:border-box}
            html{font-size:clamp(15px,0.35vw + 12.5px,22px)}
            body{margin:0;background:#fff;color:var(--ink);font-family:system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;line-height:1.4}
            main{padding:var(--edge)}
            h1{font-size:1.55rem;line-height:1.2;margin:0 0 .4rem;text-wrap:balance}
            .lead{color:var(--soft);margin:0 0 1rem;max-width:60rem}
            footer{color:var(--soft);font-size:.85rem;margin-top:1rem}
            [hidden]{display:none!important}

            """).Append(style);
}
