using Alebrije.Datasets;
using Alebrije.Evaluation;
using Alebrije.Pipelines;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Tests.Datasets;
using Alebrije.Tests.Pipelines;

namespace Alebrije.Tests.Evaluation;

public sealed class KnownConceptsTests
{
    private static readonly ModelRecord Record = new("tiny", 1, [], [
        new("lion", "🦁", 2, 2, null, "león"), new("red apple", "🍎", 1, 2, "pear", "manzana roja"),
        new("hot dog", "🌭", 0, 2, "baguette", "perrito caliente"),
        new("playing card", "🃏", 2, 2, null, "naipe")]);

    [Theory]
    [InlineData("a lion on a red background", true)]
    [InlineData("Two LIONS riding", true)]
    [InlineData("unos leones sobre un fondo azul", true)]
    [InlineData("un leon", true)]
    [InlineData("an apple", true)]
    [InlineData("dos manzanas", true)]
    [InlineData("a dinosaur on a red background", false)]
    [InlineData("un dinosaurio sobre un fondo rojo", false)]
    [InlineData("the left of a red night", false)]
    [InlineData("🦖", false)]
    public void Mentions_FindsWordsOfKnownNames_InBothLanguages(string prompt, bool known) =>
        Assert.Equal(known, KnownConcepts.Mentions(Record, prompt));

    [Fact]
    public void Mentions_WithoutAnyMeasuredConcept_IsTrue() =>
        Assert.True(KnownConcepts.Mentions(Record with { Concepts = [] }, "a dinosaur"));

    [Fact]
    public void Nearest_ClassifiesTheImage_AmongConceptsThatWereRecognised()
    {
        using var pipeline = ImagePipeline.Load(TinyPipeline.Golden);
        var image = new RgbImage(32, 32, [.. Enumerable.Range(0, 32 * 32 * 3).Select(i => (byte)(i * 7))]);
        var english = KnownConcepts.Nearest(Record, pipeline, image, Language.English, 9);
        Assert.Equal(["lion", "playing card", "red apple"], english.Order());
        Assert.Equal(pipeline.NearestTexts(image, ["lion", "red apple", "playing card"], 3), english);
        Assert.Equal(2, KnownConcepts.Nearest(Record, pipeline, image, Language.Spanish).Count);
        Assert.Equal(["león", "manzana roja", "naipe"], KnownConcepts.Nearest(Record, pipeline, image, Language.Spanish, 9).Order());
        Assert.Empty(KnownConcepts.Nearest(Record with { Concepts = [new("lion", "🦁", 0, 2)] }, pipeline, image, Language.English));
    }

    [Fact]
    public void Nearest_OfATrueImage_IsWhatItShows()
    {
        using var pipeline = ImagePipeline.Load(Path.Combine(Repository.Root, "models", "mini"));
        var world = World.Open();
        var record = ModelRecord.Read(Path.Combine(Repository.Root, "models", "mini", "evaluation.json"))!;
        foreach (var name in new[] { "lion", "banana", "guitar" })
        {
            var scene = world.Scene(3, 0, EvaluationScenes.PlainSingles.Options with { Concepts = [World.Concept(name)] });
            var image = new RgbImage(64, 64, world.Render(scene, 64));
            Assert.Equal(name, KnownConcepts.Nearest(record, pipeline, image, Language.English)[0]);
        }
    }
}
