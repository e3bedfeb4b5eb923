namespace Alebrije.Datasets;

/// <summary>Content of captions, each part as a probability from 0 to 1.</summary>
public sealed record CaptionOptions
{
    /// <summary>The usual mixture for training.</summary>
    public static CaptionOptions Training { get; } = new();

    /// <summary>Every part included, objects by name: for prompts whose images are judged.</summary>
    public static CaptionOptions Complete { get; } = new()
    {
        Synonyms = 0, Classes = 0, Background = 1, Style = 1, Size = 1, Relation = 1, Frames = 0, Sentences = 0, BareNames = 0,
    };

    /// <summary>Saying another word for the thing than its name.</summary>
    public double Synonyms { get; init; } = 0.15;

    /// <summary>Saying a class in place of the name: "a wild animal".</summary>
    public double Classes { get; init; } = 0.10;

    /// <summary>Naming the background's colour, where it can be seen.</summary>
    public double Background { get; init; } = 0.6;

    /// <summary>Naming a style other than plain.</summary>
    public double Style { get; init; } = 0.5;

    /// <summary>Saying that a single object is small or large, when it is.</summary>
    public double Size { get; init; } = 0.8;

    /// <summary>Saying how several objects relate.</summary>
    public double Relation { get; init; } = 0.85;

    /// <summary>Beginning with "a picture of".</summary>
    public double Frames { get; init; } = 0.35;

    /// <summary>Saying a relation as a sentence: "the lion is to the left of the car".</summary>
    public double Sentences { get; init; } = 0.08;

    /// <summary>Leaving the article out of a single object: "lion".</summary>
    public double BareNames { get; init; } = 0.08;
}
