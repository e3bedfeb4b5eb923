using System.Text;
using Alebrije.Preprocessing.Tokenizers;
using Alebrije.Preprocessing.Tokenizers.Cleaning;
using CsCheck;

namespace Alebrije.Tests.Tokenizers;

/// <summary>The tokenizer's short path for plain texts gives the same ids as the full path.</summary>
public sealed class PlainTextPathTests
{
    private static readonly ClipTokenizer OpenAi = ClipTokenizer.OpenAi(), OpenClip = ClipTokenizer.OpenAi(ClipDialect.OpenClip),
    Transformers = TextFixture.LoadInTransformersLayout("!");

    private static readonly char[] PlainLetters = [.. Enumerable.Range(0x80, 0xFF80)
        .Select(code => (char)code).Where(PlainAlphabet.IsPlainLetter)];

    private static readonly Gen<string> Piece = Gen.OneOf(
        Gen.OneOf("a photo of", " ", "\n\t", "  ", "it's", "'S", "we'LL",
            "'re", "''s", "!?'ve", "3D", "12", "león", "un ñandú", "straße", "日本語", "한국어", "кот", "motorcyclemotorcycle",
            "ÀÉ", "<", "&amp;", "<|endoftext|>", "¿qué?", "’s", "ﬁ", "œuvre",
            "ſ", "İ", "Σ", "😀", "\r", "\u00A0", "\u0345", "e\u0301", "Ã©", "\u000B"),
        Gen.String[Gen.Char[' ', '~'], 0, 20],
        Gen.String[Gen.Int[0, PlainLetters.Length - 1].Select(i => PlainLetters[i]), 0, 5],
        Gen.String[Gen.Char['\u00C0', '\u024F'], 0, 5]);

    private static readonly Gen<string> Text = Piece.Array[0, 8].Select(pieces => string.Concat(pieces));

    [Fact]
    public void Encode_TextOfAnyKind_SameIdsAsTheWholeWay() => Text.Sample(
        text =>
        {
            foreach (var tokenizer in (ClipTokenizer[])[OpenAi, OpenClip, Transformers])
                Assert.Equal(tokenizer.EncodeToTokens(text, out _).Select(token => token.Id), tokenizer.Encode(text));
        },
        iter: 4000);

    /// <summary>Plain characters alone match no rule about misread text: each rule has a position that none of them matches.</summary>
    [Fact]
    public void PlainAlphabet_ShowsNoMisreadText()
    {
        char[] all = [.. Enumerable.Range(0, 0x80).Select(code => (char)code), .. PlainLetters];
        Assert.True(PlainLetters.Length > 30_000, $"only {PlainLetters.Length} plain letters");
        Assert.All(MojibakeClues.Rules, rule => Assert.Contains(rule, set => !all.Any(set.Contains)));
    }

    [Fact]
    public void MisreadText_BeginsInTheBasicPlane() =>
        Assert.All(MojibakeClues.Rules,
            rule => Assert.DoesNotContain((string[])["\U0001F600", "\U00010428", "\U0001D7D8"], pair => rule[0].Contains(pair, out _)));

    [Fact]
    public void PlainAlphabet_CleaningLeavesEachLetter()
    {
        foreach (var chunk in PlainLetters.Chunk(500))
        {
            var text = string.Join(' ', chunk);
            Assert.Equal(text, ClipCleaning.Clean(text, ClipDialect.OpenAi));
            Assert.Equal(text, ClipCleaning.Clean(text, ClipDialect.Transformers));
        }
    }

    [Fact]
    public void Spells_StopsAtInitialsOfSpecialTokens()
    {
        var alphabet = new PlainAlphabet(['!', 'q']);
        Assert.True(alphabet.Spells("A león, 3 cats?\n日本"));
        foreach (var text in (string[])["hi!", "q", "Q", "a & b", "<", "É", "¿", "\u0001", "\u007F", "😀"])
            Assert.False(alphabet.Spells(text), text);
    }

    [Fact]
    public void Lower_EveryByte_LikeAscii()
    {
        var bytes = Enumerable.Range(0, 256).Select(value => (byte)value).ToArray();
        var expected = bytes.Select(value => value is >= (byte)'A' and <= (byte)'Z' ? (byte)(value + 32) : value).ToArray();
        PlainWordReader.Lower(bytes, bytes.Length);
        Assert.Equal(expected, bytes);
    }

    [Fact]
    public void WordCache_FindsWhatWasAddedLast_AndNothingElse()
    {
        var cache = new WordCache();
        var random = new Random(3);
        var found = 0;
        for (var i = 0; i < 200_000; i++)
        {
            // Words with equal beginnings, ends or everything except their length.
            var word = new string('a', random.Next(1, 40)) + random.Next(300) + new string('b', random.Next(0, 24));
            if (word.Length > WordCache.LongestWord) continue;
            var bytes = Encoding.UTF8.GetBytes(word + new string('c', WordCache.Padding));
            int[] ids = [word.Length, .. word.Select(unit => (int)unit)];
            if (cache.Find(bytes, 0, word.Length) is { } entry)
            {
                found++;
                Assert.Equal(ids, entry.Ids.ToArray());
            }
            else
            {
                cache.Add(bytes, 0, word.Length, ids);
                Assert.Equal(ids, cache.Find(bytes, 0, word.Length)!.Ids.ToArray());
            }
        }

        Assert.True(found > 1000, $"{found} found again");
    }

    [Fact]
    public void Encode_WordsOfEveryLength_DecodeToThemselves()
    {
        for (var length = 1; length < 200; length++)
        {
            var word = string.Concat(Enumerable.Range(0, length).Select(i => (char)('a' + (i * 7 % 26))));
            Assert.Equal($"{word} {word}", OpenAi.Decode(OpenAi.Encode($"{word} {word}")));
        }
    }

    [Fact]
    public void MergeTable_FindsEveryPair_TheLastOfTwins()
    {
        var merges = Enumerable.Range(0, 5000).Select(i => (i * 31 % 4096, i * 17 % 4093, i))
            .Append((0, 0, 9999)).Append((31, 17, 7777)).ToList();
        var table = new MergeTable(merges);
        Assert.Equal(9999, table.MergedOf(table.RankOf(0, 0)));
        Assert.Equal(7777, table.MergedOf(table.RankOf(31, 17)));
        foreach (var (left, right, merged) in merges.Skip(2).Take(4998)) Assert.Equal(merged, table.MergedOf(table.RankOf(left, right)));
        Assert.Equal(MergeTable.NoRank, table.RankOf(4095, 4095));
        Assert.Throws<InvalidDataException>(() => new MergeTable([(1 << 20, 0, 1)]));
    }
}
