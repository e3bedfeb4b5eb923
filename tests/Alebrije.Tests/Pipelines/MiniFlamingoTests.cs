using Alebrije.Catalog;
using Alebrije.Datasets;
using Alebrije.Evaluation;
using Alebrije.Pipelines.Flamingo;
using Alebrije.Tests.Datasets;

namespace Alebrije.Tests.Pipelines;

/// <summary>The small Flamingo of the clone: found by name, it captions and counts scenes that it was never trained on.</summary>
public sealed class MiniFlamingoTests
{
    private const int Count = 16;

    [Fact]
    public void CaptionsAndCounts_OfHeldOutScenes_AreRight_InBothLanguages()
    {
        using var model = FlamingoPipeline.Load(ModelCatalog.Create().Find("mini-flamingo"));
        var scenes = new EvaluationScenes(World.Open(), 5);
        foreach (var language in Enum.GetValues<Language>())
        {
            var metrics = FlamingoEvaluation.Measure(model, scenes, Count, language);
            // Of 300 scenes it names 95 % of the objects, 99 % of the colours and 91 % of the numbers: these bounds leave room for 16.
            foreach (var (name, least) in new[] { ("object", 0.75), ("color", 0.85), ("count", 0.65) })
                Assert.InRange(metrics.Figures[name].Value, least, 1);
        }
    }

    [Fact]
    public void Package_IsWithin32Megabytes() => Assert.InRange(
        new DirectoryInfo(ModelCatalog.Create().Find("mini-flamingo")).EnumerateFiles("*", SearchOption.AllDirectories)
            .Sum(file => file.Length),
        20L << 20, 32L << 20);
}
