using Alebrije.Preprocessing.Tokenizers;

namespace Alebrije.Tests.Tokenizers;

/// <summary>Vocabularies of whole words, written and read as T5 tokenizers.</summary>
public sealed class UnigramTrainerTests : IDisposable
{
    private static readonly string[] Texts = ["a red car", "a red t-shirt, two cars", "una manzana roja y un león", "a car"];

    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-unigram-").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public void Saved_IsReadAsAT5Tokenizer_OfWholeWords()
    {
        UnigramTrainer.Save(UnigramTrainer.Train(Texts, 200), folder, 77);
        var tokenizer = UnigramTokenizer.Load(folder);
        Assert.Equal((UnigramDialect.T5, 77, 0, 1, 2),
            (tokenizer.Dialect, tokenizer.MaxLength, tokenizer.PadId, tokenizer.EndId, tokenizer.UnknownId));
        Assert.Equal(["▁a", "▁red", "▁car", "</s>"], tokenizer.Tokens("a red car"));
        Assert.Equal(["▁a", "▁red", "▁t", "-", "shirt", ",", "▁two", "▁cars", "</s>"], tokenizer.Tokens("a red t-shirt, two cars"));
        Assert.Equal(["▁un", "▁león", "</s>"], tokenizer.Tokens("un león"));
        Assert.Equal(["▁", "d", "e", "c", "</s>"], tokenizer.Tokens("dec"));
        Assert.Contains(tokenizer.UnknownId, tokenizer.Encode("Ω"));
        Assert.All(Texts, text => Assert.Equal(text, tokenizer.Decode(tokenizer.Encode(text))));
        Assert.Equal([.. tokenizer.Encode("a car"), 0, 0], tokenizer.EncodeBatch(["a car"], 5)[0]);
    }

    [Fact]
    public void Train_KeepsTheMostFrequentWords_AndIsTheSameForEveryOrder()
    {
        var pieces = UnigramTrainer.Train(Texts, 30);
        Assert.Equal(30, pieces.Count);
        Assert.Equal(["<pad>", "</s>", "<unk>"], pieces.Take(3).Select(piece => piece.Piece));
        Assert.Equal("▁a", pieces.First(piece => piece.Piece.Length > 1 && piece.Piece[0] == '▁').Piece);
        Assert.Equal(pieces, UnigramTrainer.Train(Texts.Reverse(), 30));
        Assert.Contains("characters", Assert.Throws<ArgumentOutOfRangeException>(() => UnigramTrainer.Train(Texts, 10)).Message,
            StringComparison.Ordinal);
    }
}
