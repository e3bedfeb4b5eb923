using System.CommandLine;
using System.Globalization;
using Alebrije.Preprocessing;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Search;

namespace Alebrije.Cli.Commands;

/// <summary><c>alebrije search TEXT... [--image F] [--plus T] [--minus T] [--top K] [--out page.html|sheet.png]</c></summary>
internal static class SearchCommand
{
    private const int ShownPictures = 8, SheetCell = 256, MostResults = 10_000;

    private static readonly Argument<string[]> Texts = new("TEXT") { Arity = ArgumentArity.ZeroOrMore };
    private static readonly Option<string[]> Images = Parts("--image", "FILE[:WEIGHT]");
    private static readonly Option<string[]> Plus = Parts("--plus", "TEXT|FILE[:WEIGHT]");
    private static readonly Option<string[]> Minus = Parts("--minus", "TEXT|FILE[:WEIGHT]");
    private static readonly Option<int> Top = new("--top") { HelpName = "K", DefaultValueFactory = _ => 20 };
    private static readonly Option<double> FalseAlarms = new("--false-alarms") { HelpName = "RATE", DefaultValueFactory = _ => 0.01 };
    private static readonly Option<bool> Everything = new("--all");
    private static readonly FilterOptions Filter = new();

    static SearchCommand()
    {
        Top.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<int>() is < 1 or > MostResults)
                result.AddError(Words.Of(result)["usage.whole-number-between", "--top", 1, MostResults]);
        });
        FalseAlarms.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<double>() is not (> 0 and <= 1))
                result.AddError(Words.Of(result)["usage.number-between", "--false-alarms", 0, 1]);
        });
    }

    public static Command Create(Terminal terminal)
    {
        var file = OutputFile.Option(".html", ".png");
        var command = new Command("search") { Texts, Images, Plus, Minus, Top, FalseAlarms, Everything, file, IndexChoice.Folder };
        Filter.AddTo(command);
        command.SetAction((parsed, cancellation) =>
            Task.Run(() => Run(parsed, terminal, parsed.GetValue(file), cancellation), CancellationToken.None));
        return command;
    }

    private static int Run(ParseResult parsed, Terminal terminal, string? path, CancellationToken cancellation)
    {
        var words = new Words(CommonOptions.LanguageOf(parsed));
        var query = QueryOf(parsed, words);
        OutputFile.Check(path, words);
        using var index = IndexChoice.Open(parsed);
        SearchResults found;
        using (var model = IndexChoice.Load(parsed, IndexChoice.Model(parsed, index), terminal, words))
            found = index.Search(model, query, cancellation);
        terminal.CloseLine();
        if (path is not null) Save(path, found, query, words);
        if (parsed.GetValue(CommonOptions.Json))
        {
            terminal.SayJson(new
            {
                found.Model, index = index.Folder, found.Cut, found.FalseAlarmRate, found.Searched, found.BelowCut, path,
                results = found.Results.Select(result => new
                {
                    result.File, result.Score, result.Relevance, result.Copies, date = result.Picture.Date.ToString("s"),
                    result.Picture.Width, result.Picture.Height, result.Picture.Camera, result.Picture.Latitude,
                    result.Picture.Longitude, result.Picture.Label,
                }),
            });
            return 0;
        }

        Say(terminal, words, found);
        if (path is not null) terminal.SayText(words.Wrote(path) + ".");
        return 0;
    }

    /// <summary>Words without quotation marks are one text, as they are typed.</summary>
    private static SearchQuery QueryOf(ParseResult parsed, Words words)
    {
        var text = string.Join(' ', parsed.GetValue(Texts) ?? []).Trim();
        var images = (parsed.GetValue(Images) ?? []).Select(image => QueryPart.Parse(image)).ToArray();
        if (images.FirstOrDefault(part => !part.IsImage) is { } missing)
            throw new FileNotFoundException(words["search.no-image", PrintableText.Of(missing.Value)]);
        var plus = parsed.GetValue(Plus) ?? [];
        var minus = parsed.GetValue(Minus) ?? [];
        if (plus.Concat(minus).Any(string.IsNullOrWhiteSpace)) throw new UsageException(words["embed.empty-text"]);
        QueryPart[] parts = [.. text.Length > 0 ? [new QueryPart(text)] : (QueryPart[])[], .. images,
            .. plus.Select(part => QueryPart.Parse(part)), .. minus.Select(part => QueryPart.Parse(part, -1))];
        if (!parts.Any(part => part.Weight > 0)) throw new UsageException(words["search.nothing-given"]);
        return new SearchQuery(parts)
        {
            Filter = Filter.Of(parsed), Top = parsed.GetValue(Top),
            FalseAlarmRate = parsed.GetValue(Everything) ? 1 : parsed.GetValue(FalseAlarms),
        };
    }

    private static void Save(string path, SearchResults found, SearchQuery query, Words words)
    {
        if (Path.GetExtension(path).Equals(".html", StringComparison.OrdinalIgnoreCase))
        {
            SearchPage.Save(path, found, query, words.Language);
            return;
        }

        var (pictures, names) = Pictures(found.Results, found.Results.Count);
        if (pictures.Count == 0) throw new InvalidOperationException(words["search.none-for-sheet"]);
        PictureSheet.Draw(pictures, names, new PictureSheetOptions { CellSize = SheetCell }).SavePng(path);
    }

    private static void Say(Terminal terminal, Words words, SearchResults found)
    {
        if (terminal.HasColour && !terminal.IsQuiet
            && Pictures(found.Results, ShownPictures) is { Pictures: { Count: > 0 } pictures } shown)
        {
            terminal.Show(PictureSheet.Draw(pictures, shown.Names,
                new PictureSheetOptions { Columns = ShownPictures / 2, CellSize = 192, Gap = 4 }),
                Math.Min(terminal.Width - 1, 100));
        }

        // On lines of their own: a path broken by a table cannot be copied.
        foreach (var (i, result) in found.Results.Index())
        {
            var copies = result.Copies.Count == 0 ? "" : "  " + words.Count("search.copies", result.Copies.Count);
            terminal.Say(string.Create(CultureInfo.InvariantCulture,
                $"{i + 1,3}  {result.Score:F3}  {100 * result.Relevance,5:F1} %  {result.Picture.Date:yyyy-MM-dd}  ")
                + PrintableText.Of(result.File) + copies);
        }

        if (found.Results.Count > 0) terminal.Say();
        terminal.SayText(words["search.summary", words.Images(found.Searched), found.Model,
            words.Count("search.results", found.Results.Count)] + (found.Cut is { } cut
            ? " " + words["search.cut", (100 * cut).ToString("0.##", CultureInfo.InvariantCulture),
                (100 * found.FalseAlarmRate).ToString("0.##", CultureInfo.InvariantCulture), found.BelowCut] : ""));
    }

    private static (List<RgbImage> Pictures, List<string> Names) Pictures(IReadOnlyList<SearchResult> results, int most)
    {
        var (pictures, names) = (new List<RgbImage>(), new List<string>());
        foreach (var (i, result) in results.Take(most).Index())
        {
            if (SearchPage.Thumbnail(result.File, SheetCell) is not { } image) continue;
            pictures.Add(image);
            names.Add(string.Create(CultureInfo.InvariantCulture, $"{i + 1}  {result.Score:F3}"));
        }

        return (pictures, names);
    }

    private static Option<string[]> Parts(string name, string help) => new(name)
    {
        HelpName = help, AllowMultipleArgumentsPerToken = false, Arity = ArgumentArity.ZeroOrMore,
    };
}
