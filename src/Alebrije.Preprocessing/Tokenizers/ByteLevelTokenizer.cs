using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using Alebrije.Preprocessing.Tokenizers.Cleaning;

namespace Alebrije.Preprocessing.Tokenizers;

/// <summary>
/// Byte-level BPE of GPT-2, GPT-NeoX and MPT (Radford et al., 2019, §2.2), read from <c>tokenizer.json</c>: text to ids and back with the
/// same ids as the reference. Texts have neither start nor end, and decode to themselves. Safe to use from many threads.
/// </summary>
public sealed class ByteLevelTokenizer : ITextTokenizer
{
    /// <summary>File of the tokenizer in its folder.</summary>
    public const string FileName = "tokenizer.json";

    private const string EndOfText = "<|endoftext|>";

    private readonly BytePairEncoder encoder;
    private readonly string?[] symbols;
    private readonly Dictionary<string, AddedToken> added;
    private readonly HashSet<int> special;
    private readonly AddedTokens typed, typedNormalized;
    private readonly bool composes, beginsWithSpace;

    private ByteLevelTokenizer(string path, JsonElement root)
    {
        (composes, beginsWithSpace) = (Composes(path, root), BeginsWithSpace(path, root));
        if (!root.TryGetProperty("model", out var model) || !model.TryGetProperty("vocab", out var vocabulary)
            || vocabulary.ValueKind != JsonValueKind.Object || !model.TryGetProperty("merges", out var learnt))
            throw new InvalidDataException($"'{path}' holds no BPE model with a vocabulary and merges.");
        var ids = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var entry in vocabulary.EnumerateObject()) ids[entry.Name] = IdOf(entry.Value, entry.Name, path);
        for (var value = 0; value < 256; value++)
            if (ByteSymbols.Of((byte)value).ToString() is var symbol && !ids.ContainsKey(symbol))
                throw new InvalidDataException(string.Create(CultureInfo.InvariantCulture,
                    $"'{path}' has no symbol for the byte {value} ('{symbol}'); the vocabulary of a byte-level BPE has all 256."));
        var merges = learnt.EnumerateArray().Select(merge => Merge(merge, path)).ToList();
        encoder = new BytePairEncoder(ids, merges, unknown: 0, marksEnd: false);
        (added, special) = ReadAdded(root, path);
        symbols = new string?[1 + ids.Values.Concat(added.Values.Select(token => token.Id)).DefaultIfEmpty(-1).Max()];
        foreach (var (symbol, id) in ids) symbols[id] = symbol;
        foreach (var token in added.Values) symbols[token.Id] = token.Content;
        (typed, typedNormalized) = (Of(normalized: false), Of(normalized: true));
        EndId = added.TryGetValue(EndOfText, out var end) ? end.Id : ids.GetValueOrDefault(EndOfText, symbols.Length - 1);
        PadId = EndId;
    }

    private ByteLevelTokenizer(ByteLevelTokenizer from, IReadOnlyList<string> more)
    {
        (encoder, composes, beginsWithSpace, MaxLength) = (from.encoder, from.composes, from.beginsWithSpace, from.MaxLength);
        (EndId, PadId) = (from.EndId, from.PadId);
        (added, special) = (new(from.added, StringComparer.Ordinal), [.. from.special]);
        var all = from.symbols.ToList();
        foreach (var content in more)
        {
            if (!added.TryGetValue(content, out var token))
            {
                added[content] = token = new AddedToken(content, all.Count, Normalized: false);
                all.Add(content);
            }

            special.Add(token.Id);
        }

        symbols = [.. all];
        (typed, typedNormalized) = (Of(normalized: false), Of(normalized: true));
    }

    /// <inheritdoc/>
    public int EndId { get; private init; }

    /// <inheritdoc/>
    public int PadId { get; private init; }

    /// <summary>No limit: the model's context is one of tokens and images together.</summary>
    public int MaxLength { get; } = int.MaxValue;

    /// <inheritdoc/>
    public int VocabularySize => symbols.Length;

    /// <summary>True if a folder contains a tokenizer of this kind.</summary>
    public static bool IsIn(string folder) => File.Exists(Path.Combine(folder, FileName));

    /// <summary>Reads the tokenizer of a language model's folder.</summary>
    /// <exception cref="FileNotFoundException">The folder has no <c>tokenizer.json</c>.</exception>
    /// <exception cref="InvalidDataException">The file is damaged, or no byte-level BPE.</exception>
    public static ByteLevelTokenizer Load(string folder)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        var path = Path.Combine(folder, FileName);
        using var json = TokenizerFiles.Open(folder, FileName) ?? throw new FileNotFoundException(
            $"'{folder}' has no {FileName}; the language model's texts cannot be read without it.", path);
        try
        {
            return new ByteLevelTokenizer(path, json.RootElement);
        }
        catch (Exception e) when (e is InvalidOperationException or KeyNotFoundException or ArgumentException)
        {
            throw new InvalidDataException($"'{path}' is damaged: it has JSON of another form than a tokenizer's.", e);
        }
    }

    /// <summary>The tokenizer with further special tokens, found in texts exactly as typed; new ones take the next ids.</summary>
    /// <param name="more">Tokens; those that it has already keep their ids.</param>
    /// <param name="end">Token of <see cref="EndId"/>, one of all tokens.</param>
    /// <param name="pad">Token of <see cref="PadId"/>, one of all tokens.</param>
    public ByteLevelTokenizer With(IReadOnlyList<string> more, string end, string pad)
    {
        ArgumentNullException.ThrowIfNull(more);
        var extended = new ByteLevelTokenizer(this, more);
        return new ByteLevelTokenizer(extended, []) { EndId = extended.IdOf(end), PadId = extended.IdOf(pad) };
    }

    /// <summary>Id of an added token.</summary>
    /// <exception cref="ArgumentException">There is none.</exception>
    public int IdOf(string token) => added.TryGetValue(token, out var known) ? known.Id
        : throw new ArgumentException($"The tokenizer has no added token '{token}'.", nameof(token));

    /// <inheritdoc/>
    public string Clean(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return composes ? CanonicalComposition.Normalize(text) : text;
    }

    /// <inheritdoc/>
    [SkipLocalsInit]
    public int[] Encode(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var ids = new IdBuffer(stackalloc int[IdBuffer.Usual]);
        var place = 0;
        for (; typed.Find(text, place) is { } found; place = found.End)
        {
            EncodeNormalized(text[place..found.Start], ref ids);
            ids.Add(found.Id);
        }

        EncodeNormalized(text[place..], ref ids);
        var all = ids.Found.ToArray();
        ids.Dispose();
        return all;
    }

    /// <summary>Symbols of a whole text as the vocabulary spells them: bytes are printable characters, a space is <c>Ġ</c>.</summary>
    public string[] Tokens(string text) => [.. Encode(text).Select(id => symbols[id]!)];

    /// <summary>True for an id that has a token. The table of a language model can have more rows, which no text uses.</summary>
    /// <param name="id">An id.</param>
    public bool Contains(int id) => id >= 0 && id < symbols.Length && symbols[id] is not null;

    /// <inheritdoc/>
    public string Decode(IReadOnlyList<int> ids, bool keepSpecial = false)
    {
        ArgumentNullException.ThrowIfNull(ids);
        var bytes = new List<byte>(ids.Count * 4);
        foreach (var id in ids)
        {
            if (id < 0 || id >= symbols.Length || symbols[id] is not { } symbol)
                throw new ArgumentOutOfRangeException(nameof(ids), id,
                    $"The vocabulary has no token {id}; ids go from 0 to {symbols.Length - 1}.");
            if (added.TryGetValue(symbol, out var token) && token.Id == id)
            {
                if (keepSpecial || !special.Contains(id)) bytes.AddRange(Encoding.UTF8.GetBytes(symbol));
                continue;
            }

            foreach (var unit in symbol) bytes.Add(ByteSymbols.TryGetByte(unit, out var value) ? value : (byte)'?');
        }

        return Encoding.UTF8.GetString([.. bytes]);
    }

    private void EncodeNormalized(string text, scoped ref IdBuffer ids)
    {
        if (text.Length == 0) return;
        var clean = Clean(text);
        var place = 0;
        for (; typedNormalized.Find(clean, place) is { } found; place = found.End)
        {
            EncodeWords(clean.AsSpan(place, found.Start - place), ref ids);
            ids.Add(found.Id);
        }

        EncodeWords(clean.AsSpan(place), ref ids);
    }

    private void EncodeWords(ReadOnlySpan<char> text, scoped ref IdBuffer ids)
    {
        if (text.Length == 0) return;
        if (beginsWithSpace && text[0] != ' ') text = string.Concat(" ", text);
        var words = new GptWordReader(text);
        while (words.MoveNext()) encoder.Encode(words.Current, ref ids);
    }

    private AddedTokens Of(bool normalized) => new(added.Values.Where(token => token.Normalized == normalized)
        .Select(token => normalized ? token with { Content = Clean(token.Content) } : token));

    private static bool Composes(string path, JsonElement root)
    {
        if (!root.TryGetProperty("normalizer", out var normalizer) || normalizer.ValueKind == JsonValueKind.Null) return false;
        return TypeOf(normalizer) == "NFC" ? true : throw new InvalidDataException(
            $"'{path}' normalises texts by {TypeOf(normalizer)}, which is not built in; a byte-level BPE uses NFC or nothing.");
    }

    private static bool BeginsWithSpace(string path, JsonElement root)
    {
        var steps = root.TryGetProperty("pre_tokenizer", out var first) ? first : default;
        if (TypeOf(steps) != "ByteLevel" || (steps.TryGetProperty("use_regex", out var regex) && regex.ValueKind == JsonValueKind.False))
            throw new InvalidDataException(
                $"'{path}' splits texts by {TypeOf(steps)}, which is not built in; GPT-NeoX and MPT split them by ByteLevel.");
        return steps.TryGetProperty("add_prefix_space", out var prefix) && prefix.ValueKind == JsonValueKind.True;
    }

    private static string TypeOf(JsonElement step) => step.ValueKind == JsonValueKind.Object
        && step.TryGetProperty("type", out var type) ? type.GetString() ?? "nothing" : "nothing";

    private static (Dictionary<string, AddedToken> Added, HashSet<int> Special) ReadAdded(JsonElement root, string path)
    {
        var (added, special) = (new Dictionary<string, AddedToken>(StringComparer.Ordinal), new HashSet<int>());
        if (!root.TryGetProperty("added_tokens", out var tokens)) return (added, special);
        foreach (var token in tokens.EnumerateArray())
        {
            var content = token.GetProperty("content").GetString()!;
            var id = IdOf(token.GetProperty("id"), content, path);
            added[content] = new AddedToken(content, id, Is(token, "normalized"));
            if (Is(token, "special")) special.Add(id);
        }

        return (added, special);

        static bool Is(JsonElement token, string name) => token.TryGetProperty(name, out var flag) && flag.ValueKind == JsonValueKind.True;
    }

    /// <summary>A merge: two strings in new files, one with a space between in old ones.</summary>
    private static (string Left, string Right) Merge(JsonElement merge, string path)
    {
        if (merge.ValueKind == JsonValueKind.Array && merge.GetArrayLength() == 2)
            return (merge[0].GetString()!, merge[1].GetString()!);
        return merge.ValueKind == JsonValueKind.String && merge.GetString()!.Split(' ') is [var left, var right]
            ? (left, right) : throw new InvalidDataException($"'{path}' has the merge {merge}; a merge is two symbols.");
    }

    private static int IdOf(JsonElement value, string symbol, string path) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var id) && id is >= 0 and <= TokenizerFiles.LargestId ? id
        : throw new InvalidDataException(string.Create(CultureInfo.InvariantCulture,
            $"'{path}' gives '{symbol}' an invalid id; ids are whole numbers from 0 to {TokenizerFiles.LargestId}."));
}
