using Alebrije.Preprocessing;

namespace Alebrije.Datasets;

/// <summary>
/// A style in which the answers of a few examples describe scenes, such as "seen: a lion / red." A fifth of the separators is held out
/// from training, so that styles with them are new to a model that was trained on the others.
/// </summary>
/// <param name="HasThing">True if the answer names the things.</param>
/// <param name="HasColour">True if it names the background's colour.</param>
/// <param name="ColourFirst">True if the colour comes before the things.</param>
/// <param name="IsBare">True for names without articles.</param>
/// <param name="Before">Text before the first part.</param>
/// <param name="Between">Text between both parts.</param>
/// <param name="After">Text after the last part.</param>
internal sealed record AnswerStyle(
    bool HasThing, bool HasColour, bool ColourFirst, bool IsBare, string Before, string Between, string After)
{
    private const string Marks = ",;:-/|=+~*>&";

    private static readonly string[][] Befores =
        [["", "", "", "I see ", "this is ", "here is ", "found ", "seen: ", "we have ", "look, ", "picture of ", "it shows "],
            ["", "", "", "veo ", "esto es ", "aquí hay ", "encontrado ", "visto: ", "tenemos ", "mira, ", "imagen de ", "muestra "]];

    private static readonly string[] Afters = ["", "", "", ".", "!", ";", " ok", " #", "..", " /"];
    private static readonly string[] Separators = [.. AllSeparators()];
    private static readonly string[] Trained = [.. Separators.Where(between => !IsHeldOut(between))];
    private static readonly string[] HeldOut = [.. Separators.Where(IsHeldOut)];

    /// <summary>Draws a style of training.</summary>
    public static AnswerStyle Draw(Language language, ref SeededRandom random)
    {
        var parts = random.Below(5);
        return Of(parts is not 0, parts is not 1, Trained, language, ref random);
    }

    /// <summary>Draws a style that training never shows: both parts with a separator held out.</summary>
    public static AnswerStyle DrawHeldOut(Language language, ref SeededRandom random) =>
        Of(hasThing: true, hasColour: true, HeldOut, language, ref random);

    /// <summary>True for separators that training never shows.</summary>
    public static bool IsHeldOut(string between)
    {
        var hash = 0xCBF29CE484222325;
        foreach (var letter in between) hash = unchecked((hash ^ letter) * 0x100000001B3);
        return SeededRandom.Mix(hash) % 5 == 0;
    }

    /// <summary>The answer for a scene; without a colour where the background is hidden.</summary>
    public string Format(Scene scene, Language language)
    {
        var thing = HasThing || !scene.ShowsBackground ? SceneQuestions.Things(scene, language, IsBare) : null;
        var colour = HasColour && scene.ShowsBackground ? scene.Background.Name(language) : null;
        var (first, second) = ColourFirst ? (colour, thing) : (thing, colour);
        return Before + (first is null ? second : second is null ? first : first + Between + second) + After;
    }

    private static AnswerStyle Of(bool hasThing, bool hasColour, string[] separators, Language language, ref SeededRandom random) =>
        new(hasThing, hasColour, random.Chance(0.5), random.Chance(0.5), random.Pick(Befores[(int)language]),
            random.Pick(separators), random.Pick(Afters));

    private static IEnumerable<string> AllSeparators()
    {
        foreach (var first in Marks)
        {
            yield return $" {first} ";
            foreach (var second in Marks) yield return $" {first}{second} ";
        }
    }
}
