using System.Text.Json.Nodes;
using Alebrije.Evaluation;
using Alebrije.Pipelines;
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
    public void Nearest_GivesNamesOfWhatIsDrawn_TheNearestFirst()
    {
        using var pipeline = ImagePipeline.Load(TinyPipeline.Golden);
        Assert.Equal("lion", KnownConcepts.Nearest(Record, pipeline, "lion", Alebrije.Datasets.Language.English)[0]);
        var spanish = KnownConcepts.Nearest(Record, pipeline, "naipe", Alebrije.Datasets.Language.Spanish, 9);
        Assert.Equal("naipe", spanish[0]);
        Assert.Equal(["león", "manzana roja", "naipe"], spanish.Order());
        Assert.Empty(KnownConcepts.Nearest(Record with { Concepts = [new("lion", "🦁", 0, 2)] },
            pipeline, "lion", Alebrije.Datasets.Language.English));
    }
}
