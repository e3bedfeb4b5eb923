using System.Buffers;
using Alebrije.Extensions.AI;
using Alebrije.Preprocessing.Tokenizers;
using Alebrije.Tests.Tokenizers;
using Microsoft.ML.Tokenizers;

namespace Alebrije.Tests.ExtensionsAI;

public sealed class ClipTextTokenizerTests
{
    private static readonly ClipTokenizer OpenAi = ClipTokenizer.OpenAi(), Transformers = TextFixture.LoadInTransformersLayout("!");

    /// <summary>The tokenizer through its base class, as used by Microsoft.ML.Tokenizers.</summary>
    private static readonly Tokenizer Tokenizer = new ClipTextTokenizer(OpenAi);

    private static readonly string[] Texts =
    [
        "", " ", "\t\n", "a lion", "A photo of a León.", "¿Dónde está el ñandú?",
            "café au lait &amp; più", "日本語のテキスト", "👩‍👩‍👧 family 😀", "it's we'll 3D",
        "<|endoftext|> inside", "e\u0301 decomposed", "antidisestablishmentarianism",
        "&lt;b&gt;", "  many   spaces ", "!?...", "\uD83D alone", "ﬁne “quotes”",
    ];

    public static TheoryData<string> EveryText => [.. Texts];

    [Theory]
    [MemberData(nameof(EveryText))]
    public void Encode_SameIdsAsClip_WhicheverWay(string text)
    {
        foreach (var clip in (ClipTokenizer[])[OpenAi, Transformers])
        {
            Tokenizer tokenizer = new ClipTextTokenizer(clip);
            var ids = clip.Encode(text);
            Assert.Equal(ids, tokenizer.EncodeToIds(text));
            Assert.Equal(ids, tokenizer.EncodeToIds(text.AsSpan()));
            Assert.Equal(ids, tokenizer.EncodeToTokens(text, out _).Select(token => token.Id));
            Assert.Equal(clip.Tokens(text), tokenizer.EncodeToTokens(text.AsSpan(), out _).Select(token => token.Value));
            Assert.Equal(ids.Length, tokenizer.CountTokens(text));
            Assert.Equal(clip.Decode(ids), tokenizer.Decode(ids));
        }
    }

    [Fact]
    public void Encode_GoldenTexts_SameIds()
    {
        foreach (var entry in TextFixture.Read(Path.Combine(TextFixture.Folder("clip-text"), "openai.json.gz")))
        {
            var tokens = Tokenizer.EncodeToTokens(entry.Text, out var normalized);
            Assert.Equal(entry.Ids, tokens.Select(token => token.Id));
            Assert.Equal(entry.Clean, normalized ?? entry.Text);
        }
    }

    [Theory]
    [MemberData(nameof(EveryText))]
    public void Offsets_CoverWhatTheTokensSpell(string text)
    {
        var tokens = Tokenizer.EncodeToTokens(text, out var normalized);
        var seen = normalized ?? text;
        Assert.Equal((0, 0), (tokens[0].Offset.Start.Value, tokens[0].Offset.End.Value));
        Assert.Equal((seen.Length, seen.Length), (tokens[^1].Offset.Start.Value, tokens[^1].Offset.End.Value));
        var behind = 0;
        foreach (var token in tokens)
        {
            var (start, end) = (token.Offset.Start.Value, token.Offset.End.Value);
            Assert.True(start <= behind || string.IsNullOrWhiteSpace(seen[behind..start]), $"a gap before {token.Value}");
            behind = Math.Max(behind, end);
            var spelled = token.Value.Replace("</w>", "", StringComparison.Ordinal);
            if (spelled.All(char.IsAscii) && token.Id < OpenAi.StartId) Assert.Equal(spelled, seen[start..end]);
        }

        Assert.True(string.IsNullOrWhiteSpace(seen[behind..]));
    }

    [Fact]
    public void NormalizedText_IsNullWhereNothingWasCleaned()
    {
        Tokenizer.EncodeToTokens("a lion over there", out var same);
        var tokens = Tokenizer.EncodeToTokens("A Lion", out var lower);
        Assert.Null(same);
        Assert.Equal("a lion", lower);
        Assert.Equal("Lion", "A Lion"[tokens[2].Offset]);
    }

    [Theory]
    [MemberData(nameof(EveryText))]
    public void IndexByTokenCount_PartsEncodeToThatManyTokens(string text)
    {
        var total = Tokenizer.CountTokens(text);
        for (var most = 1; most <= total + 1; most++)
        {
            var index = Tokenizer.GetIndexByTokenCount(text, most, out var normalized, out var count);
            Assert.InRange(count, 0, Math.Min(most, total));
            if (most >= total) Assert.Equal(((normalized ?? text).Length, total), (index, count));
            Assert.Equal(count, Tokenizer.EncodeToIds(text, most, out _, out var consumed).Count);
            if (most < total) Assert.Equal(index, consumed);

            var from = Tokenizer.GetIndexByTokenCountFromEnd(text, most, out normalized, out count);
            Assert.InRange(from, 0, (normalized ?? text).Length);
            Assert.InRange(count, 0, Math.Min(most, total));
            if (most >= total) Assert.Equal((0, total), (from, count));
        }
    }

    [Fact]
    public void IndexByTokenCount_OfWords_CutsBetweenThem()
    {
        // start, "a", "red", "lion", end
        Assert.Equal("a red".Length, Tokenizer.GetIndexByTokenCount("a red lion", 3, out _, out var count));
        Assert.Equal(3, count);
        Assert.Equal("a red ".Length, Tokenizer.GetIndexByTokenCountFromEnd("a red lion", 2, out _, out count));
        Assert.Equal(2, count);
    }

    [Fact]
    public void IndexByTokenCount_NeverCutsACharacter()
    {
        const string Text = "x 𒀀𒀁";
        for (var most = 1; most < Tokenizer.CountTokens(Text); most++)
        {
            var index = Tokenizer.GetIndexByTokenCount(Text, most, out _, out _);
            Assert.False(index < Text.Length && char.IsLowSurrogate(Text[index]), $"{most} tokens cut a character at {index}");
        }
    }

    [Fact]
    public void Settings_WithoutNormalizationOrWords()
    {
        Assert.Equal(Tokenizer.EncodeToIds("a lion"), Tokenizer.EncodeToIds("a lion", considerNormalization: false));
        Assert.NotEqual(Tokenizer.EncodeToIds("A LION"), Tokenizer.EncodeToIds("A LION", considerNormalization: false));
        Assert.NotEqual(Tokenizer.EncodeToIds("a lion"), Tokenizer.EncodeToIds("a lion", considerPreTokenization: false));
        Assert.Equal("a lion", Tokenizer.Decode(Tokenizer.EncodeToIds("a lion", considerPreTokenization: false)));
    }

    [Fact]
    public void Decode_IntoASpan_AsMuchAsHasRoom()
    {
        var ids = OpenAi.Encode("a red lion");
        Span<char> all = stackalloc char[32];
        Assert.Equal(OperationStatus.Done, Tokenizer.Decode(ids, all, out var consumed, out var written));
        Assert.Equal((ids.Length, "a red lion"), (consumed, all[..written].ToString()));

        Assert.Equal(OperationStatus.DestinationTooSmall, Tokenizer.Decode(ids, all[..6], out consumed, out written));
        Assert.Equal((3, "a red"), (consumed, all[..written].ToString()));

        Assert.Equal(OperationStatus.InvalidData, Tokenizer.Decode([1, 99_999], all, out consumed, out written));
        Assert.Equal((0, 0), (consumed, written));
        Assert.Throws<ArgumentOutOfRangeException>(() => Tokenizer.Decode([99_999]));
    }
}
