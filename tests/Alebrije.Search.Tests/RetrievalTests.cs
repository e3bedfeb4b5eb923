using System.Globalization;
using Alebrije.Datasets;
using Alebrije.Embeddings;
using Alebrije.Pipelines;
using Alebrije.Preprocessing.Imaging;

namespace Alebrije.Search.Tests;

/// <summary>
/// Held-out scenes found by their captions through the index, as often as by the retrieval of <c>evaluate</c>.
/// <c>ALEBRIJE_RETRIEVAL=1000</c> sets the number of scenes.
/// </summary>
public sealed class RetrievalTests : Folders
{
    [Fact]
    public void Caption_FindsItsSceneFirst_AsOftenAsEvaluate()
    {
        Assert.SkipWhen(new WorldFiles().Missing().Count > 0, "needs the font and Unicode's files");
        var folder = Path.Combine(Alebrije.Tests.Repository.Root, "models", "mini");
        Assert.SkipUnless(Directory.Exists(folder), "needs models/mini");
        var count = int.TryParse(Environment.GetEnvironmentVariable("ALEBRIJE_RETRIEVAL"), NumberStyles.None,
            CultureInfo.InvariantCulture, out var asked) ? asked : 48;
        var world = EmojiWorld.Open();
        var scenes = Enumerable.Range(0, count).Select(i =>
            world.Scene(11, 1_000_000 + i, SceneOptions.Default with { Split = SceneSplit.HeldOut })).ToArray();
        string[] files = [.. scenes.Select((scene, i) =>
        {
            var path = Path.Combine(Photos, $"{i:0000}.png");
            new RgbImage(Scene.Side, Scene.Side, world.Render(scene, Scene.Side)).SavePng(path);
            return path;
        })];
        using var model = ClipModel.Load(folder);
        using var index = PictureIndex.OpenOrCreate(IndexFolder);
        Assert.Equal(count, index.Add([Photos], model).Items);
        string[] captions = [.. scenes.Select(scene => world.Caption(scene, Language.English, CaptionOptions.Complete))];
        var hits = captions.Where((caption, i) =>
            index.Search(model, new SearchQuery(caption) { Top = 1, FalseAlarmRate = 1 }).Results[0].File == files[i]).Count();
        var recall = Retrieval.RecallAt1(model.EmbedTexts(captions), model.EmbedImages(files), count, 1).Value * count;
        TestContext.Current.SendDiagnosticMessage($"{hits} of {count} scenes found first; evaluate's retrieval finds {recall:F0}.");
        Assert.InRange(hits, recall - Math.Max(1, count / 200.0), recall + Math.Max(1, count / 200.0));
        Assert.True(hits > count / 4, $"{hits} of {count}");
    }
}
