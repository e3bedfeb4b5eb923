using System.Text.Json.Nodes;
using Alebrije.Preprocessing.Tokenizers;
using Alebrije.Verification;

namespace Alebrije.Tests.Tokenizers;

public sealed class UnigramTokenizerTests : IDisposable
{
    private static readonly TestPiece[] Plain =
        [new("<unk>", 0, 2), new("<s>", 0, 3), new("</s>", 0, 3), new("\u2581", -2),
            new("a", -3), new("b", -3), new("ab", -5), new("\u2581ab", -7.5f)];

    private readonly DirectoryInfo folder = Directory.CreateTempSubdirectory("alebrije-unigram-");

    public void Dispose() => folder.Delete(recursive: true);

    [Theory]
    [InlineData(UnigramFixture.XlmRoberta, 1500)]
    [InlineData(UnigramFixture.Identity, 400)]
    [InlineData(UnigramFixture.ByteFallback, 400)]
    public void Golden_EveryTextHasTheReferencesIds(string name, int texts)
    {
        UnigramFixture.Write(name, folder.FullName);
        var report = Verifier.Run(folder.FullName, cancellation: TestContext.Current.CancellationToken);
        Assert.True(report.Ok, report.First);
        Assert.Equal(["ids", "normalized", "pieces", "padded", "mask"], report.Cases.Select(c => c.Output));
        Assert.Equal(texts, report.Cases[0].Texts);
        Assert.All(report.Cases, c => Assert.True(c.Texts > 40, c.Output));
    }

    [Theory]
    [InlineData("ids")]
    [InlineData("normalized")]
    [InlineData("pieces")]
    [InlineData("padded")]
    [InlineData("mask")]
    public void Golden_ThatWasChanged_IsNoticed(string field)
    {
        UnigramFixture.Write(UnigramFixture.XlmRoberta, folder.FullName);
        var path = Path.Combine(folder.FullName, "text.json");
        var texts = JsonNode.Parse(File.ReadAllText(path))!.AsArray();
        var changed = texts.First(text => text![field] is not null
            && text["text"]!.GetValue<string>().StartsWith("A lion", StringComparison.Ordinal))!;
        if (field == "normalized") changed[field] = "\u2581A lion";
        else if (field == "pieces") changed[field]![1] = "B";
        else changed[field]![1] = 77;
        File.WriteAllText(path, texts.ToJsonString());
        var failed = Assert.Single(Verifier.Run(folder.FullName, cancellation: TestContext.Current.CancellationToken).Cases, c => !c.Ok);
        Assert.Equal((field, 1), (failed.Output, failed.Differences));
    }

    [Fact]
    public void Encode_OfAnyText_IsTheBestOfAllWaysToCutIt()
    {
        var random = new Random(4);
        for (var round = 0; round < 60; round++)
        {
            var spellings = Enumerable.Range(0, 12).Select(_ => Spelling(1 + random.Next(3))).Append("x").Distinct().ToArray();
            var pieces = spellings.Select(text => new TestPiece(text, -1 - (8 * random.NextSingle()))).ToArray();
            var tokenizer = Load(UnigramFixture.Make([new("<unk>", 0, 2), new("</s>", 0, 3), .. pieces], normaliser: [(3, 0)]));
            var text = Spelling(1 + random.Next(9));
            var unknown = pieces.Min(piece => piece.Score) - 10;
            var found = Score(tokenizer.Encode(text)[..^1], text);
            Assert.Equal(Best(text), found, 1e-4);

            double Best(string rest) => rest.Length == 0 ? 0 : pieces.Where(piece => rest.StartsWith(piece.Text, StringComparison.Ordinal))
                .Select(piece => piece.Score + Best(rest[piece.Text.Length..]))
                .Concat(spellings.Contains(rest[..1]) ? [] : [unknown + Best(rest[1..])]).Max();

            // Unknown characters in a row are one id: each costs its own.
            double Score(int[] ids, string whole) =>
                ids.Where(id => id > 1).Sum(id => (double)pieces[id - 2].Score)
                + (unknown * (whole.Length - ids.Where(id => id > 1).Sum(id => pieces[id - 2].Text.Length)));
        }

        string Spelling(int length) => string.Concat(Enumerable.Range(0, length).Select(_ => "xyz"[random.Next(3)]));
    }

    [Theory]
    [InlineData(UnigramFixture.Identity)]
    [InlineData(UnigramFixture.ByteFallback)]
    public void TokenizerJson_OfTheSameModel_GivesTheSameIds(string name)
    {
        var file = WriteModel(UnigramFixture.Model(name));
        var reference = UnigramTokenizer.LoadModel(file);
        var other = Directory.CreateDirectory(Path.Combine(folder.FullName, "fast")).FullName;
        Assert.False(UnigramTokenizer.IsIn(other));
        File.WriteAllText(Path.Combine(other, "tokenizer.json"), UnigramFixture.Json(file).ToJsonString());
        var tokenizer = UnigramTokenizer.Load(other);
        Assert.Equal((reference.VocabularySize, reference.EndId, reference.UnknownId),
            (tokenizer.VocabularySize, tokenizer.EndId, tokenizer.UnknownId));
        var texts = UnigramFixture.Texts(name);
        Assert.True(texts.Length > 300);
        Assert.All(texts, text => Assert.Equal(reference.Encode(text), tokenizer.Encode(text)));
    }

    [Theory]
    [InlineData("type", "BPE", "is not a unigram tokenizer")]
    [InlineData("unk_id", null, "names no unknown token")]
    [InlineData("vocab", 3, "none of its 0 pieces")]
    [InlineData("vocab", "pairs", "not a list of pieces with scores")]
    [InlineData("normalizer", "Lowercase", "it has the step Lowercase")]
    [InlineData("normalizer", "Strip", "leaves several in a row")]
    [InlineData("prepend_scheme", 3, "not of the kind that belongs there")]
    [InlineData("charsmap", "?", "not base64")]
    [InlineData("pre_tokenizer", "Whitespace", "it has the step Whitespace")]
    [InlineData("pre_tokenizer", null, "leaves spaces as they are")]
    [InlineData("post_processor", "<s>", "do not stand before </s> alone")]
    public void TokenizerJson_ThatSaysOtherwise_IsRefusedInOneSentence(string part, object? value, string says)
    {
        var json = UnigramFixture.Json(WriteModel(UnigramFixture.Make(Plain)));
        JsonNode Step(object? type) => new JsonObject { ["type"] = type as string };
        switch (part)
        {
            case "normalizer" or "pre_tokenizer": json[part] = value is null ? null : Step(value); break;
            case "prepend_scheme": json["pre_tokenizer"]![part] = (int)value!; break;
            case "charsmap": json["normalizer"] = new JsonObject { ["type"] = "Precompiled", ["precompiled_charsmap"] = "?" }; break;
            case "post_processor": json[part]!["single"]!.AsArray()
                .Insert(0, new JsonObject { ["SpecialToken"] = new JsonObject { ["id"] = "<s>" } }); break;
            default: json["model"]![part] = value switch { "pairs" => new JsonArray("a", "b"),
                int number => number, string text => text, _ => null }; break;
        }

        var other = Directory.CreateDirectory(Path.Combine(folder.FullName, "fast")).FullName;
        File.WriteAllText(Path.Combine(other, "tokenizer.json"), json.ToJsonString());
        var message = Record.Exception(() => UnigramTokenizer.Load(other)) is (InvalidDataException or FileNotFoundException) and var error
            ? error.Message : "none";
        Assert.Contains(says, message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', message);
    }

    [Fact]
    public void Encode_OfEquallyGoodWays_KeepsThatFoundFirst()
    {
        // ab alone costs 5, a and b cost 6; with the space in front the longest costs 7.5 against 7.
        var tokenizer = Load(UnigramFixture.Make(Plain));
        Assert.Equal(["\u2581", "ab", "</s>"], tokenizer.Tokens("ab"));
        var tied = Load(UnigramFixture.Make([.. Plain[..6], new("ab", -6), new("\u2581a", -5)]));
        Assert.Equal(["\u2581", "ab", "</s>"], tied.Tokens("ab"));
    }

    [Fact]
    public void Encode_OfUnknownCharacters_FusesThemOrGivesBytes()
    {
        var tokenizer = Load(UnigramFixture.Make(Plain));
        Assert.Equal([3, 4, 0, 5, 2], tokenizer.Encode("a\u00e9\u00e8b"));
        Assert.Equal(["\u2581", "a", "\u00e9\u00e8", "b", "</s>"], tokenizer.Tokens("a\u00e9\u00e8b"));
        Assert.Equal("a \u2047 b", tokenizer.Decode(tokenizer.Encode("a\u00e9\u00e8b")));

        var bytes = Load(UnigramFixture.Make([.. Plain,
            .. Enumerable.Range(0, 256).Select(value => new TestPiece($"<0x{value:X2}>", 0, 6))], [(35, 1)]));
        Assert.Equal([3, 4, 8 + 0xC3, 8 + 0xA9, 5, 2], bytes.Encode("a\u00e9b"));
        Assert.Equal("a\u00e9b", bytes.Decode(bytes.Encode("a\u00e9b")));
    }

    [Fact]
    public void Encode_OfUserDefinedAndUnusedPieces_AlwaysAndNeverTakesThem()
    {
        var tokenizer = Load(UnigramFixture.Make([.. Plain, new("<ab>", 0, 4), new("aa", -0.1f, 5)]));
        Assert.Equal(["\u2581", "a", "<ab>", "b", "</s>"], tokenizer.Tokens("a<ab>b"));
        Assert.Equal(["\u2581", "a", "a", "</s>"], tokenizer.Tokens("aa"));
    }

    [Theory]
    [InlineData(3, "ab", "a  b ")]
    [InlineData(4, "\u2581\u2581a\u2581\u2581b\u2581", " a  b ")]
    [InlineData(5, " a b", " a  b ")]
    public void Clean_WithAFlagOff_LeavesThatAlone(int flag, string normal, string text)
    {
        var tokenizer = Load(UnigramFixture.Make(Plain, normaliser: [(flag, 0)]));
        Assert.Equal(flag == 3 ? "a\u2581b" : normal, tokenizer.Clean(text));
    }

    [Fact]
    public void Clean_WithTheSpaceAsSuffix_PutsItBehind()
    {
        var tokenizer = Load(UnigramFixture.Make(Plain, trainer: [(24, 1)]));
        Assert.Equal("a\u2581b\u2581", tokenizer.Clean(" a  b "));
        Assert.Equal("ab b", tokenizer.Decode(tokenizer.Encode("ab b")));
    }

    [Fact]
    public void Clean_ByRules_IsWhatTheyWereCompiledFrom()
    {
        var tokenizer = UnigramTokenizer.LoadModel(WriteModel(UnigramFixture.Model(UnigramFixture.XlmRoberta)), UnigramDialect.XlmRoberta);

        // Compatibility forms, a ligature, an ideographic space, a control character, a zero-width space, Hangul.
        Assert.Equal("\u2581A\u25811\u2044fi\u2581x\u2581y\uAC00",
            tokenizer.Clean("\uFF21\u3000\u00B9\u2044\uFB01\u0009x\u200By\u0001\u1100\u1161"));
        Assert.Equal("\u2581a\u2581b", tokenizer.Clean("a\uD800b"));
        Assert.Equal("", tokenizer.Clean("\uFFFD"));
        Assert.Equal("\u2581\uFFFD", Load(UnigramFixture.Model(UnigramFixture.Identity)).Clean("\uD800"));
    }

    [Fact]
    public void XlmRoberta_SpecialTokens_HaveFairseqsIds()
    {
        File.WriteAllBytes(Path.Combine(folder.FullName, "sentencepiece.bpe.model"), UnigramFixture.Make(Plain));
        var silent = UnigramTokenizer.Load(folder.FullName);
        Assert.DoesNotContain(9, silent.Encode("a <mask>b"));
        File.WriteAllText(Path.Combine(folder.FullName, "tokenizer_config.json"),
            """{"tokenizer_class": "XLMRobertaTokenizer", "model_max_length": 77, "pad_token": "<pad>", "mask_token": {"content": "<mask>"}}""");
        var tokenizer = UnigramTokenizer.Load(folder.FullName);
        Assert.Equal((0, 1, 2, 3, 10, 77),
            (tokenizer.StartId, tokenizer.PadId, tokenizer.EndId, tokenizer.UnknownId, tokenizer.VocabularySize, tokenizer.MaxLength));
        Assert.Equal([0, 4, 5, 9, 4, 6, 3, 1, 2], tokenizer.Encode("a <mask>b\u00e9<pad>"));
        Assert.Equal(["<s>", "\u2581", "a", "<mask>", "\u2581", "b", "\u00e9", "<pad>", "</s>"], tokenizer.Tokens("a <mask>b\u00e9<pad>"));
        Assert.Equal("a b \u2047 ", tokenizer.Decode(tokenizer.Encode("a <mask>b\u00e9<pad>")));
        Assert.Equal("<s> a<mask> b \u2047 <pad></s>", tokenizer.Decode(tokenizer.Encode("a <mask>b\u00e9<pad>"), keepSpecial: true));
    }

    [Fact]
    public void T5_PaddingIsWhatItsFolderSays()
    {
        File.WriteAllBytes(Path.Combine(folder.FullName, "spiece.model"), UnigramFixture.Make([new("<pad>", 0, 3), .. Plain]));
        Assert.Equal((0, 3, 1, 512), Numbers());
        File.WriteAllText(Path.Combine(folder.FullName, "special_tokens_map.json"),
            """{"pad_token": {"content": "</s>"}, "eos_token": "</s>"}""");
        Assert.Equal((3, 3, 1, 512), Numbers());
        Assert.Equal([4, 5, 3, 3, 3], UnigramTokenizer.Load(folder.FullName).EncodeBatch(["a"], 5)[0]);

        (int Pad, int End, int Unknown, int Length) Numbers()
        {
            var tokenizer = UnigramTokenizer.Load(folder.FullName);
            Assert.Null(tokenizer.StartId);
            return (tokenizer.PadId, tokenizer.EndId, tokenizer.UnknownId, tokenizer.MaxLength);
        }
    }

    [Fact]
    public void EncodeBatch_OfALongText_CutsItAndKeepsTheEnd()
    {
        var tokenizer = Load(UnigramFixture.Make(Plain));
        var rows = tokenizer.EncodeBatch(["a b a b a b", "a"], 4, out var lengths);
        Assert.Equal([[3, 4, 3, 2], [3, 4, 2, 0]], rows);
        Assert.Equal([4, 3], lengths);
        var error = Assert.Throws<ArgumentException>(() => tokenizer.EncodeBatch(["a b a b a b"], 4, truncate: false));
        Assert.Contains("has 13 tokens", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Decode_OfAnIdBeyondTheVocabulary_SaysTheRange() =>
        Assert.Contains("0 to 7", Assert.Throws<ArgumentOutOfRangeException>(() => Load(UnigramFixture.Make(Plain)).Decode([8])).Message,
            StringComparison.Ordinal);

    [Fact]
    public void Load_OfAnotherFamilysFolder_IsRefused()
    {
        File.WriteAllBytes(Path.Combine(folder.FullName, "sentencepiece.bpe.model"), UnigramFixture.Make(Plain));
        File.WriteAllText(Path.Combine(folder.FullName, "tokenizer_config.json"), """{"tokenizer_class": "NllbTokenizer"}""");
        Assert.Contains("NllbTokenizer", Assert.Throws<InvalidDataException>(() => UnigramTokenizer.Load(folder.FullName)).Message,
            StringComparison.Ordinal);
        Assert.Contains("spiece.model", Assert.Throws<FileNotFoundException>(() => UnigramTokenizer.Load(Path.GetTempPath())).Message,
            StringComparison.Ordinal);
        Assert.Throws<DirectoryNotFoundException>(() => UnigramTokenizer.Load(Path.Combine(folder.FullName, "nowhere")));
        Assert.Throws<FileNotFoundException>(() => UnigramTokenizer.LoadModel(Path.Combine(folder.FullName, "nowhere.model")));
    }

    public static TheoryData<string, byte[]> Broken => new()
    {
        { "none of its 0 pieces", [] },
        { "does not end", [0x80, 0x80] },
        { "are left", [0x0A, 0x7F, 0x01] },
        { "wire type 3", [0x0B] },
        { "none of its 2 pieces spells text", UnigramFixture.Make([new("<unk>", 0, 2), new("</s>", 0, 3)]) },
        { "stands for unknown text", UnigramFixture.Make(Plain[1..]) },
        { "both stand", UnigramFixture.Make([.. Plain, new("?", 0, 2)]) },
        { "spelt the same", UnigramFixture.Make([.. Plain, new("a", -1)]) },
        { "unknown kind 7", UnigramFixture.Make([.. Plain, new("c", -1, 7)]) },
        { "is not a number", UnigramFixture.Make([.. Plain, new("c", float.NaN)]) },
        { "is empty", UnigramFixture.Make([.. Plain, new("")]) },
        { "should be a byte", UnigramFixture.Make([.. Plain, new("<0xZZ>", 0, 6)]) },
        { "fall back to bytes", UnigramFixture.Make(Plain, [(35, 1)]) },
        { "type is BPE", UnigramFixture.Make(Plain, [(3, 2)]) },
        { "normalisation rules", [.. UnigramFixture.Make(Plain), 0x1A, 0x08, 0x12, 0x06, 0xFF, 0, 0, 0, 1, 2] },
        { "no piece </s>", UnigramFixture.Make([new("<unk>", 0, 2), new("a", -1)]) },
    };

    [Theory]
    [MemberData(nameof(Broken))]
    public void LoadModel_OfABrokenFile_OneSentence(string said, byte[] file)
    {
        var message = Assert.Throws<InvalidDataException>(() => Load(file)).Message;
        Assert.Contains(said, message, StringComparison.Ordinal);
        Assert.EndsWith(".", message, StringComparison.Ordinal);
        Assert.DoesNotContain("..", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Encode_FromManyThreads_GivesTheSame()
    {
        var tokenizer = UnigramTokenizer.LoadModel(WriteModel(UnigramFixture.Model(UnigramFixture.XlmRoberta)), UnigramDialect.XlmRoberta);
        string[] texts = [.. Enumerable.Range(0, 200)
            .Select(i => string.Join(' ', Enumerable.Repeat($"a lion and {i} cats \u00e9", 1 + (i % 7))))];
        var alone = texts.Select(tokenizer.Encode).ToArray();
        var together = texts.AsParallel().AsOrdered().Select(tokenizer.Encode).ToArray();
        Assert.Equal(alone, together);
    }

    private UnigramTokenizer Load(byte[] model) => UnigramTokenizer.LoadModel(WriteModel(model));

    private string WriteModel(byte[] model)
    {
        var path = Path.Combine(folder.FullName, "x.model");
        File.WriteAllBytes(path, model);
        return path;
    }
}
