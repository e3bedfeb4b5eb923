using System.Globalization;
using Alebrije.Pipelines.Experiments;

namespace Alebrije.Cli.Commands;

/// <summary>An experiment's labels and numbers in the language of the user.</summary>
internal static class ExperimentWords
{
    private const string CosineTo = "cosine to ";

    /// <summary>The result with labels in the language; labels that are numbers or names stay.</summary>
    public static ExperimentResult Labelled(Words words, ExperimentResult result)
    {
        return result.Experiment.Kind switch
        {
            ExperimentKind.PcaReconstruct => With(picture => Components(words, picture)),
            ExperimentKind.Sweep => With(picture => Scales(words, result.Experiment, picture.Numbers)),
            _ => result,
        };

        ExperimentResult With(Func<ExperimentPicture, string> label) =>
            result with { Pictures = [.. result.Pictures.Select(picture => picture with { Label = label(picture) })] };
    }

    /// <summary>An image's numbers in words, except those in its label.</summary>
    public static string Line(Words words, ExperimentPicture picture) =>
        string.Join("  ", picture.Numbers.Select(number => Sentence(words, number.Key, number.Value)).Where(text => text.Length > 0));

    private static string Sentence(Words words, string name, double value) => name switch
    {
        "components" or "guidance" or "prior_guidance" or "steps" => "",
        "variance" => words["experiment.variance-kept", 100 * value],
        "embedding_cosine" => words["experiment.cosine-to-whole", value],
        _ when name.StartsWith(CosineTo, StringComparison.Ordinal) => words["experiment.cosine-to", name[CosineTo.Length..], value],
        _ => string.Create(CultureInfo.InvariantCulture, $"{name} {value:F3}"),
    };

    /// <summary>Label of an image of a sweep: the scales and steps that differ.</summary>
    private static string Scales(Words words, PictureExperiment experiment, IReadOnlyDictionary<string, double> numbers)
    {
        var hasPrior = numbers.TryGetValue("prior_guidance", out var prior);
        var parts = new List<string>();
        if (hasPrior) parts.Add(words["experiment.sweep-prior", prior]);
        if (!hasPrior || experiment.StepCounts?.Count > 1) parts.Add(words["experiment.sweep-steps", numbers["steps"]]);
        var scale = numbers["guidance"];
        parts.Add(hasPrior ? words["experiment.sweep-decoder", scale] : words["experiment.sweep-guidance", scale]);
        return string.Join(", ", parts);
    }

    private static string Components(Words words, ExperimentPicture picture) => picture.Label.StartsWith("all ", StringComparison.Ordinal)
        ? words["experiment.all-components"] : words.Count("experiment.components", (int)picture.Numbers["components"]);
}
