using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Alebrije.Preprocessing.Tokenizers.SentencePiece;

/// <summary>
/// A unigram vocabulary of transformers' fast tokenizers, <c>tokenizer.json</c> (tokenizers, models/unigram; converted from a SentencePiece
/// file by transformers' convert_slow_tokenizer.py).
/// </summary>
internal static partial class UnigramJson
{
    /// <summary>Name of the file.</summary>
    public const string FileName = "tokenizer.json";

    private const string Unigram = "Unigram", Metaspace = "Metaspace", UnderBar = "\u2581";

    /// <summary>True if a folder's <c>tokenizer.json</c> is of this kind.</summary>
    /// <exception cref="InvalidDataException">It is damaged, or too large to be one.</exception>
    public static bool IsIn(string folder)
    {
        using var json = TokenizerFiles.Open(folder, FileName);
        return json is not null && Kind(json.RootElement) == Unigram;
    }

    /// <summary>Reads the folder's file.</summary>
    /// <exception cref="InvalidDataException">It is damaged, or has a step that SentencePiece lacks.</exception>
    public static SentencePieceSettings Read(string folder)
    {
        using var json = TokenizerFiles.Open(folder, FileName) ?? throw new FileNotFoundException($"There is no {FileName} in '{folder}'.");
        var root = json.RootElement;
        if (Kind(root) is var kind && kind != Unigram)
            throw new InvalidDataException($"its model is {kind ?? "not named"}, and only {Unigram} is read here");
        var model = root.GetProperty("model");
        var controls = Members(root, "added_tokens").Where(token => Flag(token, "special"))
            .Select(token => Integer(token, "id")).ToHashSet();
        var unknown = Integer(model, "unk_id") ?? throw new InvalidDataException("it names no unknown token (unk_id)");
        var bytes = Flag(model, "byte_fallback");
        var pieces = Members(model, "vocab").Select((entry, id) => ReadPiece(entry,
            id == unknown ? PieceKind.Unknown : controls.Contains(id) ? PieceKind.Control : PieceKind.Normal, bytes)).ToList();
        CheckEnds(root);

        var rules = Steps(root, "normalizer", "normalizers").ToList();
        var splits = Steps(root, "pre_tokenizer", "pretokenizers").ToList();
        Refuse(rules, "Precompiled", "Replace", "Strip");
        if (rules.Any(step => Type(step) == "Strip") && !rules.Any(step => Type(step) == "Replace"))
            throw new InvalidDataException("it cuts spaces off the ends and leaves several in a row, which SentencePiece does not");
        Refuse(splits, Metaspace, "WhitespaceSplit");
        var bar = splits.FirstOrDefault(step => Type(step) == Metaspace);
        if (bar.ValueKind != JsonValueKind.Object)
            throw new InvalidDataException("it leaves spaces as they are, which SentencePiece marks (Metaspace)");
        return new SentencePieceSettings(pieces)
        {
            FallsBackToBytes = bytes,
            CharacterMap = rules.FirstOrDefault(step => Type(step) == "Precompiled") is { ValueKind: JsonValueKind.Object } map
            ? Convert(map) : [],
            AddsSpace = bar.TryGetProperty("prepend_scheme", out var scheme) ? scheme.ValueEquals("always")
            || scheme.ValueEquals("first") : !bar.TryGetProperty("add_prefix_space", out var adds) || adds.ValueKind == JsonValueKind.True,
            FoldsSpaces = splits.Any(step => Type(step) == "WhitespaceSplit") || rules.Any(FoldsSpaces),
        };
    }

    private static Piece ReadPiece(JsonElement entry, PieceKind kind, bool bytes)
    {
        if (entry.ValueKind != JsonValueKind.Array || entry.GetArrayLength() != 2
            || entry[0].ValueKind != JsonValueKind.String || entry[1].ValueKind != JsonValueKind.Number)
            throw new InvalidDataException("its vocabulary is not a list of pieces with scores");
        var text = entry[0].GetString()!;
        return new Piece(Encoding.UTF8.GetBytes(text), entry[1].GetSingle(),
            bytes && kind == PieceKind.Normal && BytePiece().IsMatch(text) ? PieceKind.Byte : kind);
    }

    /// <summary>Checks that texts end in one token and begin with none, as those of T5 and SigLIP.</summary>
    private static void CheckEnds(JsonElement root)
    {
        if (!root.TryGetProperty("post_processor", out var ends) || ends.ValueKind != JsonValueKind.Object) return;
        var single = Members(ends, "single").ToArray();
        if (Type(ends) != "TemplateProcessing" || single is not [var text, var end]
            || !text.TryGetProperty("Sequence", out _) || !end.TryGetProperty("SpecialToken", out var special)
            || !special.TryGetProperty("id", out var id) || !id.ValueEquals("</s>"))
            throw new InvalidDataException(
                "its texts do not stand before </s> alone, as T5's do; of XLM-R, sentencepiece.bpe.model is read");
    }

    private static byte[] Convert(JsonElement map)
    {
        if (!map.TryGetProperty("precompiled_charsmap", out var text) || text.ValueKind == JsonValueKind.Null) return [];
        return text.ValueKind == JsonValueKind.String
            && text.TryGetBytesFromBase64(out var bytes) ? bytes : throw new InvalidDataException("its character map is not base64");
    }

    /// <summary>True if a rule folds several spaces into one, in the form of the conversion from SentencePiece.</summary>
    private static bool FoldsSpaces(JsonElement rule)
    {
        if (Type(rule) != "Replace") return false;
        var several = rule.TryGetProperty("pattern", out var pattern)
            && pattern.ValueKind == JsonValueKind.Object && pattern.TryGetProperty("Regex", out var regex) && regex.ValueEquals(" {2,}");
        return several && rule.TryGetProperty("content", out var content) && (content.ValueEquals(" ") || content.ValueEquals(UnderBar))
            ? true : throw new InvalidDataException("it replaces something other than spaces in a row, which SentencePiece does not");
    }

    private static IEnumerable<JsonElement> Steps(JsonElement root, string name, string several) =>
        !root.TryGetProperty(name, out var step) || step.ValueKind != JsonValueKind.Object ? []
        : Type(step) == "Sequence" ? Members(step, several) : [step];

    private static void Refuse(IEnumerable<JsonElement> steps, params string[] known)
    {
        if (steps.Select(Type).FirstOrDefault(type => !known.Contains(type)) is { } other)
            throw new InvalidDataException($"it has the step {other}, which is not part of SentencePiece ({string.Join(", ", known)} are)");
    }

    private static string? Kind(JsonElement root) => root.TryGetProperty("model", out var model)
        && model.ValueKind == JsonValueKind.Object ? Type(model) : null;

    private static string? Type(JsonElement element) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty("type", out var type)
        && type.ValueKind == JsonValueKind.String ? type.GetString() : null;

    private static IEnumerable<JsonElement> Members(JsonElement element, string name) =>
        element.TryGetProperty(name, out var list) && list.ValueKind == JsonValueKind.Array
        ? list.EnumerateArray() : Enumerable.Empty<JsonElement>();

    private static bool Flag(JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.True;

    private static int? Integer(JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var value)
        && value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var number) ? number : null;

    [GeneratedRegex("^<0x[0-9A-F]{2}>$", RegexOptions.CultureInvariant)]
    private static partial Regex BytePiece();
}
