using Alebrije.Datasets;
using Alebrije.Preprocessing.Imaging;

namespace Alebrije.Server.Studio;

/// <summary>EmojiWorld, opened at first use.</summary>
internal sealed class StudioWorld
{
    private readonly Lazy<EmojiWorld> world = new(() => EmojiWorld.Open());

    public EmojiWorld World => world.Value;

    /// <summary>Scenes of the world, one after the other.</summary>
    public IReadOnlyList<RgbImage> Scenes(int count) =>
        [.. Enumerable.Range(0, count).Select(i => new RgbImage(Scene.Side, Scene.Side, World.Render(World.Scene(1, i))))];

    /// <summary>Debian packages that it lacks; empty where it can be opened.</summary>
    public static IReadOnlyList<string> Missing =>
        [.. new WorldFiles().Missing().Select(file => file.Package).Distinct().Order(StringComparer.Ordinal)];
}
