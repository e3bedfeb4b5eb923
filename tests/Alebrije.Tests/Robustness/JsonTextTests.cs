using System.Text;
using System.Text.Json;
using Alebrije.Preprocessing;
using Alebrije.Preprocessing.Tokenizers;

namespace Alebrije.Tests.Robustness;

/// <summary>JSON whose texts cannot be read as Unicode is damaged JSON, wherever it comes from.</summary>
public sealed class JsonTextTests
{
    [Theory]
    [InlineData("{\n  \"a\": \"?\"}", 1, 7)]
    [InlineData("{\"?\": 1}", 0, 1)]
    [InlineData("{\"a\": [1,\n\"\\ud800\"]}", 1, 0)]
    [InlineData("{\"\\uDfff x\": 1}", 0, 1)]
    [InlineData("{\"a\": {\"b\": \"\\udc00\\ud800\"}}", 0, 12)]
    public void Texts_OfNoUnicode_AreRefusedWithTheirPlace(string json, long line, long at)
    {
        // A question mark stands for a byte that no text has.
        byte[] utf8 = [.. Encoding.UTF8.GetBytes(json).Select(b => b == (byte)'?' ? (byte)0xFF : b)];
        foreach (var parse in new Action[] { () => JsonText.Parse(utf8), () => JsonText.ParseNode(utf8) })
        {
            var error = Assert.Throws<JsonException>(parse);
            Assert.Equal((line, at), (error.LineNumber, error.BytePositionInLine));
        }
    }

    [Fact]
    public void Texts_OfUnicode_AreRead()
    {
        const string json = """{ "león": "\ud83e\udd81 \uD7FF \u00e9 \\ud800", "x": [1, null] }""";
        using var document = JsonText.Parse(json);
        Assert.Equal("\U0001F981 \uD7FF é \\ud800", document.RootElement.GetProperty("león").GetString());
        Assert.Equal(2, JsonText.ParseNode(Encoding.UTF8.GetBytes(json))!["x"]!.AsArray().Count);
    }

    [Fact]
    public void Tokenizers_WithSuchTexts_AreDamaged()
    {
        var folder = Directory.CreateTempSubdirectory("alebrije-json-").FullName;
        try
        {
            File.WriteAllBytes(Path.Combine(folder, "tokenizer.json"), [.. "{\"model\": {\"type\": \""u8, 0xFF, .. "\"}}"u8]);
            foreach (var load in new Action[] { () => UnigramTokenizer.Load(folder), () => ByteLevelTokenizer.Load(folder),
                () => ClipTokenizer.Load(folder) })
                Assert.EndsWith("is not valid JSON: it breaks off at line 1, byte 20.", Assert.Throws<InvalidDataException>(load).Message,
                    StringComparison.Ordinal);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
