using Xunit.Sdk;
using Xunit.v3;

[assembly: TestCollectionOrderer(typeof(Alebrije.Tests.LongestFirst))]

namespace Alebrije.Tests;

/// <summary>Order of the test classes: the longest first, so that no core waits for one of them at the end.</summary>
public sealed class LongestFirst : ITestCollectionOrderer
{
    /// <summary>Classes of more than ten seconds on one core, longest first.</summary>
    private static readonly string[] Long = ["Packages.PackagesTests", "Training.KilledRunTests", "Training.ResumeTests",
        "Training.CascadeTrainerTests", "Evaluation.ModelEvaluationTests", "Pipelines.SingleFileTests", "Cli.SignalTests",
        "Pipelines.ImagePipelineTests", "Cli.ModelsVerbTests", "Cli.ReplayVerbTests", "Cli.ImagineVerbTests",
        "Pipelines.DeepFloydTests", "Training.ClassifierTrainerTests"];

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
