using Alebrije.Preprocessing.Tokenizers;
using CsCheck;

namespace Alebrije.Tests.Tokenizers;

public sealed class ClipTokenizerPropertyTests
{
    private static readonly ClipTokenizer Tokenizer = TextFixture.LoadInTransformersLayout("<|endoftext|>");

    private static readonly Gen<string> Piece = Gen.OneOf(
        Gen.OneOf("a lion", "León", "MOTOCICLETA", "don't", "'s", "12",
            "½", "ΣΊΣΥΦΟΣ", "İ", "한국어", "👩‍👩‍👧", "e\u0301", "\u1100\u1161\u11A8", "!?", "x²", "\u00A0", " \t", "\u0345"),
        Gen.String[Gen.Char['\u0001', '\uFFFF'], 0, 6],
        Gen.String[Gen.Char[' ', '~'], 0, 12]);

    private static readonly Gen<string> Text = Piece.Array[0, 6].Select(pieces => string.Concat(pieces));

    [Fact]
    public void Encode_WhatDecodeGave_SameIds() => Text.Sample(text =>
    {
        // Lower case follows normal form C, so "İ" before a mark below leaves marks in another order: cleaning twice changes the text.
        var clean = Tokenizer.Clean(text);
        if (Tokenizer.Clean(clean) != clean) return true;
        var ids = Tokenizer.Encode(text);
        return Tokenizer.Encode(Tokenizer.Decode(ids)).SequenceEqual(ids);
    });

    [Fact]
    public void Decode_CleanWords_SameWords() =>
        Gen.OneOf("a", "lion", "león", "niña", "собака", "日本", "😀", "7").Array[0, 8].Select(words => string.Join(' ', words))
            .Sample(text => Tokenizer.Decode(Tokenizer.Encode(text)) == text);

    [Fact]
    public void EncodeBatch_ManyTexts_RowsOfTheSingleOnes() => Gen.Select(Text.Array[0, 5], Gen.Int[2, 24]).Sample((texts, length) =>
    {
        var rows = Tokenizer.EncodeBatch(texts, length, out var lengths);
        for (var i = 0; i < texts.Length; i++)
        {
            var ids = Tokenizer.Encode(texts[i]);
            var kept = Math.Min(ids.Length, length);
            Assert.Equal(length, rows[i].Length);
            Assert.Equal(kept, lengths[i]);
            Assert.Equal(ids.Take(kept - 1), rows[i].Take(kept - 1));
            Assert.Equal(Tokenizer.EndId, rows[i][kept - 1]);
            Assert.All(rows[i].Skip(kept), id => Assert.Equal(Tokenizer.PadId, id));
        }
    });

    [Fact]
    public void Encode_FromManyThreads_SameIds()
    {
        var tokenizer = TextFixture.LoadInTransformersLayout("!");
        var texts = Enumerable.Range(0, 400).Select(i => $"a lion number {i % 57} über den {i % 31} Bergen, señor{i % 13}").ToArray();
        var expected = texts.Select(tokenizer.Encode).ToArray();
        var fresh = TextFixture.LoadInTransformersLayout("!");
        var found = new int[texts.Length][];
        Parallel.For(0, texts.Length, i => found[i] = fresh.Encode(texts[i]));
        Assert.Equal(expected, found);
    }

    [Fact]
    public void Merge_ByScanningAndByQueue_SameSymbols()
    {
        var vocabulary = BpeVocabulary.ReadOpenAi(TextFixture.Vocabulary);
        var ids = vocabulary.Tokens.Select((symbol, id) => (symbol, id)).ToDictionary(pair => pair.symbol, pair => pair.id);
        var encoder = new BytePairEncoder(ids, vocabulary.Merges, unknown: 0);
        Gen.OneOf(Gen.Int[0, 511], Gen.Int[64, 89], Gen.Const(64)).Array[1, 128].Sample(symbols =>
        {
            int[] scanned = [.. symbols], queued = [.. symbols];
            var counts = (encoder.MergeByScanning(scanned), encoder.MergeByQueue(queued));
            Assert.Equal(counts.Item1, counts.Item2);
            Assert.Equal(scanned.Take(counts.Item1), queued.Take(counts.Item2));
        });
    }

    [Fact]
    public void Encode_WordOfManyLetters_ReturnsSoon()
    {
        var word = string.Concat(Enumerable.Repeat("motorcycle", 30_000));
        Assert.Equal(word, Tokenizer.Decode(Tokenizer.Encode(word)));
    }
}
