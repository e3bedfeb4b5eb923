using Alebrije.Catalog;
using Alebrije.Pipelines;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Reports;
using Alebrije.Tensors;
using Alebrije.Tests.Datasets;

namespace Alebrije.Tests.Reports;

/// <summary>Relevance maps: position of the maxima, and drawing; a golden fixture compares their values.</summary>
public sealed class RelevanceTests
{
    public RelevanceTests() => TorchRuntime.Initialize();

    private static ClipModel Mini() => ClipModel.Load(ModelCatalog.Create().Find("mini"));

    [Fact]
    public void Mini_ObjectInAHalf_IsLookedAtThere()
    {
        using var model = Mini();
        var inside = 0.0;
        foreach (var left in (bool[])[true, false])
        {
            var explanation = model.Explain(Half(left).ToPillow(), "a lion");
            Assert.Equal((8, 64, 64), (explanation.Grid, explanation.Patches.Count, explanation.Seen.Width));
            Assert.All(explanation.Patches, x => Assert.True(x >= 0));
            Assert.Equal(["a</w>", "lion</w>"], explanation.Words.Select(w => w.Token + "</w>"));
            Assert.True(explanation.Words[1].Relevance > explanation.Words[0].Relevance);
            var mine = explanation.Patches.Where((_, i) => i % 8 < 4 == left).Sum();
            inside += mine / explanation.Patches.Sum() / 2;
        }

        Assert.True(inside > 0.6, $"only {inside:P0} of the relevance lies in the half with the lion");
    }

    [Fact]
    public void LastLayer_IsAnotherAnswer_AndCosineIsThatOfTheEmbeddings()
    {
        using var model = Mini();
        var picture = Half(true);
        var (all, last) = (model.Explain(picture.ToPillow(), "a lion"), model.Explain(picture.ToPillow(), "a lion", lastLayerOnly: true));
        Assert.NotEqual(all.Patches, last.Patches);
        var token = TestContext.Current.CancellationToken;
        var (image, text) = (model.EmbedImages([picture], cancellation: token)[0], model.EmbedTexts(["a lion"], cancellation: token)[0]);
        Assert.Equal(image.Zip(text, (a, b) => (double)a * b).Sum(), all.Cosine, 1e-5);
        Assert.Equal(image, model.EmbedImages([picture], cancellation: token)[0]);
    }

    [Fact]
    public void ResidualNetwork_HasNoAttentionToFollow()
    {
        using var model = ClipModel.Load(Path.Combine(AppContext.BaseDirectory, "Fixtures", "open-clip-resnet", "model"));
        Assert.Contains("embeds images only", Assert.Throws<InvalidOperationException>(() =>
            model.Explain(Half(true).ToPillow(), "a lion")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Words_AreTokensTogether()
    {
        Assert.Equal([new("motor", 0.75), new("a", 0.25), new("rest", 1.0)],
            Words(new("mo", 0.5), new("tor</w>", 0.25), new("a</w>", 0.25), new("rest", 1)));
        Assert.Equal([new("león", 3), new("🦁", 4)],
            Words(new("le", 1), new("Ã³n</w>", 2), new("ð", 1), new("Ł", 1), new("¦", 1), new("ģ</w>", 1)));
        Assert.Empty(Words());

        static IReadOnlyList<TokenRelevance> Words(params TokenRelevance[] tokens) =>
            new ClipExplanation("", 0, new RgbImage(1, 1), 1, [0], tokens).Words;
    }

    [Fact]
    public void Overlay_IsBrightWhereItCounts()
    {
        var grey = new RgbImage(8, 8, [.. Enumerable.Repeat((byte)200, 192)]);
        var overlay = RelevancePng.Overlay(new ClipExplanation("", 0, grey, 2, [1, 0, 0, 0], []));
        Assert.Equal((225, 164, 110), (overlay.Pixels[0], overlay.Pixels[1], overlay.Pixels[2]));
        Assert.Equal([60, 60, 60], overlay.Pixels[^3..]);
        Assert.Throws<ArgumentException>(() => RelevancePng.Render([]));
    }

    /// <summary>A lion on one side of a white image.</summary>
    private static RgbImage Half(bool left)
    {
        var world = World.Open();
        var scene = world.Scene(3, 0, new Alebrije.Datasets.SceneOptions
        {
            OneObject = 1, TwoObjects = 0, ThreeObjects = 0, Counts = 0,
            Concepts = [World.Concept("lion")], StyleShare = 0, SizeShare = 0, Jitter = 0,
        });
        var lion = new RgbImage(64, 64, world.Render(scene, 64));
        var pixels = new byte[128 * 128 * 3];
        var edge = lion.Pixels[..3];
        for (var i = 0; i < pixels.Length; i++) pixels[i] = edge[i % 3];
        for (var y = 0; y < 64; y++)
            lion.Pixels.AsSpan(y * 192, 192).CopyTo(pixels.AsSpan((((y + 32) * 128) + (left ? 0 : 64)) * 3));
        return new RgbImage(128, 128, pixels);
    }
}
