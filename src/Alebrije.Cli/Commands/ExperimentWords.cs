using System.Globalization;
using Alebrije.Pipelines.Experiments;

namespace Alebrije.Cli.Commands;

/// <summary>An experiment's labels and numbers in the language of the user.</summary>
internal static class ExperimentWords
{
    private const string CosineTo = "cosine to ";

    /// <summary>The result with labels in the language; those that are numbers or names stay.</summary>
    public static ExperimentResult In(Words words, ExperimentResult result) => words.Language != "es" || result.Experiment.Kind != ExperimentKind.PcaReconstruct ? result
        : result with { Pictures = [.. result.Pictures.Select(picture => picture with { Label = Spanish(picture) })] };

    /// <summary>A picture's numbers in words; those that its label says already are left out.</summary>
    public static string Line(Words words, ExperimentPicture picture) => string.Join("  ", picture.Numbers.Select(number => number.Key switch
    {
        "components" or "guidance" or "prior_guidance" => "",
        "variance" => string.Create(CultureInfo.InvariantCulture, $"{words.In("variance kept", "varianza conservada")} {100 * number.Value:0.#} %"),
        "embedding_cosine" => Cosine(words.In("cosine to the whole embedding", "coseno con el embedding entero"), number.Value),
        var name when name.StartsWith(CosineTo, StringComparison.Ordinal) => Cosine(words.In(name, "coseno con " + name[CosineTo.Length..]), number.Value),
        var name => Cosine(name, number.Value),
    }).Where(text => text.Length > 0));

    private static string Cosine(string name, double value) => string.Create(CultureInfo.InvariantCulture, $"{name} {value:F3}");

    private static string Spanish(ExperimentPicture picture) => picture.Label.StartsWith("all ", StringComparison.Ordinal) ? "todos los componentes"
        : picture.Numbers["components"] is var kept && kept == 1 ? "1 componente" : string.Create(CultureInfo.InvariantCulture, $"{kept:0} componentes");
}
