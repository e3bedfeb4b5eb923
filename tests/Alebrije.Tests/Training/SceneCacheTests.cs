using Alebrije.Tensors;
using Alebrije.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Tests.Training;

/// <summary>The rolling window of encoded scenes: a step's scenes depend on the step alone, and no cached scene is encoded again.</summary>
public sealed class SceneCacheTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-cache-").FullName;
    private readonly List<long> encoded = [];
    private readonly GuessTrainingConfig plan = new() { Clip = "", Autoencoder = "", Seed = 3, Batch = 8, Uses = 4, Window = 40 };

    public SceneCacheTests() => TorchRuntime.Initialize();

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public void Draw_EveryStep_GivesDifferentScenesOfARollingWindow()
    {
        using var cache = Open("a", 0);
        var seen = new HashSet<long>();
        for (var step = 0; step < 60; step++)
        {
            var scenes = Draw(cache);
            Assert.Equal(8, scenes.Distinct().Count());
            var made = 32 + (2 * step);
            Assert.All(scenes, scene => Assert.InRange(scene, Math.Max(0, made - 40), made - 1));
            seen.UnionWith(scenes);
        }

        Assert.True(seen.Count > 100, $"only {seen.Count} scenes were seen");
    }

    [Fact]
    public void Draw_AfterReopening_GivesWhatItWouldHaveGiven_AndEncodesOnlyWhatIsMissing()
    {
        using var whole = Open("whole", 0);
        var expected = Enumerable.Range(0, 30).Select(_ => Draw(whole)).ToArray();

        using (var first = Open("halted", 0))
            for (var step = 0; step < 20; step++) Assert.Equal(expected[step], Draw(first));
        lock (encoded) encoded.Clear();
        using (var second = Open("halted", 12))
        {
            for (var step = 12; step < 20; step++) Assert.Equal(expected[step], Draw(second));
            lock (encoded) Assert.DoesNotContain(encoded, group => group < 16 + 19);
            for (var step = 20; step < 30; step++) Assert.Equal(expected[step], Draw(second));
        }

        File.Delete(Path.Combine(folder, "halted"));
        using var lost = Open("halted", 25);
        for (var step = 25; step < 30; step++) Assert.Equal(expected[step], Draw(lost));
    }

    [Fact]
    public void Open_FileOfAnotherRun_IsNotUsed()
    {
        using (var cache = Open("a", 0)) Draw(cache);
        lock (encoded) encoded.Clear();
        using (var cache = Open("a", 0, identity: "other networks")) Draw(cache);
        lock (encoded) Assert.Contains(0, encoded);
    }

    private SceneCache Open(string name, long step, string identity = "networks") =>
        new(Path.Combine(folder, name), plan.Sizes, identity, [[2, 2, 2], [3], [3], [4, 1], [4, 5]], group =>
    {
        lock (encoded) encoded.Add(group);
        var numbers = arange(group * 2, (group * 2) + 2, dtype: ScalarType.Float32);
        return new EncodedScenes(numbers.reshape(2, 1, 1, 1).expand(2, 2, 2, 2),
            numbers.unsqueeze(1).expand(2, 3) * 2, zeros(2, 3), numbers.reshape(2, 1, 1).expand(2, 4, 1) * 4,
            numbers.reshape(2, 1, 1).expand(2, 4, 5));
    }, step);

    /// <summary>Indices of a step's scenes; asserts that all their parts are of the same scene.</summary>
    private static long[] Draw(SceneCache cache)
    {
        using var scope = NewDisposeScope();
        var scenes = cache.Next();
        Assert.Equal([8L, 2, 2, 2], scenes.Latents.shape);
        var numbers = scenes.Latents.mean([1, 2, 3]).data<float>().ToArray();
        Assert.Equal(numbers.Select(number => 2 * number), scenes.Images.mean([1]).data<float>().ToArray());
        Assert.Equal(numbers.Select(number => 4 * number), scenes.Texts.mean([1, 2]).data<float>().ToArray());
        Assert.Equal(numbers, scenes.Objects.mean([1, 2]).data<float>().ToArray());
        return [.. numbers.Select(number => (long)number)];
    }
}
