using System.Text.Json;

namespace Alebrije.Preprocessing.Tokenizers;

/// <summary>A tokenizer folder of the transformers library, read and checked.</summary>
internal sealed class TokenizerFiles
{
    /// <summary>Length of CLIP's context, the default of a folder without one.</summary>
    public const int ClipContext = 77;

    /// <summary>Largest size of a file in bytes; the largest published file has a quarter of this.</summary>
    private const long LargestFile = 64L << 20;

    /// <summary>Largest id, far above any published vocabulary; bounds the memory of the table.</summary>
    internal const int LargestId = 9_999_999;

    private readonly string folder;
    private readonly Dictionary<string, (string Content, bool Normalized)> specials = new(StringComparer.Ordinal)
    {
        ["bos_token"] = (BpeVocabulary.StartToken, false),
        ["eos_token"] = (BpeVocabulary.EndToken, false),
        ["unk_token"] = (BpeVocabulary.EndToken, false),
        ["pad_token"] = (BpeVocabulary.EndToken, false),
    };

    private readonly Dictionary<string, AddedToken> added = new(StringComparer.Ordinal);

    public TokenizerFiles(string folder)
    {
        this.folder = folder;
        if (!Directory.Exists(folder))
            throw new DirectoryNotFoundException($"There is no tokenizer folder '{folder}'.");
        if (File.Exists(Path.Combine(folder, "vocab.json")))
            ReadPair();
        else if (File.Exists(Path.Combine(folder, "tokenizer.json")))
            ReadTokenizerJson();
        else
            throw new FileNotFoundException(
                $"'{folder}' is not a CLIP tokenizer: it has neither vocab.json with merges.txt nor tokenizer.json.");

        var declaresAdded = ReadConfig();
        if (!declaresAdded && Open("special_tokens_map.json") is { } map)
        {
            using (map)
                ReadSpecials(map.RootElement);
        }
        foreach (var (content, normalized) in specials.Values)
        {
            if (!added.ContainsKey(content))
                added[content] = new(content, IdOf(content), normalized);
        }
    }

    public Dictionary<string, int> Vocabulary { get; } = new(StringComparer.Ordinal);

    public List<(string Left, string Right)> Merges { get; } = [];

    public IReadOnlyCollection<AddedToken> Added => added.Values;

    public int MaxLength { get; private set; } = ClipContext;

    public int StartId => IdOf(specials["bos_token"].Content);

    public int EndId => IdOf(specials["eos_token"].Content);

    public int UnknownId => IdOf(specials["unk_token"].Content);

    public int PadId => IdOf(specials["pad_token"].Content);

    private int IdOf(string content) =>
        added.TryGetValue(content, out var token) ? token.Id
        : Vocabulary.TryGetValue(content, out var id) ? id
        : throw new InvalidDataException(
            $"'{folder}' names the special token '{content}', which its vocabulary of {Vocabulary.Count} symbols does not have.");

    private void ReadPair()
    {
        using (var vocabulary = Open("vocab.json")!)
            ReadVocabulary(vocabulary.RootElement, "vocab.json");
        var path = Path.Combine(folder, "merges.txt");
        if (!File.Exists(path))
            throw new FileNotFoundException($"'{folder}' has vocab.json but not merges.txt; a CLIP tokenizer needs both.", path);
        foreach (var line in RegularFile.ReadLines(path)
            .Where(line => line.Length > 0 && !line.StartsWith("#version", StringComparison.Ordinal)))
            AddMerge(line, "merges.txt");
    }

    private void ReadTokenizerJson()
    {
        using var json = Open("tokenizer.json")!;
        if (!json.RootElement.TryGetProperty("model", out var model) || !model.TryGetProperty("vocab", out var vocabulary)
            || vocabulary.ValueKind != JsonValueKind.Object || !model.TryGetProperty("merges", out var merges))
            throw new InvalidDataException($"'{folder}/tokenizer.json' holds no BPE model with a vocabulary and merges.");
        ReadVocabulary(vocabulary, "tokenizer.json");
        foreach (var merge in merges.EnumerateArray())
        {
            // Newer files write a merge as two strings, older ones as one with a space between.
            AddMerge(merge.ValueKind == JsonValueKind.Array ? $"{merge[0].GetString()} {merge[1].GetString()}" : merge.GetString()!,
                "tokenizer.json");
        }
        if (json.RootElement.TryGetProperty("added_tokens", out var tokens))
        {
            foreach (var token in tokens.EnumerateArray())
                Declare(token.TryGetProperty("id", out var id) && id.TryGetInt32(out var given) ? given : -1, token, "tokenizer.json");
        }
    }

    private void ReadVocabulary(JsonElement vocabulary, string file)
    {
        foreach (var entry in vocabulary.EnumerateObject())
        {
            var id = entry.Value.ValueKind == JsonValueKind.Number && entry.Value.TryGetInt32(out var given) ? given : -1;
            Vocabulary[entry.Name] = Check(id, entry.Name, file);
        }
    }

    private void AddMerge(string line, string file)
    {
        var parts = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        if (parts.Length != 2)
            throw new InvalidDataException($"'{folder}/{file}' has the merge '{line}'; a merge is two symbols with a space between.");
        Merges.Add((parts[0], parts[1]));
    }

    /// <summary>Reads tokenizer_config.json; true if it declares its added tokens, so that no other file is needed.</summary>
    private bool ReadConfig()
    {
        using var config = Open("tokenizer_config.json");
        if (config is null)
            return false;
        var root = config.RootElement;

        // The library writes 1e30 for "no limit"; CLIP's own context is still a limit.
        if (root.TryGetProperty("model_max_length", out var length) && length.ValueKind == JsonValueKind.Number
            && length.GetDouble() is >= 3 and <= 1_000_000 and var given)
            MaxLength = (int)given;
        var declared = root.TryGetProperty("added_tokens_decoder", out var tokens) && tokens.ValueKind == JsonValueKind.Object;
        if (declared)
        {
            foreach (var token in tokens.EnumerateObject())
                Declare(int.TryParse(token.Name, System.Globalization.CultureInfo.InvariantCulture, out var id) ? id : -1,
                    token.Value, "tokenizer_config.json");
        }
        ReadSpecials(root);
        return declared;
    }

    private void ReadSpecials(JsonElement root)
    {
        foreach (var name in specials.Keys.ToArray())
        {
            if (!root.TryGetProperty(name, out var token))
                continue;
            if (token.ValueKind == JsonValueKind.String)
                specials[name] = (token.GetString()!, false);
            else if (token.ValueKind == JsonValueKind.Object && token.TryGetProperty("content", out var content))
                specials[name] = (content.GetString()!, IsNormalized(token));
        }
    }

    private void Declare(int id, JsonElement token, string file)
    {
        if (token.TryGetProperty("content", out var content) && content.GetString() is { Length: > 0 } text)
            added[text] = new(text, Check(id, text, file), IsNormalized(token));
    }

    private int Check(int id, string symbol, string file) => id is >= 0 and <= LargestId ? id
        : throw new InvalidDataException(
            $"'{folder}/{file}' gives '{symbol}' an invalid id; ids are whole numbers from 0 to {LargestId}.");

    private static bool IsNormalized(JsonElement token) =>
        token.TryGetProperty("normalized", out var normalized) && normalized.ValueKind == JsonValueKind.True;

    private JsonDocument? Open(string file) => Open(folder, file);

    /// <summary>A JSON object in a tokenizer's folder, or null if the file is missing.</summary>
    /// <exception cref="InvalidDataException">The file contains something else.</exception>
    internal static JsonDocument? Open(string folder, string file)
    {
        var path = Path.Combine(folder, file);
        if (!File.Exists(path))
            return null;
        if (new FileInfo(path).Length is var length && length > LargestFile)
            throw new InvalidDataException($"'{path}' has {length >> 20} MiB; such a file has at most {LargestFile >> 20} MiB.");
        try
        {
            var json = JsonText.Parse(RegularFile.ReadAllBytes(path));
            return json.RootElement.ValueKind == JsonValueKind.Object ? json
                : throw new InvalidDataException($"'{path}' holds no JSON object.");
        }
        catch (JsonException error)
        {
            throw new InvalidDataException(
                $"'{path}' is not valid JSON: it breaks off at line {error.LineNumber + 1}, byte {error.BytePositionInLine + 1}.", error);
        }
    }
}
