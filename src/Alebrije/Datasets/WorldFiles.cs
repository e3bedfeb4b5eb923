namespace Alebrije.Datasets;

/// <summary>
/// Source files of EmojiWorld's images and words. Debian and Ubuntu have all of them:
/// <c>apt-get install fonts-noto-color-emoji unicode-cldr-core unicode-data</c>. Elsewhere set the environment variables
/// <c>ALEBRIJE_EMOJI_FONT</c>, <c>ALEBRIJE_CLDR</c> and <c>ALEBRIJE_EMOJI_TEST</c>, or fill in this record.
/// </summary>
public sealed record WorldFiles
{
    /// <summary>Noto Color Emoji with its 136 x 128 bitmaps (tables CBDT and CBLC).</summary>
    public string Font { get; init; } =
        Environment.GetEnvironmentVariable("ALEBRIJE_EMOJI_FONT") ?? "/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf";

    /// <summary>CLDR's folder "common", with annotations/ and annotationsDerived/ in it.</summary>
    public string Cldr { get; init; } = Environment.GetEnvironmentVariable("ALEBRIJE_CLDR") ?? "/usr/share/unicode/cldr/common";

    /// <summary>Unicode's emoji-test.txt: order, groups and subgroups.</summary>
    public string EmojiTest { get; init; } =
        Environment.GetEnvironmentVariable("ALEBRIJE_EMOJI_TEST") ?? "/usr/share/unicode/emoji/emoji-test.txt";

    /// <summary>The files that are not there, with the Debian package of each; empty when the world can be opened.</summary>
    public IReadOnlyList<(string Path, string Package)> Missing() =>
    [
        .. new[] { (Font, "fonts-noto-color-emoji"), (EmojiTest, "unicode-data") }
            .Concat(Annotations("en").Concat(Annotations("es")).Select(path => (path, "unicode-cldr-core")))
            .Where(file => !File.Exists(file.Item1)),
    ];

    internal IEnumerable<string> Annotations(string language) =>
    [
        Path.Combine(Cldr, "annotations", language + ".xml"),
        Path.Combine(Cldr, "annotationsDerived", language + ".xml"),
    ];

    /// <exception cref="FileNotFoundException">A file is missing; the message names it and the packages to install.</exception>
    internal void Check()
    {
        var missing = Missing();
        if (missing.Count == 0)
            return;
        var packages = string.Join(' ', missing.Select(file => file.Package).Distinct().Order(StringComparer.Ordinal));
        throw new FileNotFoundException(
            $"The training world needs {missing[0].Path}, which is not there; install it with \"apt-get install {packages}\", "
            + "or set ALEBRIJE_EMOJI_FONT, ALEBRIJE_CLDR and ALEBRIJE_EMOJI_TEST to where these files are.",
            missing[0].Path);
    }
}
