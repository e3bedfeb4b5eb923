using Alebrije.Preprocessing.Imaging;

namespace Alebrije.Pipelines.Flamingo;

/// <summary>An example of a caption or an answer, shown to the model before its task.</summary>
/// <param name="Image">The image.</param>
/// <param name="Answer">Its caption, or the answer to the question.</param>
/// <param name="Question">The question, or null for a caption.</param>
public sealed record FlamingoShot(RgbImage Image, string Answer, string? Question = null);

/// <summary>A text with images, as Flamingo reads it: <c>&lt;image&gt;</c> stands for the next image.</summary>
/// <param name="Text">The text, which the model continues.</param>
/// <param name="Images">One image for every <c>&lt;image&gt;</c>, in order.</param>
public sealed record FlamingoPrompt(string Text, IReadOnlyList<RgbImage> Images)
{
    /// <summary>Stands for an image.</summary>
    public const string ImageToken = "<image>";

    /// <summary>Ends a text that belongs to an image, and a generated text.</summary>
    public const string EndToken = "<|endofchunk|>";

    /// <summary>Text before a caption in OpenFlamingo's evaluation.</summary>
    public const string CaptionLead = "Output:";

    /// <summary>Text before a Spanish caption in the training of this project's own model, <c>mini-flamingo</c>.</summary>
    public const string SpanishLead = "Salida:";

    /// <summary>Text before a caption of this project's own model, which captions in two languages.</summary>
    /// <param name="language">Code of the language: <c>es</c>; all others are English.</param>
    public static string LeadOf(string language) => language == "es" ? SpanishLead : CaptionLead;

    /// <summary>Captions in the form of OpenFlamingo's evaluation.</summary>
    /// <param name="image">The image to caption.</param>
    /// <param name="shots">Captioned images, in the order in which they are shown; null: none.</param>
    /// <param name="lead">Text before a caption.</param>
    public static FlamingoPrompt Caption(RgbImage image, IReadOnlyList<FlamingoShot>? shots = null, string lead = CaptionLead)
    {
        ArgumentNullException.ThrowIfNull(image);
        shots ??= [];
        var examples = string.Concat(shots.Select(shot => $"{ImageToken}{lead}{Plain(shot.Answer)}{EndToken}"));
        return new FlamingoPrompt($"{examples}{ImageToken}{lead}", [.. shots.Select(shot => shot.Image), image]);
    }

    /// <summary>A question about an image in the form of OpenFlamingo's evaluation.</summary>
    /// <param name="image">The image.</param>
    /// <param name="question">The question.</param>
    /// <param name="shots">Answered questions, in the order in which they are shown; null: none.</param>
    /// <exception cref="ArgumentException">The question is empty, or an example has none.</exception>
    public static FlamingoPrompt Ask(RgbImage image, string question, IReadOnlyList<FlamingoShot>? shots = null)
    {
        ArgumentNullException.ThrowIfNull(image);
        shots ??= [];
        if (string.IsNullOrWhiteSpace(question))
            throw new ArgumentException("The question is empty; write one, such as \"How many cats?\".", nameof(question));
        if (shots.Any(shot => shot.Question is null))
            throw new ArgumentException("An example has no question; examples of a question have one each.", nameof(shots));
        var examples = string.Concat(shots.Select(shot => $"{Asked(shot.Question!)}{Plain(shot.Answer)}{EndToken}"));
        return new FlamingoPrompt($"{examples}{Asked(question)}", [.. shots.Select(shot => shot.Image), image]);

        static string Asked(string question) => ImageToken + Question(question);
    }

    /// <summary>A question in the form of OpenFlamingo's evaluation, without its image.</summary>
    /// <param name="question">The question.</param>
    public static string Question(string question) => $"Question:{Plain(question)} Short answer:";

    /// <summary>A text without the tokens of the prompt's structure, and without white space around it.</summary>
    /// <param name="text">A text from outside.</param>
    public static string Plain(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return text.Replace(ImageToken, "", StringComparison.Ordinal).Replace(EndToken, "", StringComparison.Ordinal).Trim();
    }

    /// <summary>Number of <see cref="ImageToken"/> in the text.</summary>
    internal int Marks => (Text.Length - Text.Replace(ImageToken, "", StringComparison.Ordinal).Length) / ImageToken.Length;
}
