using Alebrije.Datasets;
using Alebrije.Preprocessing.Imaging;

namespace Alebrije.Tests.Datasets;

public sealed class SceneTests
{
    [Theory]
    [InlineData(SceneRelation.LeftOf)]
    [InlineData(SceneRelation.RightOf)]
    [InlineData(SceneRelation.Above)]
    [InlineData(SceneRelation.Below)]
    [InlineData(SceneRelation.OnTopOf)]
    [InlineData(SceneRelation.Inside)]
    [InlineData(SceneRelation.InFrontOf)]
    public void Relations_OfTwoObjects_ShowInTheirPlaces(SceneRelation relation)
    {
        var world = World.Open();
        var options = new SceneOptions { OneObject = 0, TwoObjects = 1, ThreeObjects = 0, Counts = 0, Relations = [relation] };
        for (var i = 0; i < 200; i++)
        {
            var scene = world.Scene(1, i, options);
            var (a, b) = (scene.Objects[0], scene.Objects[1]);
            Assert.Equal(relation, scene.Relation);
            Assert.True(relation switch
            {
                SceneRelation.LeftOf => a.X + 40 < b.X,
                SceneRelation.RightOf => b.X + 40 < a.X,
                SceneRelation.Above or SceneRelation.OnTopOf => a.Y + 20 < b.Y,
                SceneRelation.Below => b.Y + 40 < a.Y,
                SceneRelation.Inside => a.Size * 2 < b.Size && Math.Abs(a.X - b.X) < 10,
                _ => a.Size < b.Size && a.Y > b.Y,
            }, $"scene {i}: {a} {relation} {b}");
        }
    }

    [Fact]
    public void Options_StylesBackgroundsAndShares_AreKept()
    {
        var world = World.Open();
        var options = new SceneOptions
        {
            StyleShare = 0.5, Styles = [SceneStyle.Night], Backgrounds = [Background.Red, Background.Blue], CoreShare = 0.9, Jitter = 0,
            TwoObjects = 0, ThreeObjects = 0, Counts = 0, SizeShare = 0,
        };
        var scenes = Enumerable.Range(0, 2_000).Select(i => world.Scene(1, i, options)).ToArray();
        Assert.InRange(scenes.Count(scene => scene.Style == SceneStyle.Night), 850, 1_150);
        Assert.All(scenes, scene =>
            Assert.True(scene.Style is SceneStyle.Night or SceneStyle.Plain && scene.Background is Background.Red or Background.Blue));
        Assert.InRange(scenes.Count(scene => scene.Objects[0].Concept.IsCore), 1_740, 1_860);
        Assert.All(scenes, scene => Assert.Equal(new SceneObject(scene.Objects[0].Concept, 64, 64, 96, 0), scene.Objects[0]));
        Assert.All(scenes, scene => Assert.Equal(scene.Background.TrueColour(), scene.Shade));
    }

    [Fact]
    public void Styles_ChangeThePictureAsTheirNamesSay()
    {
        var world = World.Open();
        var plain = world.Scene(3, 1, new SceneOptions { Concepts = [World.Concept("tulip")],
            OneObject = 1, TwoObjects = 0, ThreeObjects = 0, Counts = 0, StyleShare = 0, SizeShare = 0, Backgrounds = [Background.Green] });
        byte[] In(SceneStyle style) => world.Render(plain with { Style = style });
        var original = In(SceneStyle.Plain);
        Assert.All(new[] { SceneStyle.BlackAndWhite, SceneStyle.PencilSketch }, style => Assert.Equal(0, Colourfulness(In(style))));
        Assert.True(Colourfulness(original) > 50);
        Assert.InRange(Roughness(In(SceneStyle.Blurred)) / Roughness(original), 0, 0.8);
        Assert.InRange(Roughness(In(SceneStyle.BusyBackground)) / Roughness(original), 1.5, 20);
        Assert.InRange(In(SceneStyle.Night).Average(b => b) / original.Average(b => b), 0, 0.7);
        var pixels = In(SceneStyle.PixelArt);
        for (var y = 0; y < 128; y++)
            for (var x = 0; x < 128; x++)
                Assert.Equal(pixels[3 * (y / 4 * 4 * 128 + x / 4 * 4)], pixels[3 * (y * 128 + x)]);
    }

    [Fact]
    public void Rendering_AtHalfSize_ShowsTheSamePicture()
    {
        var world = World.Open();
        for (var i = 0; i < 50; i++)
        {
            var scene = world.Scene(2, i, new SceneOptions { StyleShare = 0 });
            var small = world.Render(scene, 64);
            var large = new RgbImage(128, 128, world.Render(scene)).Resize(64, 64, ResizeFilter.Box).Pixels;
            Assert.InRange(small.Zip(large, (a, b) => Math.Abs(a - b)).Average(), 0, 4);
        }
    }

    [Fact]
    public void Options_ThatLeaveNothing_AreRefusedInPlainWords()
    {
        var world = World.Open();
        var few = new SceneOptions { Concepts = [World.Concept("lion")], OneObject = 0, TwoObjects = 1, ThreeObjects = 0, Counts = 0 };
        Assert.Contains("name more concepts", Assert.Throws<ArgumentException>(() => world.Scene(1, 1, few)).Message,
            StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => world.Scene(1, 1, new SceneOptions { Jitter = 2 }));
        Assert.Throws<ArgumentException>(() =>
            world.Scene(1, 1, new SceneOptions { OneObject = 0, TwoObjects = 0, ThreeObjects = 0, Counts = 0 }));
        Assert.Throws<ArgumentException>(() => world.Scene(1, 1, new SceneOptions { Concepts = [] }));
        Assert.Throws<ArgumentOutOfRangeException>(() => world.Render(world.Scene(1, 1), 4));
        var pair = world.Concepts.SelectMany(a => world.Concepts.Where(b => HeldOut.Pair(a, b)).Select(b => new[] { a, b })).First();
        var held = new SceneOptions { Concepts = pair, OneObject = 0, TwoObjects = 1, ThreeObjects = 0, Counts = 0 };
        Assert.Throws<InvalidOperationException>(() => world.Scene(1, 1, held));
        Assert.Equal(2, world.Scene(1, 1, held with { Split = SceneSplit.HeldOut }).Objects.Count);
    }

    [Fact]
    public void Export_ReadAsAFolderOfPictures_GivesThePairsBack()
    {
        var world = World.Open();
        var folder = Directory.CreateTempSubdirectory("alebrije-world-").FullName;
        try
        {
            var scenes = Enumerable.Range(0, 3).Select(i => world.Scene(6, i)).ToArray();
            var records = SceneRecord.Export(world, scenes, folder, 64);
            var pictures = ImageFolder.Read(folder);
            Assert.Equal(6, pictures.Count);
            Assert.Equal(records.Select(record => (record.Caption, record.Lang)),
                pictures.Select(picture => (picture.Caption, picture.Lang!)));
            Assert.Equal(world.Render(scenes[1], 64), pictures[2].Load().Pixels);
            Assert.Contains("\"relation\":", File.ReadLines(Path.Combine(folder, "captions.jsonl")).First(), StringComparison.Ordinal);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public void ImageFolder_FoldersAndBadLines_AreReadAndRefused()
    {
        var folder = Directory.CreateTempSubdirectory("alebrije-pictures-").FullName;
        try
        {
            Assert.Contains("captions.jsonl", Assert.Throws<InvalidDataException>(() => ImageFolder.Read(folder)).Message,
                StringComparison.Ordinal);
            foreach (var name in new[] { "red_apple", "lion" })
                new RgbImage(2, 2).SavePng(Path.Combine(Directory.CreateDirectory(Path.Combine(folder, name)).FullName, "1.png"));
            Assert.Equal(["lion", "red apple"], ImageFolder.Read(folder).Select(picture => picture.Caption));
            var captions = Path.Combine(folder, "captions.jsonl");
            File.WriteAllText(captions, "{\"file\": \"lion/1.png\", \"caption\": \"a lion\"}\n{\"file\": \"lion/1.png\"}\n");
            Assert.Contains("line 2", Assert.Throws<InvalidDataException>(() => ImageFolder.Read(folder)).Message,
                StringComparison.Ordinal);
            File.WriteAllText(captions, "nonsense\n");
            Assert.Contains("line 1", Assert.Throws<InvalidDataException>(() => ImageFolder.Read(folder)).Message,
                StringComparison.Ordinal);
            Assert.Throws<DirectoryNotFoundException>(() => ImageFolder.Read(Path.Combine(folder, "none")));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static double Colourfulness(byte[] pixels) =>
        Enumerable.Range(0, pixels.Length / 3).Average(i => Math.Max(pixels[3 * i],
            Math.Max(pixels[3 * i + 1], pixels[3 * i + 2])) - Math.Min(pixels[3 * i], Math.Min(pixels[3 * i + 1], pixels[3 * i + 2])));

    private static double Roughness(byte[] pixels) =>
        Enumerable.Range(0, pixels.Length - 3).Average(i => Math.Abs(pixels[i] - pixels[i + 3]));
}
