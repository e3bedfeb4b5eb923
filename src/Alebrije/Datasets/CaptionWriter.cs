using System.Globalization;
using Alebrije.Datasets.Words;
using Alebrije.Preprocessing;

namespace Alebrije.Datasets;

/// <summary>A caption and the order in which it names the scene's objects.</summary>
/// <param name="Text">The caption.</param>
/// <param name="Order">Indices of all objects of the scene, the first named first.</param>
internal readonly record struct WrittenCaption(string Text, IReadOnlyList<int> Order);

/// <summary>Writes captions in either language: objects by name, synonym or class, then relation, background and style.</summary>
internal static class CaptionWriter
{
    private const uint CaptionPurpose = 1000;

    public static WrittenCaption Write(Scene scene, Language language, CaptionOptions options, int variant)
    {
        var purpose = CaptionPurpose + 2 * (uint)variant + (uint)language;
        // Scenes of different splits share seed and index, but not their words.
        var random = new SeededRandom(scene.Seed + (ulong)scene.Split, scene.Index, purpose);
        var writer = new Writing(scene, language, options);
        var caption = writer.Whole(ref random);
        return new(language == Language.Spanish ? Spanish.Contract(caption) : caption, writer.Order);
    }

    private sealed class Writing(Scene scene, Language language, CaptionOptions options)
    {
        /// <summary>Indices of the objects in the order in which the chosen phrase names them.</summary>
        public int[] Order { get; private set; } = [.. Enumerable.Range(0, scene.Objects.Count)];

        private CaptionPhrases Phrases => language == Language.English ? CaptionPhrases.English : CaptionPhrases.Spanish;

        public string Whole(ref SeededRandom random)
        {
            var saysBackground = scene.ShowsBackground && random.Chance(options.Background);
            var colour = scene.Background.Name(language);
            var background = saysBackground ? Format(random.Pick(Phrases.Backgrounds), colour, English.Article(colour)) : null;
            var saysStyle = scene.Style != SceneStyle.Plain && random.Chance(options.Style);
            if (!saysStyle && scene.Objects.Count == 2 && scene.Count == 1 && random.Chance(options.Sentences))
                return Joined(Sentence(ref random), background);
            var shown = Shown(ref random);
            if (saysStyle)
            {
                // "a lion in a blurred picture on a red background" would put the image on the background.
                var before = saysBackground || random.Chance(0.5);
                var pattern = random.Pick((before ? Phrases.StylesBefore : Phrases.StylesAfter)[scene.Style]);
                return Joined(Format(pattern, shown), background);
            }
            if (random.Chance(options.Frames))
                shown = Format(random.Pick(Phrases.Frames), shown);
            else if (scene.Objects.Count == 1 && scene.Size == SceneSize.Normal && random.Chance(options.BareNames))
                shown = Choose(scene.Objects[0].Concept, ref random).Text;
            return Joined(shown, background);
        }

        private string Shown(ref SeededRandom random)
        {
            if (scene.Count > 1)
                return Counted(ref random);
            return scene.Objects.Count switch
            {
                1 => Single(ref random),
                2 => Pair(ref random),
                _ => Three(ref random),
            };
        }

        private string Single(ref SeededRandom random)
        {
            var term = Choose(scene.Objects[0].Concept, ref random);
            var says = scene.Size != SceneSize.Normal && random.Chance(options.Size) && term.Kind is NounKind.Count or NounKind.Plural;
            var size = scene.Size == SceneSize.Normal || !says ? null
                : random.Pick(scene.Size == SceneSize.Small ? Phrases.Small : Phrases.Large);
            return Indefinite(term, size, random.Chance(0.3));
        }

        private string Counted(ref SeededRandom random)
        {
            var term = Choose(scene.Objects[0].Concept, ref random);
            if (term.Kind != NounKind.Count)
                term = scene.Objects[0].Concept.Terms(language).All.First(t => t.Kind == NounKind.Count);
            var number = random.Chance(0.1) ? scene.Count.ToString(CultureInfo.InvariantCulture) : Phrases.Numbers[scene.Count];
            return $"{number} {term.Plural}";
        }

        private string Pair(ref SeededRandom random)
        {
            var (a, b) = (Object(0, ref random), Object(1, ref random));
            if (random.Chance(options.Relation))
                return Arranged(random.Pick(Phrases.Relations[scene.Relation]), a, b);
            if (random.Chance(0.5))
                ((a, b), Order) = ((b, a), [1, 0]);
            return scene.Relation is SceneRelation.LeftOf or SceneRelation.RightOf && random.Chance(0.5)
                ? Format(random.Pick(Phrases.SideBySide), a, b)
                : $"{a} {And(b)} {b}";
        }

        private string Three(ref SeededRandom random)
        {
            string[] objects = [Object(0, ref random), Object(1, ref random), Object(2, ref random)];
            if (scene.Relation == SceneRelation.Between && random.Chance(options.Relation * 0.6))
                return Arranged(Phrases.Relations[SceneRelation.Between][0], objects[0], objects[1], objects[2]);
            for (var i = 2; i > 0; i--)
            {
                var j = random.Below(i + 1);
                (objects[i], objects[j], Order[i], Order[j]) = (objects[j], objects[i], Order[j], Order[i]);
            }
            return $"{objects[0]}, {objects[1]} {And(objects[2])} {objects[2]}";
        }

        private string Sentence(ref SeededRandom random)
        {
            var (a, b) = (Choose(scene.Objects[0].Concept, ref random), Choose(scene.Objects[1].Concept, ref random));
            var many = a.Kind == NounKind.Plural;
            var verb = language == Language.English ? (many ? "are" : "is") : many ? "están" : "está";
            return Arranged(random.Pick(Phrases.Sentences[scene.Relation]), Definite(a), Definite(b), verb);
        }

        /// <summary>The pattern with the objects in it, whose places in it give the order.</summary>
        private string Arranged(string pattern, params ReadOnlySpan<object?> parts)
        {
            Order = [.. Order.OrderBy(i => pattern.IndexOf($"{{{i}}}", StringComparison.Ordinal))];
            return Format(pattern, parts);
        }

        private string Object(int index, ref SeededRandom random) =>
            Indefinite(Choose(scene.Objects[index].Concept, ref random), null, random.Chance(language == Language.English ? 0.3 : 0.7));

        private Term Choose(Concept concept, ref SeededRandom random)
        {
            var terms = concept.Terms(language).All;
            var at = random.Unit();
            if (at < options.Synonyms && terms.Count > 1)
                return terms[1 + random.Below(terms.Count - 1)];
            if (at < 1 - options.Classes || concept.Supercategories.Count == 0)
                return terms[0];
            // "A road scene on top of a lion" is not a sensible caption: such classes are for images of one thing.
            var category = random.Pick(concept.Supercategories);
            return category.IsScene && scene.Objects.Count > 1 ? terms[0] : category.Term(language);
        }

        private string Indefinite(Term term, string? size, bool some) => language == Language.English
            ? English.Indefinite(term, size, some)
            : Spanish.Indefinite(term, size, some);

        private string Definite(Term term) => language == Language.English ? English.Definite(term) : Spanish.Definite(term);

        private string And(string next) => language == Language.English ? "and" : Spanish.And(next);

        private static string Joined(string shown, string? background) => background is null ? shown : $"{shown} {background}";

        private static string Format(string pattern, params ReadOnlySpan<object?> parts) =>
            string.Format(CultureInfo.InvariantCulture, pattern, parts);
    }
}
