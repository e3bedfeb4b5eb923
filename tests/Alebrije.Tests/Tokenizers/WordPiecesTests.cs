using Alebrije.Preprocessing.Tokenizers;

namespace Alebrije.Tests.Tokenizers;

/// <summary>Symbols as readable text.</summary>
public sealed class WordPiecesTests
{
    [Theory]
    [InlineData("a lion", "a|lion")]
    [InlineData("un león", "un|león")]
    [InlineData("a 🦁", "a|🦁")]
    [InlineData("猫が好き ñandú", "猫が好き|ñandú")]
    [InlineData("a <|endoftext|> b", "a|<|endoftext|>|b")]
    public void Words_AreThoseOfTheText(string text, string words)
    {
        var symbols = ClipTokenizer.OpenAi().Tokens(text)[1..^1];
        var found = WordPieces.Words(symbols);
        Assert.Equal(words.Replace("<|endoftext|>", "<end>", StringComparison.Ordinal).Split('|'),
            found.Select(word => word.Word.Replace("<|endoftext|>", "<end>", StringComparison.Ordinal)));
        Assert.Equal(symbols.Length, found.Sum(word => word.Symbols));
        Assert.Equal(string.Concat(found.Select(word => word.Word)), string.Concat(WordPieces.Pieces(symbols)));
    }

    [Fact]
    public void Pieces_ComeWithTheSymbolThatCompletesThem()
    {
        Assert.Equal(["le", "ón", "", "", "", "🦁"], WordPieces.Pieces(["le", "Ã³n</w>", "ð", "Ł", "¦", "ģ</w>"]));
        Assert.Equal(["a", "\uFFFD"], WordPieces.Pieces(["a</w>", "ð"]));
        Assert.Empty(WordPieces.Pieces([]));
    }

    [Fact]
    public void SentencePiece_HasLettersAlready()
    {
        Assert.Equal([("un", 1), ("león", 2)], WordPieces.Words(["\u2581un", "\u2581le", "ón"]));
        Assert.Equal(["un", "le", "ón"], WordPieces.Pieces(["\u2581un", "\u2581le", "ón"]));
    }
}
