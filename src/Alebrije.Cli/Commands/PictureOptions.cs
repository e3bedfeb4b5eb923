using System.CommandLine;

namespace Alebrije.Cli.Commands;

/// <summary>The options <c>--strict</c> and <c>--orientation</c> of the verbs that read folders of images.</summary>
/// <param name="upright">Default of <c>--orientation</c>: true to apply EXIF orientation.</param>
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

    /// <summary>A reader of images with the options.</summary>
    public SkippedPictures Read(ParseResult parsed, Words words) => new(words, IsUpright(parsed), parsed.GetValue(strict));

    /// <summary>True if EXIF orientation is applied.</summary>
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
