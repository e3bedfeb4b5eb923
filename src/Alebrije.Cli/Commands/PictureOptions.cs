using System.CommandLine;

namespace Alebrije.Cli.Commands;

/// <summary>The options <c>--strict</c> and <c>--orientation</c> of the verbs that read folders of pictures.</summary>
/// <param name="upright">Whether pictures are turned as their EXIF orientation asks where <c>--orientation</c> is not given.</param>
internal sealed class PictureOptions(bool upright)
{
    private const string Apply = "apply", Ignore = "ignore";

    private readonly Option<bool> strict = StrictOption();
    private readonly Option<string> orientation = Orientation(upright);

    /// <summary>The option <c>--strict</c> alone.</summary>
    public static Option<bool> StrictOption() => new("--strict");

    /// <summary>Adds the options to a command.</summary>
    public void AddTo(Command command)
    {
        command.Add(strict);
        command.Add(orientation);
    }

    /// <summary>Begins to read pictures.</summary>
    public SkippedPictures Read(ParseResult parsed, Words words) => new(words, IsUpright(parsed), parsed.GetValue(strict));

    /// <summary>True where pictures are turned by their EXIF orientation.</summary>
    public bool IsUpright(ParseResult parsed) => parsed.GetValue(orientation) == Apply;

    private static Option<string> Orientation(bool upright)
    {
        var option = new Option<string>("--orientation")
        {
            HelpName = $"{Apply}|{Ignore}", DefaultValueFactory = _ => upright ? Apply : Ignore,
        };
        option.AcceptOnlyFromAmong(Apply, Ignore);
        return option;
    }
}
