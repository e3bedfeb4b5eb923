using System.Globalization;
using System.Text.RegularExpressions;

namespace Alebrije.Cli.Commands;

/// <summary>Size of an image on the command line: a side in pixels, or width x height, as in <c>768x512</c>.</summary>
internal static partial class ImageSize
{
    /// <summary>Side, or height and width; all null without a value.</summary>
    /// <param name="given">The option's value, or null.</param>
    /// <param name="words">Language of errors.</param>
    /// <exception cref="UsageException">It is not a size.</exception>
    public static (int? Side, int? Height, int? Width) Parse(string? given, Words words)
    {
        if (given is null) return (null, null, null);
        var match = Form().Match(given);
        if (!match.Success || !int.TryParse(match.Groups["width"].Value, NumberStyles.None, CultureInfo.InvariantCulture, out var width))
            throw Refusal();
        if (!match.Groups["height"].Success) return (width, null, null);
        if (!int.TryParse(match.Groups["height"].Value, NumberStyles.None, CultureInfo.InvariantCulture, out var height)) throw Refusal();
        return width == height ? (width, null, null) : (null, height, width);

        UsageException Refusal() => new(words["imagine.size", given]);
    }

    [GeneratedRegex(@"^(?<width>[0-9]+)([x×](?<height>[0-9]+))?$", RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture)]
    private static partial Regex Form();
}
