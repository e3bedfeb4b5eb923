namespace Alebrije.Robustness;

/// <summary>The words of reports on robustness.</summary>
/// <param name="Code"><c>en</c> or <c>es</c>.</param>
public sealed record RobustnessWords(string Code)
{
    internal const string HeldOut = "held_out_styles";

    private static readonly Dictionary<string, (string English, string Spanish)> Names = new(StringComparer.Ordinal)
    {
        ["zero_shot"] = ("zero-shot", "zero-shot"),
        ["probe"] = ("linear probe", "sonda lineal"),
        ["supervised"] = ("supervised baseline", "red supervisada"),
        ["plain"] = ("plain", "sin cambios"),
        [HeldOut] = ("styles held out", "estilos reservados"),
        ["pencil_sketch"] = ("pencil sketch", "dibujo a lápiz"),
        ["black_and_white"] = ("black and white", "blanco y negro"),
        ["pixel_art"] = ("pixel art", "pixel art"),
        ["blurred"] = ("blurred", "desenfocado"),
        ["night"] = ("night", "de noche"),
        ["busy_background"] = ("busy background", "fondo recargado"),
        ["gaussian_noise"] = ("gaussian noise", "ruido gaussiano"),
        ["shot_noise"] = ("shot noise", "ruido de disparo"),
        ["impulse_noise"] = ("impulse noise", "ruido impulsivo"),
        ["defocus_blur"] = ("defocus blur", "fuera de foco"),
        ["glass_blur"] = ("glass blur", "vidrio esmerilado"),
        ["motion_blur"] = ("motion blur", "movimiento"),
        ["zoom_blur"] = ("zoom blur", "acercamiento"),
        ["snow"] = ("snow", "nieve"),
        ["fog"] = ("fog", "niebla"),
        ["brightness"] = ("brightness", "brillo"),
        ["contrast"] = ("contrast", "contraste"),
        ["elastic_transform"] = ("elastic transform", "deformación elástica"),
        ["pixelate"] = ("pixelate", "pixelado"),
        ["jpeg_compression"] = ("JPEG compression", "compresión JPEG"),
    };

    /// <summary>The words of a language.</summary>
    /// <exception cref="ArgumentException">There are none.</exception>
    public static RobustnessWords In(string language) => language is "en" or "es"
        ? new RobustnessWords(language) : throw new ArgumentException($"The language \"{language}\" is not supported; choose en or es.",
            nameof(language));

    /// <summary>Display name of a condition; an unknown name with its underscores as spaces.</summary>
    public string Condition(string name) => Names.TryGetValue(name, out var words)
        ? In(words.English, words.Spanish) : name.Replace('_', ' ');

    /// <summary>A classifier as people call it.</summary>
    public string Classifier(string name) => Condition(name);

    /// <summary>"severity 3", "mean of severities 1–5".</summary>
    public string Severity(IReadOnlyList<int> severities)
    {
        ArgumentNullException.ThrowIfNull(severities);
        return severities.Count == 1 ? In($"severity {severities[0]}", $"intensidad {severities[0]}")
            : In($"mean of severities {severities[0]}–{severities[^1]}", $"media de las intensidades {severities[0]}–{severities[^1]}");
    }

    internal string Title => In("Accuracy by condition", "Acierto por condición");
    internal string Lead(int classes, int pictures) => In(
        $"{pictures} images of {classes} classes, plain and under "
            + $"styles and corruptions. Marks: share classified right; lines: 95 % interval; dotted: guessing.",
        $"{pictures} imágenes de {classes} clases, sin cambios y con "
            + $"estilos y corrupciones. Marcas: parte acertada; líneas: intervalo del 95 %; punteado: azar.");
    internal string Accuracy => In("accuracy", "acierto");
    internal string Styles => In("styles", "estilos");
    internal string Corruptions => In("corruptions", "corrupciones");
    internal string ConditionHead => In("condition", "condición");
    internal string Pictures => In("pictures", "imágenes");
    internal string Shown(string label) =>
        In($"“{label}” under every condition, and the predicted class", $"«{label}» en cada condición, y la clase predicha");
    internal string Sheet => In("One image of each class under each condition", "Una imagen de cada clase en cada condición");
    internal string SheetLead => In(
        "A mark under an image for each classifier: filled where it was right, empty where not. Point at an image to read the answers.",
        "Bajo cada imagen, una marca por clasificador: llena si acertó, vacía si no. Señala una imagen para leer las respuestas.");
    internal string Fall => In(
        "Accuracy on plain images → on average over the styles → over the corruptions",
        "Acierto sin cambios → en promedio con los estilos → con las corrupciones");

    private string In(string english, string spanish) => Code == "es" ? spanish : english;
}
