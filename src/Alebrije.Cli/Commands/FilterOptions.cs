using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using Alebrije.Search;

namespace Alebrije.Cli.Commands;

/// <summary>Options that restrict a verb to some images of an index: by date, camera, folder, place and label.</summary>
internal sealed class FilterOptions
{
    private static readonly string[] Dates = ["yyyy-MM-dd", "yyyy-MM", "yyyy"];

    private readonly Option<DateOnly?> after = DateOption("--after");
    private readonly Option<DateOnly?> before = DateOption("--before");
    private readonly Option<string?> camera = new("--camera") { HelpName = "NAME" };
    private readonly Option<string?> folder = new("--folder") { HelpName = "DIR" };
    private readonly Option<NearPlace?> near = new("--near") { HelpName = "LAT,LON,KM", CustomParser = PlaceOf };
    private readonly Option<string?> label = new("--label") { HelpName = "LABEL" };

    /// <summary>Adds the options to a command.</summary>
    public void AddTo(Command command)
    {
        foreach (var option in new Option[] { after, before, camera, folder, near, label }) command.Add(option);
    }

    /// <summary>The restriction of the command line.</summary>
    public SearchFilter Of(ParseResult parsed) => new()
    {
        After = parsed.GetValue(after), Before = parsed.GetValue(before), Camera = parsed.GetValue(camera),
        Folder = parsed.GetValue(folder), Near = parsed.GetValue(near), Label = parsed.GetValue(label),
    };

    private static Option<DateOnly?> DateOption(string name) => new(name) { HelpName = "DATE", CustomParser = DateOf };

    private static DateOnly? DateOf(ArgumentResult result)
    {
        var given = result.Tokens[0].Value;
        if (DateOnly.TryParseExact(given, Dates, CultureInfo.InvariantCulture, DateTimeStyles.None, out var date)) return date;
        result.AddError(Words.Of(result)["index.no-date", given]);
        return null;
    }

    private static NearPlace? PlaceOf(ArgumentResult result)
    {
        var given = result.Tokens[0].Value;
        var numbers = given.Split(',').Select(part => double.TryParse(part, NumberStyles.Float, CultureInfo.InvariantCulture,
            out var number) && double.IsFinite(number) ? number : (double?)null).ToArray();
        if (numbers is [>= -90 and <= 90 and var latitude, >= -180 and <= 180 and var longitude, > 0 and var kilometres])
            return new NearPlace(latitude, longitude, kilometres);
        result.AddError(Words.Of(result)["index.no-place", given]);
        return null;
    }
}
