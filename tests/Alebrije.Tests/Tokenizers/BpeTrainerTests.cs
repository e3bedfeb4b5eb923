using Alebrije.Preprocessing.Tokenizers;

namespace Alebrije.Tests.Tokenizers;

public sealed class BpeTrainerTests
{
    private static readonly string[] Captions =
    [
        "a lion to the left of a dog", "un león a la izquierda de un perro", "the dog and the cat", "el perro y el gato",
        "a dog's house", "una niña monta en bicicleta", "a lion, a cat, a dog!", "the lions and the dogs",
    ];

    [Fact]
    public void Train_HandCountedWords_MergesByCountThenById()
    {
        // "we" is seen 2 + 6 times, "lo" 5 + 2; then all pairs of n-e-we-s-t are seen 6 times, and e has the smallest id.
        var vocabulary = BpeTrainer.Train(new Dictionary<string, long> { ["low"] = 5, ["lower"] = 2, ["newest"] = 6 }, 514 + 4);
        Assert.Equal([("w", "e"), ("l", "o"), ("e", "we"), ("n", "ewe")], vocabulary.Merges);
        Assert.Equal("ewe", vocabulary.Tokens[514]);
        Assert.Equal(["<|startoftext|>", "<|endoftext|>"], vocabulary.Tokens.Skip(516));
    }

    [Fact]
    public void Train_SameTextsInAnyOrder_SameVocabulary()
    {
        var forward = BpeTrainer.Train(Captions, 530);
        var backward = BpeTrainer.Train(Captions.Reverse(), 530);
        Assert.Equal(530, forward.Tokens.Count);
        Assert.Equal(forward.Merges, backward.Merges);
        Assert.Equal(forward.Tokens.Count, forward.Tokens.Distinct().Count());
    }

    [Fact]
    public void Train_NothingLeftToMerge_StopsShort()
    {
        var vocabulary = BpeTrainer.Train(["dog dog dog"], 4000);
        Assert.Equal(["do", "dog</w>"], vocabulary.Merges.Select(merge => merge.Left + merge.Right));
    }

    [Fact]
    public void Save_ThenLoad_TokenizesAsTrained()
    {
        var folder = Directory.CreateTempSubdirectory("bpe-");
        try
        {
            var vocabulary = BpeTrainer.Train(Captions, 570, minimumCount: 1);
            vocabulary.Save(folder.FullName, maxLength: 32);
            var tokenizer = ClipTokenizer.Load(folder.FullName);
            Assert.Equal((570, 0, 568, 569, 32),
                (tokenizer.VocabularySize, tokenizer.PadId, tokenizer.StartId, tokenizer.EndId, tokenizer.MaxLength));
            Assert.Equal(["<|startoftext|>", "the</w>", "dog</w>", "<|endoftext|>"], tokenizer.Tokens("The  DOG"));
            Assert.Equal(ClipTokenizer.Create(vocabulary, maxLength: 32).Encode("El LEÓN! <|endoftext|>"),
                tokenizer.Encode("El LEÓN! <|endoftext|>"));
            Assert.Equal("una niña , el león", tokenizer.Decode(tokenizer.Encode("Una niña, el LEÓN")));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public void Save_PaddingOrLengthThatCannotBe_SaysWhy()
    {
        var vocabulary = BpeTrainer.Train(Captions, 530);
        Assert.Contains("<pad>", Assert.Throws<ArgumentException>(() => vocabulary.Save(Path.GetTempPath(), padToken: "<pad>")).Message,
            StringComparison.Ordinal);
        Assert.Contains("3 or more", Assert.Throws<ArgumentException>(() => ClipTokenizer.Create(vocabulary, maxLength: 2)).Message,
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(513)]
    [InlineData(-1)]
    public void Train_SizeBelowTheBytes_SaysTheSmallest(int size) =>
        Assert.Contains("514", Assert.Throws<ArgumentOutOfRangeException>(() => BpeTrainer.Train(Captions, size)).Message,
            StringComparison.Ordinal);
}
