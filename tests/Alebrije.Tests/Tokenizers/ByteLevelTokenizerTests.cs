using System.Text.Json;
using System.Text.RegularExpressions;
using Alebrije.Preprocessing;
using Alebrije.Preprocessing.Tokenizers;
using Alebrije.Tests.Pipelines;

namespace Alebrije.Tests.Tokenizers;

/// <summary>Byte-level BPE of GPT-NeoX and MPT.</summary>
public sealed partial class ByteLevelTokenizerTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-bytes-").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [GeneratedRegex(@"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+", RegexOptions.CultureInvariant)]
    private static partial Regex Published();

    [Fact]
    public void Words_OfRandomTexts_AreThoseOfThePublishedPattern()
    {
        string[] pieces =
        [
            " ", "  ", "\n", "\t", "a", "Ab", "é", "ñandú", "12", "½", "'s", "'re", "'", "'S", "<", "!?", "日本", "\u00a0", "don't",
        ];
        var random = new SeededRandom(7);
        for (var round = 0; round < 2000; round++)
        {
            var text = string.Concat(Enumerable.Range(0, 1 + random.Below(12)).Select(_ => pieces[random.Below(pieces.Length)]));
            var words = new GptWordReader(text);
            var ours = new List<string>();
            while (words.MoveNext()) ours.Add(words.Current.ToString());
            Assert.Equal(Published().Matches(text).Select(m => m.Value), ours);
        }
    }

    [Fact]
    public void Merges_ApplyWithinWordsByRank_AndAddedTokensBeforeThem()
    {
        Write(["Ġ t", "h e", "Ġt he"], normalizer: "NFC",
            ("<|endoftext|>", false, true), ("  ", true, false));
        var tokenizer = ByteLevelTokenizer.Load(folder).With(["<|endofchunk|>", "<image>", "<PAD>"], "<|endofchunk|>", "<PAD>");
        var added = tokenizer.VocabularySize - 5;
        Assert.Equal(["Ġthe", "t", "he", "Ġt", "h", "<|endoftext|>", "<image>"],
            Symbols(tokenizer, " the", "the", " th", "<|endoftext|><image>"));
        Assert.Equal([added + 2, added + 3, added + 4], ((string[])["<|endofchunk|>", "<image>", "<PAD>"]).Select(tokenizer.IdOf));
        Assert.Equal((added + 2, added + 4), (tokenizer.EndId, tokenizer.PadId));

        // A run of spaces is a token of its own, and é is composed first.
        Assert.Equal(["a", "  ", "b"], tokenizer.Tokens("a  b"));
        Assert.Equal(tokenizer.Encode("\u00e9"), tokenizer.Encode("e\u0301"));
    }

    [Fact]
    public void Decode_OfEveryText_IsTheText()
    {
        FlamingoFiles.WriteTokenizer(folder);
        var tokenizer = ByteLevelTokenizer.Load(folder).With(["<image>"], "<image>", "<image>");
        foreach (var text in new[] { " two  cats\n", "¿Cuántos gatos hay?", "日本 👍🏽", "tab\tand 'quotes'" })
            Assert.Equal(text, tokenizer.Decode(tokenizer.Encode(text)));
        Assert.Equal("ab", tokenizer.Decode(tokenizer.Encode("a<image>b")));
        Assert.Equal("a<image>b", tokenizer.Decode(tokenizer.Encode("a<image>b"), keepSpecial: true));
    }

    [Fact]
    public void File_OfAnotherKind_IsRefused()
    {
        Write([], normalizer: "Lowercase");
        Assert.Contains("Lowercase", Assert.Throws<InvalidDataException>(() => ByteLevelTokenizer.Load(folder)).Message,
            StringComparison.Ordinal);
        File.Delete(Path.Combine(folder, "tokenizer.json"));
        Assert.Contains("has no tokenizer.json", Assert.Throws<FileNotFoundException>(() => ByteLevelTokenizer.Load(folder)).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Vocabulary_WithoutASymbolForAByte_IsRefused()
    {
        Write([], normalizer: "NFC");
        var file = Path.Combine(folder, "tokenizer.json");
        File.WriteAllText(file, File.ReadAllText(file).Replace("\"a\":97,", "", StringComparison.Ordinal));
        Assert.EndsWith("has no symbol for the byte 97 ('a'); the vocabulary of a byte-level BPE has all 256.",
            Assert.Throws<InvalidDataException>(() => ByteLevelTokenizer.Load(folder)).Message, StringComparison.Ordinal);
    }

    private static string[] Symbols(ByteLevelTokenizer tokenizer, params string[] texts) => [.. texts.SelectMany(tokenizer.Tokens)];

    private void Write(string[] merges, string normalizer, params (string Content, bool Normalized, bool Special)[] added)
    {
        var vocabulary = new Dictionary<string, int>(StringComparer.Ordinal);
        for (var value = 0; value < 256; value++) vocabulary[ByteSymbols.Of((byte)value).ToString()] = value;
        foreach (var merge in merges) vocabulary[merge.Replace(" ", "", StringComparison.Ordinal)] = vocabulary.Count;
        File.WriteAllText(Path.Combine(folder, "tokenizer.json"), JsonSerializer.Serialize(new
        {
            added_tokens = added.Select((a, i) => new
            {
                id = vocabulary.Count + i, content = a.Content, normalized = a.Normalized, special = a.Special,
            }),
            normalizer = new { type = normalizer },
            pre_tokenizer = new { type = "ByteLevel", add_prefix_space = false, trim_offsets = true },
            model = new { type = "BPE", vocab = vocabulary, merges },
        }));
    }
}
