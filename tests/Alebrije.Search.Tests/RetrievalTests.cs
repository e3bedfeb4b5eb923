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
        var (hits, kept) = (0, 0);
        foreach (var (i, caption) in captions.Index())
        {
            var all = index.Search(model, new SearchQuery(caption) { Top = count, FalseAlarmRate = 1 }).Results;
            if (all[0].File == files[i]) hits++;
            if (all.First(result => result.File == files[i]).Relevance >= 0.99) kept++;
        }

        // Scenes of concepts that no image of the index shows.
        var shown = scenes.SelectMany(scene => scene.Objects).Select(one => one.Concept.Index).ToHashSet();
        string[] strange = [.. world.Concepts.Where(concept => !shown.Contains(concept.Index))
            .Select(concept => concept.Label(Language.English))
            .Where((_, i) => i % 7 == 0).Take(60)];
        var alarms = strange.Sum(text => index.Search(model, new SearchQuery(text) { Top = count }).Results.Count);
        var recall = Retrieval.RecallAt1(model.EmbedTexts(captions), model.EmbedImages(files), count, 1).Value * count;
        TestContext.Current.TestOutputHelper!.WriteLine($"{hits} of {count} scenes found first, {recall:F0} by evaluate's retrieval; "
            + $"the cut keeps {kept} of {count}; {strange.Length} strange texts have {alarms} results of {strange.Length * count}.");
        Assert.InRange(hits, recall - Math.Max(1, count / 200.0), recall + Math.Max(1, count / 200.0));
        Assert.True(hits > count / 4, $"{hits} of {count}");
        Assert.True(kept >= 0.85 * count, $"the cut keeps {kept} of {count}");
        Assert.True(alarms <= 0.03 * strange.Length * count, $"{alarms} results of {strange.Length * count}");
    }
}
