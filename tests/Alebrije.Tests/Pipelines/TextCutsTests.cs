using Alebrije.Pipelines;
using Alebrije.Preprocessing.Tokenizers;
using Alebrije.Tests.Tokenizers;

namespace Alebrije.Tests.Pipelines;

/// <summary>Texts longer than a text encoder's context: the truncated part is reported, in the words of the text.</summary>
public sealed class TextCutsTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-cuts-").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    /// <summary>In CLIP's vocabulary each of these words is one token, except those with a comment.</summary>
    [Theory]
    [InlineData("a lion and a cat at night", 6, "cat at night")]
    [InlineData("a lion and a cat at night", 9, null)]
    [InlineData("a lion and a cat at night", 8, "night")]
    // "le", "ón</w>": a word is cut where a token ends.
    [InlineData("un le\u00f3n en el agua", 4, "\u00f3n en el agua")]
    [InlineData("un le\u00f3n en el agua", 5, "en el agua")]
    // The lion's face is one token, the orangutan and the sauropod two, the piñata three: a partly kept emoji is reported whole.
    [InlineData("lion \U0001F981\U0001F9A7 cat", 4, "\U0001F9A7 cat")]
    [InlineData("lion \U0001F981\U0001F9A7 cat", 5, "\U0001F9A7 cat")]
    [InlineData("lion \U0001F996 cat", 4, "\U0001F996 cat")]
    [InlineData("lion \U0001FA85 cat", 5, "\U0001FA85 cat")]
    public void ClipTokenizer_TellsTheCutText(string text, int length, string? expected) =>
        Check(ClipTokenizer.OpenAi(), text, length, expected);

    /// <summary>Every letter of this vocabulary is a token of its own; emoji are unknown to it, a row of them one token.</summary>
    [Theory]
    [InlineData("abc de", 5, "de")]
    [InlineData("abc de", 8, null)]
    [InlineData("a\u00f1o ni\u00f1o", 4, "o ni\u00f1o")]
    [InlineData("abc \U0001F981\U0001F9A7 de", 4, "c \U0001F981\U0001F9A7 de")]
    public void UnigramTokenizer_TellsTheCutText(string text, int length, string? expected)
    {
        File.WriteAllBytes(Path.Combine(folder, "spiece.model"), UnigramFixture.Make(
            [new("<pad>", 0, 3), new("</s>", 0, 3), new("<unk>", 0, 2), new("\u2581", -2),
                .. "abcdefghijklmnopqrstuvwxyz\u00f1".Select(letter => new TestPiece($"{letter}", -3))]));
        Check(UnigramTokenizer.Load(folder), text, length, expected);
    }

    [Fact]
    public void LongTexts_AreQuotedInPart()
    {
        var notes = new List<string>();
        TextCuts.Encode(ClipTokenizer.OpenAi(), [string.Concat(Enumerable.Repeat("lion ", 500))],
            77, out _, note => notes.Add(note.Sentence));
        Assert.InRange(Assert.Single(notes).Length, 300, 500);
    }

    private static void Check(ITextTokenizer tokenizer, string text, int length, string? expected)
    {
        var notes = new List<string>();
        var rows = TextCuts.Encode(tokenizer, [text], length, out var lengths, note => notes.Add(note.Sentence));
        Assert.Equal(tokenizer.EncodeBatch([text], length)[0], rows[0]);
        Assert.True(lengths[0] <= length);
        if (expected is null) Assert.Empty(notes);
        else Assert.EndsWith($"this part was cut: \"{expected}\".", Assert.Single(notes), StringComparison.Ordinal);
    }
}
