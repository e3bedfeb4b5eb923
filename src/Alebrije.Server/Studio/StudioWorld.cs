using Alebrije.Datasets;

namespace Alebrije.Server.Studio;

/// <summary>EmojiWorld, opened at first use.</summary>
internal sealed class StudioWorld
{
    private readonly Lazy<EmojiWorld> world = new(() => EmojiWorld.Open());

    public EmojiWorld World => world.Value;

    /// <summary>Debian packages that it lacks; empty where it can be opened.</summary>
    public static IReadOnlyList<string> Missing => [.. new WorldFiles().Missing().Select(file => file.Package).Distinct().Order(StringComparer.Ordinal)];
}
