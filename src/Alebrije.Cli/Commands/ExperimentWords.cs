using System.Globalization;
using Alebrije.Pipelines.Experiments;

namespace Alebrije.Cli.Commands;

/// <summary>An experiment's labels and numbers in the language of the user.</summary>
internal static class ExperimentWords
{
    private const string CosineTo = "cosine to ";

    /// <summary>The result with labels in the language; labels that are numbers or names stay.</summary>
    public static ExperimentResult Labelled(Words words, ExperimentResult result) =>
        result.Experiment.Kind != ExperimentKind.PcaReconstruct ? result
        : result with { Pictures = [.. result.Pictures.Select(picture => picture with { Label = Components(words, picture) })] };

    /// <summary>An image's numbers in words, except those in its label.</summary>
    public static string Line(Words words, ExperimentPicture picture) =>
        string.Join("  ", picture.Numbers.Select(number => number.Key switch
    {
        "components" or "guidance" or "prior_guidance" => "",
        "variance" => words["experiment.variance-kept", 100 * number.Value],
        "embedding_cosine" => words["experiment.cosine-to-whole", number.Value],
        var name when name.StartsWith(CosineTo, StringComparison.Ordinal) =>
        words["experiment.cosine-to", name[CosineTo.Length..], number.Value],
        var name => string.Create(CultureInfo.InvariantCulture, $"{name} {number.Value:F3}"),
    }).Where(text => text.Length > 0));

    private static string Components(Words words, ExperimentPicture picture) => picture.Label.StartsWith("all ", StringComparison.Ordinal)
        ? words["experiment.all-components"] : words.Count("experiment.components", (int)picture.Numbers["components"]);
}
