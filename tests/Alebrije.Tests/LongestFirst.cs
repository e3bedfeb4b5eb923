using Xunit.Sdk;
using Xunit.v3;

[assembly: TestCollectionOrderer(typeof(Alebrije.Tests.LongestFirst))]

namespace Alebrije.Tests;

/// <summary>Order of the test classes: the longest first, so that no core waits for one of them at the end.</summary>
public sealed class LongestFirst : ITestCollectionOrderer
{
    /// <summary>Classes of more than five seconds on one core, longest first.</summary>
    private static readonly string[] Long = ["Packages.PackagesTests", "Training.KilledRunTests", "Pipelines.SingleFileTests",
        "Training.CascadeTrainerTests", "Evaluation.ModelEvaluationTests", "Pipelines.Experiments.ImageExperimentsTests",
        "Training.ResumeTests", "Cli.SignalTests", "Cli.ModelsVerbTests", "Fuzzing.ReaderFuzzTests", "Cli.ReplayVerbTests",
        "Cli.ImagineVerbTests", "Pipelines.DeepFloydTests", "Cli.UsageTests", "Pipelines.ImagePipelineTests", "Pipelines.LoraTests",
        "Catalog.ModelHubTests", "Training.FlamingoTrainerTests", "Training.UpsamplerTrainerTests"];

    /// <inheritdoc/>
    public IReadOnlyCollection<T> OrderTestCollections<T>(IReadOnlyCollection<T> testCollections)
        where T : ITestCollection =>
        [.. testCollections.OrderBy(collection => Rank(collection))
            .ThenBy(collection => collection.TestCollectionDisplayName, StringComparer.Ordinal)];

    private static int Rank(ITestCollection collection)
    {
        var at = Array.FindIndex(Long,
            name => collection.TestCollectionDisplayName.Contains($"Alebrije.Tests.{name} ", StringComparison.Ordinal));
        return at < 0 ? Long.Length : at;
    }
}
