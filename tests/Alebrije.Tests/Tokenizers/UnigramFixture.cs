using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Alebrije.Preprocessing.Tokenizers.SentencePiece;

namespace Alebrije.Tests.Tokenizers;

/// <summary>A piece of a model that a test writes; kinds are those of sentencepiece_model.proto.</summary>
internal sealed record TestPiece(string Text, float Score = 0, int Kind = 1);

/// <summary>
/// Golden texts of sentencepiece 0.2.3 (never regenerated), their models, and models written by hand. The two models with nmt_nfkc
/// rules share them, so the rules are stored once.
/// </summary>
internal static class UnigramFixture
{
    public const string XlmRoberta = "xlmr-tokenizer", Identity = "unigram-identity", ByteFallback = "unigram-byte-fallback";

    private static string Folder => TextFixture.Folder("unigram-text");

    /// <summary>A model as published.</summary>
    public static byte[] Model(string name)
    {
        var model = File.ReadAllBytes(Path.Combine(Folder, name + ".model"));
        return name == Identity ? model : [.. model, .. Unpacked("charsmap.gz")];
    }

    /// <summary>Writes a fixture in the layout of <c>verify</c>.</summary>
    public static void Write(string name, string folder)
    {
        Directory.CreateDirectory(Path.Combine(folder, "model"));
        File.Copy(Path.Combine(Folder, name + ".cases.json"), Path.Combine(folder, "cases.json"));
        File.WriteAllBytes(Path.Combine(folder, "text.json"), Unpacked(name + ".text.json.gz"));
        File.WriteAllBytes(Path.Combine(folder, "model", name == XlmRoberta ? "sentencepiece.bpe.model" : "spiece.model"), Model(name));
    }

    /// <summary>The texts of a fixture.</summary>
    public static string[] Texts(string name)
    {
        using var json = JsonDocument.Parse(Unpacked(name + ".text.json.gz"));
        return [.. json.RootElement.EnumerateArray().Select(entry => entry.GetProperty("text").GetString()!)];
    }

    /// <summary>The model in the format of transformers' convert_slow_tokenizer.py: tokenizer.json.</summary>
    public static JsonObject Json(string file)
    {
        var model = SentencePieceModel.Read(file);
        JsonObject bar = new() { ["type"] = "Metaspace", ["replacement"] = "\u2581",
            ["prepend_scheme"] = model.AddsSpace ? "always" : "never", ["split"] = true };
        var rules = new JsonArray();
        if (model.CharacterMap.Length > 0)
            rules.Add(new JsonObject { ["type"] = "Precompiled", ["precompiled_charsmap"] = Convert.ToBase64String(model.CharacterMap) });
        if (model.FoldsSpaces) rules.Add(new JsonObject { ["type"] = "Strip", ["strip_left"] = false, ["strip_right"] = true });
        if (model.FoldsSpaces) rules.Add(new JsonObject { ["type"] = "Replace",
            ["pattern"] = new JsonObject { ["Regex"] = " {2,}" }, ["content"] = "\u2581" });
        return new JsonObject
        {
            ["version"] = "1.0",
            ["added_tokens"] = new JsonArray(
                [.. model.Pieces.Select((piece, id) => (piece, id)).Where(pair => pair.piece.Kind is PieceKind.Control or PieceKind.Unknown)
                .Select(pair => new JsonObject { ["id"] = pair.id, ["content"] = pair.piece.Text, ["special"] = true })]),
            ["normalizer"] = new JsonObject { ["type"] = "Sequence", ["normalizers"] = rules },
            ["pre_tokenizer"] = bar,
            ["post_processor"] = new JsonObject
            {
                ["type"] = "TemplateProcessing",
                ["single"] = new JsonArray(new JsonObject { ["Sequence"] = new JsonObject { ["id"] = "A" } },
                    new JsonObject { ["SpecialToken"] = new JsonObject { ["id"] = "</s>" } }),
            },
            ["model"] = new JsonObject
            {
                ["type"] = "Unigram", ["unk_id"] = model.UnknownId, ["byte_fallback"] = model.FallsBackToBytes,
                ["vocab"] = new JsonArray([.. model.Pieces.Select(piece => new JsonArray(piece.Text, piece.Score))]),
            },
        };
    }

    /// <summary>Writes a model: pieces, numeric fields of the trainer and of the normaliser.</summary>
    public static byte[] Make(IEnumerable<TestPiece> pieces, (int Field, ulong Value)[]? trainer = null,
        (int Field, ulong Value)[]? normaliser = null)
    {
        var model = new List<byte>();
        foreach (var piece in pieces)
        {
            var score = new byte[4];
            BinaryPrimitives.WriteSingleLittleEndian(score, piece.Score);
            model.AddRange(Run(1, [.. Run(1, Encoding.UTF8.GetBytes(piece.Text)), (2 << 3) | 5, .. score, 3 << 3, (byte)piece.Kind]));
        }

        model.AddRange(Run(2, [.. (trainer ?? []).SelectMany(Number)]));
        model.AddRange(Run(3, [.. (normaliser ?? []).SelectMany(Number)]));
        return [.. model];
    }

    private static byte[] Run(int field, byte[] bytes) => [.. Varint(((ulong)field << 3) | 2), .. Varint((ulong)bytes.Length), .. bytes];

    private static byte[] Number((int Field, ulong Value) number) => [.. Varint((ulong)number.Field << 3), .. Varint(number.Value)];

    private static List<byte> Varint(ulong value)
    {
        var bytes = new List<byte>();
        for (; value >= 0x80; value >>= 7) bytes.Add((byte)(value | 0x80));
        bytes.Add((byte)value);
        return bytes;
    }

    private static byte[] Unpacked(string name)
    {
        using var stream = new GZipStream(File.OpenRead(Path.Combine(Folder, name)), CompressionMode.Decompress);
        using var buffer = new MemoryStream();
        stream.CopyTo(buffer);
        return buffer.ToArray();
    }
}
