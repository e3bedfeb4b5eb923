using SkiaSharp;

namespace Alebrije.Preprocessing.Imaging.Lettering;

/// <summary>
/// Font files of this system, searched only for characters that the embedded typefaces lack. SkiaSharp's build for Linux without
/// dependencies has no fontconfig and finds no system fonts. Safe to use from several threads.
/// </summary>
/// <param name="folders">Folders of font files; they need not exist.</param>
/// <param name="asksPlatform">True to try the platform's font manager first.</param>
internal sealed class SystemFonts(IEnumerable<string> folders, bool asksPlatform = false)
{
    private const int DeepestFolder = 6, MostFacesOfAFile = 32;

    private static readonly string[] Endings = [".ttf", ".otf", ".ttc", ".otc"];

    /// <summary>Fonts with a placeholder for every character, which would hide better ones.</summary>
    private static readonly string[] ShowNothing = ["lastresort", "blank", "notdef", "fallback"];

    private readonly Lock gate = new();
    private readonly Lazy<string[]> files = new(() =>
        [.. folders.Where(Directory.Exists).SelectMany(FilesIn).Distinct(StringComparer.Ordinal)]);
    private readonly Dictionary<(bool Emoji, bool Bold), string[]> orders = [];
    private readonly Dictionary<string, SKTypeface[]> opened = new(StringComparer.Ordinal);
    private readonly Dictionary<(int Code, bool Emoji, bool Bold), SKTypeface?> found = [];

    /// <summary>The fonts of this process's system and user.</summary>
    public static SystemFonts Default { get; } = new(FoldersOfThisSystem(Environment.GetEnvironmentVariable), asksPlatform: true);

    /// <summary>A typeface that shows a character, or null: upright sans serif first. It lives as long as this object.</summary>
    /// <param name="code">The character.</param>
    /// <param name="emoji">True to prefer a coloured emoji.</param>
    /// <param name="bold">True to prefer bold letters.</param>
    public SKTypeface? Find(int code, bool emoji, bool bold)
    {
        lock (gate)
        {
            if (found.TryGetValue((code, emoji, bold), out var known)) return known;
            return found[(code, emoji, bold)] = Look(code, emoji, bold);
        }
    }

    private SKTypeface? Look(int code, bool emoji, bool bold)
    {
        if (asksPlatform && SKFontManager.Default.MatchCharacter(null,
            bold ? SKFontStyle.Bold : SKFontStyle.Normal, null, code) is { } face) return face;
        if (!orders.TryGetValue((emoji, bold), out var order))
            orders[(emoji, bold)] = order = [.. files.Value.Select(path => (Path: path, Rank: Rank(path, emoji, bold)))
                .Where(file => file.Rank >= 0)
                .OrderBy(file => file.Rank).ThenBy(file => file.Path, StringComparer.Ordinal).Select(file => file.Path)];
        return order.SelectMany(Open).FirstOrDefault(typeface => typeface.ContainsGlyph(code));
    }

    private SKTypeface[] Open(string path)
    {
        if (opened.TryGetValue(path, out var faces)) return faces;
        var read = new List<SKTypeface>();
        for (var i = 0; i < MostFacesOfAFile && SKTypeface.FromFile(path, i) is { } face; i++)
        {
            read.Add(face);
            if (Path.GetExtension(path).ToLowerInvariant() is ".ttf" or ".otf") break;
        }

        return opened[path] = [.. read];
    }

    /// <summary>Distance of a file from an upright sans serif of the weight, by its name; negative if it is unusable.</summary>
    private static int Rank(string path, bool emoji, bool bold)
    {
        var name = Path.GetFileNameWithoutExtension(path).ToLowerInvariant();
        if (ShowNothing.Any(name.Contains)) return -1;
        var rank = name.Contains("emoji", StringComparison.Ordinal) == emoji ? 0 : 32;
        if (name.Contains("bold", StringComparison.Ordinal) != bold) rank += bold ? 1 : 2;
        if (Has("italic", "oblique")) rank += 8;
        if (Has("symbola", "unifont", "code2000")) rank += 16;
        if (Has("serif", "mincho", "song", "batang", "times", "naskh") && !Has("sansserif")) rank += 3;
        if (Has("mono", "courier", "typewriter", "math")) rank += 3;
        if (Has("condensed", "narrow", "light", "thin", "black", "heavy", "medium")) rank += 1;
        return rank;

        bool Has(params string[] words) => words.Any(word => name.Contains(word, StringComparison.Ordinal));
    }

    private static IEnumerable<string> FilesIn(string folder) =>
        Directory.EnumerateFiles(folder, "*",
            new EnumerationOptions { RecurseSubdirectories = true, MaxRecursionDepth = DeepestFolder, IgnoreInaccessible = true })
            .Where(path => Endings.Contains(Path.GetExtension(path).ToLowerInvariant()));

    /// <summary>Folders that hold fonts on Linux (those of fontconfig's default configuration), macOS and Windows.</summary>
    internal static IEnumerable<string> FoldersOfThisSystem(Func<string, string?> variable)
    {
        var home = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
        if (OperatingSystem.IsWindows())
        {
            return [Environment.GetFolderPath(Environment.SpecialFolder.Fonts),
                Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData), "Microsoft", "Windows", "Fonts")];
        }

        if (OperatingSystem.IsMacOS()) return [Path.Combine(home, "Library", "Fonts"), "/Library/Fonts", "/System/Library/Fonts"];
        var own = variable("XDG_DATA_HOME") is { Length: > 0 } data ? data : Path.Combine(home, ".local", "share");
        var shared = (variable("XDG_DATA_DIRS") is { Length: > 0 } list ? list : "/usr/local/share:/usr/share")
            .Split(':', StringSplitOptions.RemoveEmptyEntries);
        return new[] { Path.Combine(own, "fonts"), Path.Combine(home, ".fonts") }
            .Concat(shared.Append("/usr/local/share").Append("/usr/share")
                .Select(folder => Path.Combine(folder, "fonts")).Where(Path.IsPathRooted)).Distinct(StringComparer.Ordinal);
    }
}
