using Alebrije.Preprocessing.Tokenizers;

namespace Alebrije.Tests.Tokenizers;

public sealed class ClipTokenizerErrorTests : IDisposable
{
    private readonly DirectoryInfo folder = Directory.CreateTempSubdirectory("clip-tokenizer-");

    public void Dispose() => folder.Delete(recursive: true);

    [Fact]
    public void EncodeBatch_TooLongAndNotToBeCut_SaysBothNumbers()
    {
        var tokenizer = ClipTokenizer.LoadOpenAi(TextFixture.Vocabulary);
        var error = Assert.Throws<ArgumentException>(() =>
            tokenizer.EncodeBatch(["a lion", string.Concat(Enumerable.Repeat("lion ", 90))], 77, truncate: false));
        Assert.Contains("Text 2", error.Message, StringComparison.Ordinal);
        Assert.Contains("92 tokens", error.Message, StringComparison.Ordinal);
        Assert.Contains("77 fit", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Decode_IdBeyondTheVocabulary_SaysTheRange()
    {
        var tokenizer = ClipTokenizer.LoadOpenAi(TextFixture.Vocabulary);
        Assert.Contains("0 to 49407", Assert.Throws<ArgumentOutOfRangeException>(() => tokenizer.Decode([320, 49408])).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Load_NoSuchFolder_NamesIt() =>
        Assert.Contains("nowhere", Assert.Throws<DirectoryNotFoundException>(() =>
            ClipTokenizer.Load(Path.Combine(folder.FullName, "nowhere"))).Message, StringComparison.Ordinal);

    [Fact]
    public void Load_EmptyFolder_SaysWhatIsMissing() =>
        Assert.Contains("vocab.json", Assert.Throws<FileNotFoundException>(() => ClipTokenizer.Load(folder.FullName)).Message,
            StringComparison.Ordinal);

    [Theory]
    [InlineData("vocab.json", "{\"!\": 0", "not valid JSON")]
    [InlineData("vocab.json", "[]", "no JSON object")]
    [InlineData("vocab.json", "{\"!\": -3}", "an invalid id")]
    [InlineData("vocab.json", "{\"!\": \"x\"}", "an invalid id")]
    [InlineData("vocab.json", "{\"!\": 0}", "<|startoftext|>")]
    [InlineData("merges.txt", "#version: 0.2\na b c\n", "two symbols")]
    [InlineData("merges.txt", "#version: 0.2\nq zzz\n", "'zzz'")]
    [InlineData("tokenizer_config.json", "{\"pad_token\": \"<pad>\"}", "<pad>")]
    [InlineData("tokenizer_config.json", "{\"added_tokens_decoder\": {\"x\": {\"content\": \"<a>\"}}}", "an invalid id")]
    [InlineData("tokenizer_config.json", "{\"added_tokens_decoder\": {\"5\": 7}}", "another kind")]
    public void Load_BrokenFile_OneSentence(string file, string content, string said)
    {
        BpeTrainer.Train(["a lion and a dog and a lion"], 540).Save(folder.FullName);
        File.Delete(Path.Combine(folder.FullName, "special_tokens_map.json"));
        File.WriteAllText(Path.Combine(folder.FullName, file), content);
        Assert.Contains(said, Assert.Throws<InvalidDataException>(() => ClipTokenizer.Load(folder.FullName)).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void LoadOpenAi_FileCutShort_SaysHowManyMerges()
    {
        var path = Path.Combine(folder.FullName, "short.txt");
        File.WriteAllText(path, "heading\ni n\nt h\n");
        Assert.Contains("48894", Assert.Throws<InvalidDataException>(() => ClipTokenizer.LoadOpenAi(path)).Message,
            StringComparison.Ordinal);
        File.WriteAllBytes(path, [.. File.ReadAllBytes(TextFixture.Vocabulary).Take(2000), .. new byte[500]]);
        Assert.Contains(path, Assert.Throws<InvalidDataException>(() => ClipTokenizer.LoadOpenAi(path)).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => ClipTokenizer.LoadOpenAi(TextFixture.Vocabulary, ClipDialect.Transformers));
    }

    [Fact]
    public void Load_TokenizerJsonAlone_AsFromTheTwoFiles()
    {
        BpeTrainer.Train(["a lion and a dog and a lion"], 540).Save(folder.FullName, maxLength: 16);
        var expected = ClipTokenizer.Load(folder.FullName);
        var vocabulary = File.ReadAllText(Path.Combine(folder.FullName, "vocab.json"));
        var merges = File.ReadAllLines(Path.Combine(folder.FullName, "merges.txt")).Skip(1)
            .Select((merge, i) => i % 2 == 0 ? $"\"{merge}\"" : $"[\"{merge.Split(' ')[0]}\", \"{merge.Split(' ')[1]}\"]");
        File.WriteAllText(Path.Combine(folder.FullName, "tokenizer.json"),
            $"{{\"added_tokens\": [{{\"id\": 999, \"content\": \"<cat>\", "
                + $"\"normalized\": false}}], \"model\": {{\"vocab\": {vocabulary}, \"merges\": [{string.Join(',', merges)}]}}}}");
        File.Delete(Path.Combine(folder.FullName, "vocab.json"));

        var tokenizer = ClipTokenizer.Load(folder.FullName);
        Assert.Equal(expected.Encode("a LION and a cat"), tokenizer.Encode("a LION and a cat"));
        Assert.Equal([tokenizer.StartId, 999, tokenizer.EndId], tokenizer.Encode("<cat>"));
        Assert.Equal((1000, 16), (tokenizer.VocabularySize, tokenizer.MaxLength));
    }
}
