namespace Alebrije.Reports;

/// <summary>Measure in the cells of a similarity table.</summary>
public enum SimilarityMeasure
{
    /// <summary>Softmax over the texts of 100 × cosine: each row adds up to 1. Coloured from 0 to 1.</summary>
    Softmax,

    /// <summary>Cosine of image and text embedding, in [-1, 1]. Coloured from the table's smallest value to its largest.</summary>
    Cosine,
}

/// <summary>Display options of tables and plots.</summary>
public sealed record ReportOptions
{
    /// <summary>Language of the words around the data: <c>en</c> or <c>es</c>.</summary>
    public string Language { get; init; } = "en";

    /// <summary>Heading; null takes a plain one in the language, an empty one leaves it out where a heading can be left out.</summary>
    public string? Title { get; init; }

    /// <summary>Name of the model, shown small; null leaves it out.</summary>
    public string? Model { get; init; }

    /// <summary>Measure of a similarity table (HTML pages let the reader switch).</summary>
    public SimilarityMeasure Measure { get; init; }

    /// <summary>The words in <see cref="Language"/>.</summary>
    internal ReportWords Words => ReportWords.In(Language);
}

/// <summary>The words of tables and plots.</summary>
internal sealed record ReportWords
{
    public required string Code { get; init; }
    public required string Image { get; init; }
    public required string Images { get; init; }
    public required string Texts { get; init; }
    public required string Text { get; init; }
    public required string Model { get; init; }
    public required string TableTitle { get; init; }
    public required string SoftmaxLead { get; init; }
    public required string CosineLead { get; init; }
    public required string Softmax { get; init; }
    public required string Cosine { get; init; }
    public required string Show { get; init; }
    public required string SortHint { get; init; }
    public required string FileOrder { get; init; }
    public required string PlotTitle { get; init; }
    public required string PlotLead { get; init; }
    public required string Component { get; init; }
    public required string OfVariance { get; init; }
    public required string LabelsLeftOut { get; init; }
    public required string ShowLabels { get; init; }

    public static ReportWords In(string language) => language switch
    {
        "en" => English,
        "es" => Spanish,
        _ => throw new ArgumentException($"The language \"{language}\" is not supported; choose en or es.", nameof(language)),
    };

    private static readonly ReportWords English = new()
    {
        Code = "en",
        Image = "image",
        Images = "images",
        Texts = "texts",
        Text = "text",
        Model = "model",
        TableTitle = "Which text fits which image?",
        SoftmaxLead = "Softmax over the texts of 100 × cosine: each row adds up to 1.",
        CosineLead = "Cosine of image and text embedding; coloured from the smallest value to the largest.",
        Softmax = "Softmax",
        Cosine = "Cosine",
        Show = "Show",
        SortHint = "Click a text to sort by it",
        FileOrder = "Original order",
        PlotTitle = "Images and texts in one plane",
        PlotLead = "Principal components of all embeddings together. "
            + "Points that lie close have similar embeddings. Point at one, or tap it, to see what it is.",
        Component = "PC",
        OfVariance = "of the variance",
        LabelsLeftOut = "labels left out for lack of space",
        ShowLabels = "Labels",
    };

    private static readonly ReportWords Spanish = new()
    {
        Code = "es",
        Image = "imagen",
        Images = "imágenes",
        Texts = "textos",
        Text = "texto",
        Model = "modelo",
        TableTitle = "¿Qué texto describe cada imagen?",
        SoftmaxLead = "Softmax sobre los textos de 100 × coseno: cada fila suma 1.",
        CosineLead = "Coseno entre el embedding de la imagen y el del texto; el color va del valor menor al mayor.",
        Softmax = "Softmax",
        Cosine = "Coseno",
        Show = "Mostrar",
        SortHint = "Haz clic en un texto para ordenar",
        FileOrder = "Orden original",
        PlotTitle = "Imágenes y textos en un mismo plano",
        PlotLead = "Componentes principales de todos los embeddings "
            + "juntos. Los puntos cercanos tienen embeddings parecidos. Señala o toca un punto para ver qué es.",
        Component = "CP",
        OfVariance = "de la varianza",
        LabelsLeftOut = "etiquetas omitidas por falta de espacio",
        ShowLabels = "Etiquetas",
    };
}
