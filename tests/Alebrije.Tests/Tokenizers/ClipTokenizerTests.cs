using Alebrije.Preprocessing.Tokenizers;

namespace Alebrije.Tests.Tokenizers;

public sealed class ClipTokenizerTests
{
    [Fact]
    public void Encode_GoldenTextsOfTransformers_NoDifference()
    {
        var tokenizer = TextFixture.LoadInTransformersLayout(padToken: "<|endoftext|>");
        var cases = TextFixture.Read(Path.Combine(TextFixture.Folder("clip-text"), "transformers.json.gz"));
        Assert.Equal(4000, cases.Count);
        var differences = cases.Select(expected => (expected, ids: tokenizer.Encode(expected.Text)))
            .Where(pair => !pair.ids.SequenceEqual(pair.expected.Ids))
            .Select(pair => $"{TextFixture.Show(pair.expected.Text)}\n "
                + $" {string.Join(' ', pair.expected.Ids)}\n  {string.Join(' ', pair.ids)}").ToList();
        TextFixture.AssertNone(differences, cases.Count);
    }

    [Theory]
    [InlineData("<|endoftext|>", "padded/input_ids", "padded/attention_mask")]
    [InlineData("!", "padded/ids_pad_bang", "padded/mask_pad_bang")]
    public void EncodeBatch_GoldenRowsOfTransformers_NoDifference(string padToken, string idsName, string maskName)
    {
        var tokenizer = TextFixture.LoadInTransformersLayout(padToken);
        var path = Path.Combine(TextFixture.Folder("clip-text"), "transformers.safetensors");
        var rows = tokenizer.EncodeBatch(FirstAndLast("transformers"), 77, out var lengths);
        Assert.Equal(TextFixture.ReadRows(path, idsName), rows);
        Assert.Equal(TextFixture.ReadRows(path, maskName).Select(row => row.Sum()), lengths);
    }

    [Theory]
    [InlineData("clip-tokenizer-sd1", 623)]
    [InlineData("clip-tokenizer-karlo", 0)]
    public void Load_FolderOfAPipeline_RowsOfTheReference(string name, int padId)
    {
        var tokenizer = ClipTokenizer.Load(TextFixture.Folder(name));
        Assert.Equal((padId, 77, 624, 623), (tokenizer.PadId, tokenizer.MaxLength, tokenizer.VocabularySize, tokenizer.EndId));
        foreach (var expected in TextFixture.Read(Path.Combine(TextFixture.Folder(name), "text.json")))
        {
            var row = Assert.Single(tokenizer.EncodeBatch([expected.Text], expected.MaxLength, out var lengths));
            Assert.Equal(expected.Ids, row);
            Assert.Equal(expected.Length, lengths[0]);
        }
    }

    [Fact]
    public void Encode_GoldenTextsOfOpenAi_NoDifference() => CheckTexts("openai", 4000, _ => ClipDialect.OpenAi);

    [Fact]
    public void Encode_GoldenTextsOfOpenClip_NoDifference() => CheckTexts("open-clip", 6000, mode => mode switch
    {
        "lower" => ClipDialect.OpenClip,
        "whitespace" => ClipDialect.OpenClipWhitespace,
        _ => ClipDialect.OpenClipCanonicalize,
    });

    [Theory]
    [InlineData("openai", ClipDialect.OpenAi)]
    [InlineData("open-clip", ClipDialect.OpenClip)]
    public void EncodeBatch_GoldenRowsOfTheSingleFile_NoDifference(string name, ClipDialect dialect)
    {
        var rows = ClipTokenizer.LoadOpenAi(TextFixture.Vocabulary, dialect).EncodeBatch(FirstAndLast(name), 77);
        Assert.Equal(TextFixture.ReadRows(Path.Combine(TextFixture.Folder("clip-text"), name + ".safetensors"), "tokenize/ids"), rows);
    }

    private static void CheckTexts(string name, int count, Func<string?, ClipDialect> dialect)
    {
        var cases = TextFixture.Read(Path.Combine(TextFixture.Folder("clip-text"), name + ".json.gz"));
        Assert.Equal(count, cases.Count);
        var tokenizers = cases.Select(expected => dialect(expected.Mode))
            .Distinct().ToDictionary(each => each, each => ClipTokenizer.LoadOpenAi(TextFixture.Vocabulary, each));
        var differences = new List<string>();
        foreach (var expected in cases)
        {
            var tokenizer = tokenizers[dialect(expected.Mode)];
            if (tokenizer.Clean(expected.Text) is var clean && clean != expected.Clean)
                differences.Add($"clean {TextFixture.Show(expected.Text)}\n "
                    + $" {TextFixture.Show(expected.Clean!)}\n  {TextFixture.Show(clean)}");
            else if (tokenizer.Encode(expected.Text) is var ids && !ids.SequenceEqual(expected.Ids))
                differences.Add($"ids {TextFixture.Show(expected.Text)}\n  {string.Join(' ', expected.Ids)}\n  {string.Join(' ', ids)}");
        }
        TextFixture.AssertNone(differences, cases.Count);
    }

    private static List<string> FirstAndLast(string name)
    {
        var cases = TextFixture.Read(Path.Combine(TextFixture.Folder("clip-text"), name + ".json.gz"))
            .Where(entry => entry.Mode is null or "lower").ToList();
        return [.. cases.Take(40).Concat(cases.TakeLast(60)).Select(entry => entry.Text)];
    }
}
