using Alebrije.Datasets;

namespace Alebrije.Tests.Datasets;

/// <summary>The world, opened once; tests are skipped if Unicode's files and the font are not installed.</summary>
internal static class World
{
    private static readonly Lazy<EmojiWorld> Opened = new(() => EmojiWorld.Open());

    public static EmojiWorld Open()
    {
        var missing = new WorldFiles().Missing();
        Assert.SkipWhen(missing.Count > 0, $"needs apt-get install {string.Join(' ', missing.Select(file => file.Package).Distinct())}");
        return Opened.Value;
    }

    public static Concept Concept(string name) => Open().Find(name) ?? throw new ArgumentException($"no concept {name}");
}
