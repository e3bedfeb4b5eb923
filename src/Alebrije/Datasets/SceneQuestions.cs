using System.Globalization;
using Alebrije.Datasets.Words;
using Alebrije.Preprocessing;

namespace Alebrije.Datasets;

/// <summary>Subjects of questions about a scene.</summary>
internal enum QuestionKind
{
    /// <summary>The object, or that at a side.</summary>
    Object,

    /// <summary>The colour of the background.</summary>
    Colour,

    /// <summary>The number of objects.</summary>
    Count,

    /// <summary>The place of one of two objects.</summary>
    Relation,

    /// <summary>The presence of an object: yes or no.</summary>
    Presence,
}

/// <summary>A question about a scene and its answer.</summary>
internal sealed record SceneQuestion(string Question, string Answer);

/// <summary>Questions about scenes with short answers, in either language.</summary>
internal static class SceneQuestions
{
    private static readonly Dictionary<SceneRelation, SceneRelation> Inverse = new()
    {
        [SceneRelation.LeftOf] = SceneRelation.RightOf, [SceneRelation.RightOf] = SceneRelation.LeftOf,
        [SceneRelation.Above] = SceneRelation.Below, [SceneRelation.Below] = SceneRelation.Above,
    };

    private static readonly string[][] Object =
        [["What is this?", "What is it?", "What is in the picture?", "What do you see?"],
            ["¿Qué es esto?", "¿Qué es?", "¿Qué hay en la imagen?", "¿Qué ves?"]];

    private static readonly string[][] Colour =
        [["What color is the background?", "What is the color of the background?", "Which color is behind it?", "What color?"],
            ["¿De qué color es el fondo?", "¿Cuál es el color del fondo?", "¿Qué color hay detrás?", "¿Qué color?"]];

    private static readonly string[][] Count =
        [["How many?", "How many are there?", "How many things are there?", "How many objects do you see?"],
            ["¿Cuántos?", "¿Cuántos hay?", "¿Cuántas cosas hay?", "¿Cuántos objetos ves?"]];

    /// <summary>Number words from 1 to 4.</summary>
    public static string Number(int count, Language language) => count == 1 ? (language == Language.English ? "one" : "uno")
        : Phrases(language).Numbers[count];

    /// <summary>The question for the number of a scene's objects by their name, or for all things where it has several kinds.</summary>
    public static SceneQuestion HowMany(Scene scene, Language language)
    {
        if (scene.Concepts.Count() > 1 || !scene.Objects[0].Concept.IsCountable)
            return new SceneQuestion(Count[(int)language][2], Number(scene.Objects.Count, language));
        var term = Countable(scene.Objects[0].Concept, language);
        var question = language == Language.English ? $"How many {term.Plural} are there?"
            : $"¿{(term.Feminine ? "Cuántas" : "Cuántos")} {term.Plural} hay?";
        return new SceneQuestion(question, Number(scene.Objects.Count, language));
    }

    /// <summary>Draws a question of a kind; one for presence where the kind does not suit the scene.</summary>
    /// <param name="scene">The scene.</param>
    /// <param name="language">Language of question and answer.</param>
    /// <param name="kind">Subject.</param>
    /// <param name="absent">A concept that the scene may lack, for questions of presence.</param>
    /// <param name="random">Source of the wording.</param>
    public static SceneQuestion Draw(Scene scene, Language language, QuestionKind kind, Concept absent, ref SeededRandom random) =>
        kind switch
        {
            QuestionKind.Object => OfObject(scene, language, ref random),
            QuestionKind.Colour when scene.ShowsBackground =>
                new SceneQuestion(random.Pick(Colour[(int)language]), scene.Background.Name(language)),
            QuestionKind.Count => random.Chance(0.5) ? HowMany(scene, language)
                : new SceneQuestion(random.Pick(Count[(int)language]), Number(scene.Objects.Count, language)),
            QuestionKind.Relation when scene.Count == 1 && scene.Objects.Count == 2 && scene.Relation != SceneRelation.None =>
                OfRelation(scene, language, ref random),
            _ => OfPresence(scene, language, absent, ref random),
        };

    /// <summary>The things of a scene: "a lion", "three lions", "a lion and a car".</summary>
    /// <param name="scene">The scene.</param>
    /// <param name="language">Language of the words.</param>
    /// <param name="bare">True for names without articles.</param>
    public static string Things(Scene scene, Language language, bool bare = false)
    {
        if (scene.Count > 1) return $"{Number(scene.Count, language)} {Countable(scene.Objects[0].Concept, language).Plural}";
        var names = scene.Objects.Select(o => bare ? o.Concept.Name(language) : o.Concept.Label(language)).ToArray();
        return names.Length == 1 ? names[0]
            : $"{string.Join(", ", names[..^1])} {(language == Language.English ? "and" : Spanish.And(names[^1]))} {names[^1]}";
    }

    private static SceneQuestion OfObject(Scene scene, Language language, ref SeededRandom random)
    {
        var english = language == Language.English;
        var side = scene.Count > 1 || scene.Objects.Count != 2 || random.Chance(0.3) ? -1 : random.Below(2);
        var relation = side == 1 && Inverse.TryGetValue(scene.Relation, out var other) ? other : scene.Relation;
        var question = side < 0 ? null : relation switch
        {
            SceneRelation.LeftOf => english ? "What is on the left?" : "¿Qué hay a la izquierda?",
            SceneRelation.RightOf => english ? "What is on the right?" : "¿Qué hay a la derecha?",
            SceneRelation.Above => english ? "What is at the top?" : "¿Qué hay arriba?",
            SceneRelation.Below => english ? "What is at the bottom?" : "¿Qué hay abajo?",
            _ => null,
        };
        return question is null ? new SceneQuestion(random.Pick(Object[(int)language]), Things(scene, language))
            : new SceneQuestion(question, scene.Objects[side].Concept.Label(language));
    }

    private static SceneQuestion OfRelation(Scene scene, Language language, ref SeededRandom random)
    {
        var second = Inverse.ContainsKey(scene.Relation) && random.Chance(0.5);
        var relation = second ? Inverse[scene.Relation] : scene.Relation;
        var (a, b) = (Term(scene, second ? 1 : 0), Term(scene, second ? 0 : 1));
        var pattern = Phrases(language).Sentences[relation][0];
        var answer = string.Format(CultureInfo.InvariantCulture, pattern, "", Definite(b), "").Trim();
        var many = a.Kind == NounKind.Plural;
        return language == Language.English ? new SceneQuestion($"Where {(many ? "are" : "is")} {Definite(a)}?", answer)
            : new SceneQuestion($"¿Dónde {(many ? "están" : "está")} {Definite(a)}?", Spanish.Contract(answer));

        Term Term(Scene from, int index) => from.Objects[index].Concept.Terms(language).All[0];

        string Definite(Term term) => language == Language.English ? English.Definite(term) : Spanish.Definite(term);
    }

    private static SceneQuestion OfPresence(Scene scene, Language language, Concept absent, ref SeededRandom random)
    {
        var asked = random.Chance(0.5) ? scene.Objects[random.Below(scene.Objects.Count)].Concept : absent;
        var present = scene.Objects.Any(o => o.Concept.Index == asked.Index);
        return language == Language.English ? new SceneQuestion($"Is there {asked.Label(language)}?", present ? "yes" : "no")
            : new SceneQuestion($"¿Hay {asked.Label(language)}?", present ? "sí" : "no");
    }

    private static Term Countable(Concept concept, Language language) =>
        concept.Terms(language).All.FirstOrDefault(term => term.Kind == NounKind.Count) ?? concept.Terms(language).All[0];

    private static CaptionPhrases Phrases(Language language) =>
        language == Language.English ? CaptionPhrases.English : CaptionPhrases.Spanish;
}
