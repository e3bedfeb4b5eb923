using Alebrije.Datasets;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Tests.Datasets;

namespace Alebrije.Tests.Cli;

public sealed class WorldVerbTests : IDisposable
{
    private static readonly string[] Cycle = ["lion", "cat", "dog"];
    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-world-").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public async Task Export_WritesPicturesThatAreNamedAfterWhatTheyShow_InTurn()
    {
        World.Open();
        var target = Path.Combine(folder, "new", "w");
        var json = (await CommandLine.Run("world", "--concepts", "lion,cat,dog",
            "--count", "15", "--seed", "4", "--export", target, "--json")).Json;
        var scenes = json.GetProperty("scenes").EnumerateArray().ToArray();
        Assert.Equal(15, scenes.Length);
        foreach (var (i, scene) in scenes.Index())
        {
            Assert.Equal(["file", "path", "caption", "lang", "objects", "background", "relation", "style"], scene.Keys());
            Assert.Equal([Cycle[i % 3]], scene.GetProperty("objects").Strings());
            Assert.Equal($"{i:D4}-{Cycle[i % 3]}.png", scene.GetProperty("file").GetString());
            var picture = RgbImage.Load(scene.GetProperty("path").GetString()!);
            Assert.Equal((128, 128), (picture.Width, picture.Height));
        }

        var captions = ImageFolder.Read(target);
        Assert.Equal(30, captions.Count);
        Assert.Equal(15, captions.Count(c => c.Lang == "es"));
        Assert.Equal(16, Directory.EnumerateFiles(target).Count());
    }

    [Fact]
    public async Task Export_IntoAFolderThatHoldsSomething_IsRefused()
    {
        World.Open();
        var target = Path.Combine(folder, "w");
        Assert.Equal(0, (await CommandLine.Run("world", "--count", "2", "--export", target)).Status);
        var before = Directory.GetFiles(target).ToDictionary(file => file, File.GetLastWriteTimeUtc);
        var again = await CommandLine.Run("world", "--count", "2", "--seed", "9", "--export", target);
        Assert.Equal((1, $"--export {target} is not empty; name a new or an empty folder, so that nothing in it is replaced."),
            (again.Status, again.Refusal));
        Assert.Equal(before, Directory.GetFiles(target).ToDictionary(file => file, File.GetLastWriteTimeUtc));
        Assert.Contains("is a file", (await CommandLine.Run("world", "--count", "2", "--export", before.Keys.First())).Refusal,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task SameSeed_GivesTheSameBytes_AnotherSeedOthers()
    {
        World.Open();
        async Task<byte[]> Draw(string name, string seed)
        {
            var path = Path.Combine(folder, name);
            var outcome = await CommandLine.Run("world", "--count", "6", "--seed", seed, "--out", path, "--json");
            Assert.Equal(0, outcome.Status);
            return await File.ReadAllBytesAsync(path, TestContext.Current.CancellationToken);
        }

        var (first, again, other) = (await Draw("a.png", "7"), await Draw("b.png", "7"), await Draw("c.png", "8"));
        Assert.Equal(first, again);
        Assert.NotEqual(first, other);
    }

    [Theory]
    [InlineData("1", 1)]
    [InlineData("2", 2)]
    [InlineData("3", 3)]
    public async Task Objects_AreAsManyAsAskedFor(string objects, int count)
    {
        World.Open();
        var json = (await CommandLine.Run("world", "--count", "8", "--objects", objects, "--json")).Json;
        Assert.All(json.GetProperty("scenes").EnumerateArray(),
            scene => Assert.Equal(count, scene.GetProperty("objects").GetArrayLength()));
    }

    [Theory]
    [InlineData("plain", "plain")]
    [InlineData("pencil_sketch,night", "pencil_sketch", "night")]
    [InlineData("plain,blurred", "plain", "blurred")]
    public async Task Styles_AreThoseAskedFor(string styles, params string[] seen)
    {
        World.Open();
        var json = (await CommandLine.Run("world", "--count", "24", "--objects", "1", "--styles", styles, "--json")).Json;
        Assert.Equal(seen.Order(), json.GetProperty("scenes").EnumerateArray()
            .Select(scene => scene.GetProperty("style").GetString()!).Distinct().Order());
    }

    [Fact]
    public async Task HeldOut_Pairs_AreNeverTrained()
    {
        World.Open();
        var json = (await CommandLine.Run("world", "--count", "12", "--objects", "2", "--split", "heldout", "--json")).Json;
        foreach (var scene in json.GetProperty("scenes").EnumerateArray())
        {
            var names = scene.GetProperty("objects").Strings();
            Assert.True(HeldOut.Pair(World.Concept(names[0]), World.Concept(names[1])), string.Join(" and ", names));
            Assert.NotNull(scene.GetProperty("relation").GetString());
        }
    }

    [Fact]
    public async Task PairsInFileNames_SayTheirRelation()
    {
        World.Open();
        var json = (await CommandLine.Run("world", "--count", "6", "--objects",
            "2", "--concepts", "koala,motorcycle,banana", "--export", folder, "--json")).Json;
        foreach (var scene in json.GetProperty("scenes").EnumerateArray())
        {
            var names = scene.GetProperty("objects").Strings();
            var relation = scene.GetProperty("relation").GetString()!.Replace('_', '-');
            Assert.EndsWith($"-{names[0]}-{relation}-{names[1]}.png", scene.GetProperty("file").GetString(), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Spanish_CaptionsAndConcepts_AreUnderstoodAndSpoken()
    {
        World.Open();
        var json = (await CommandLine.Run("world", "--count", "2", "--concepts", "león", "--lang", "es", "--json")).Json;
        Assert.All(json.GetProperty("scenes").EnumerateArray(), scene =>
        {
            Assert.Equal("es", scene.GetProperty("lang").GetString());
            Assert.Equal(["lion"], scene.GetProperty("objects").Strings());
            Assert.Null(scene.GetProperty("file").GetString());
        });
        var text = await CommandLine.Run("world", "--count", "2", "--seed", "5", "--lang", "es");
        Assert.Contains("Semilla 5.", text.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--count takes a whole number from 1", "--count", "-3")]
    [InlineData("--count takes a whole number from 1", "--count", "0")]
    [InlineData("--count takes a whole number, not 'x'", "--count", "x")]
    [InlineData("--size takes a whole number from 16 to 512", "--size", "7")]
    [InlineData("--objects takes 1, 2 or 3", "--objects", "4")]
    [InlineData("choose train, heldout", "--split", "test")]
    [InlineData("must end in .png", "--out", "grid.jpg")]
    [InlineData("--styles does not accept 'cubist'", "--styles", "plain,cubist")]
    [InlineData("There is no option --nix", "--nix")]
    [InlineData("at most 400", "--count", "401", "--out", "grid.png")]
    public async Task WrongUsage_IsExplained(string says, params string[] args)
    {
        var outcome = await CommandLine.Run(["world", .. args]);
        Assert.Contains(says, outcome.Refusal, StringComparison.Ordinal);
        Assert.Equal(2, outcome.Status);
    }

    [Theory]
    [InlineData("did you mean lion", "--concepts", "lyon")]
    [InlineData("1161 concepts", "--concepts", "xyzzyqwerty")]
    [InlineData("needs as many different concepts", "--concepts", "lion", "--objects", "2")]
    [InlineData("--concepts is empty", "--concepts", "")]
    public async Task UnknownConcepts_AreExplained(string says, params string[] args)
    {
        World.Open();
        var outcome = await CommandLine.Run(["world", .. args]);
        Assert.Contains(says, outcome.Refusal, StringComparison.Ordinal);
        Assert.Equal(2, outcome.Status);
    }
}
