using System.Runtime.InteropServices;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Alebrije.Preprocessing.Tokenizers;

/// <summary>
/// Learns a byte-level BPE of GPT-2's kind, as GPT-NeoX and MPT have, and writes it as <c>tokenizer.json</c>, which
/// <see cref="ByteLevelTokenizer"/> reads. The same texts always give the same file.
/// </summary>
internal static class ByteLevelTrainer
{
    private const string EndOfText = "<|endoftext|>";
    private static readonly JsonSerializerOptions Json = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Learns from texts.</summary>
    /// <param name="texts">Any number of texts; read once. Special tokens in them are left out.</param>
    /// <param name="vocabularySize">Entries wanted, bytes and special tokens included; fewer when no pair is left to merge.</param>
    /// <param name="special">Special tokens after <c>&lt;|endoftext|&gt;</c>; they take the last ids in order.</param>
    /// <returns>The text of <c>tokenizer.json</c>.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The size leaves no room for a merge.</exception>
    public static string Train(IEnumerable<string> texts, int vocabularySize, IReadOnlyList<string> special)
    {
        string[] added = [EndOfText, .. special];
        var most = vocabularySize - 256 - added.Length;
        if (most < 1)
            throw new ArgumentOutOfRangeException(nameof(vocabularySize), vocabularySize,
                $"A vocabulary holds 256 bytes and {added.Length} special tokens; more entries are needed for words.");
        var counts = new Dictionary<string, long>(StringComparer.Ordinal);
        foreach (var text in texts)
            foreach (var piece in text.Split(added, StringSplitOptions.RemoveEmptyEntries))
            {
                var words = new GptWordReader(piece);
                while (words.MoveNext()) CollectionsMarshal.GetValueRefOrAddDefault(counts, words.Current.ToString(), out _)++;
            }

        var merges = BpeTrainer.Merges(counts, most, minimumCount: 2, marksEnd: false);
        var symbols = new List<string>(vocabularySize);
        foreach (var value in ByteSymbols.InOrder) symbols.Add(ByteSymbols.Of(value).ToString());
        symbols.AddRange(merges.Select(merge => merge.Left + merge.Right));
        return JsonSerializer.Serialize(new
        {
            version = "1.0",
            added_tokens = added.Select((content, i) => new { id = symbols.Count + i, content, normalized = false, special = true }),
            normalizer = new { type = "NFC" },
            pre_tokenizer = new { type = "ByteLevel", add_prefix_space = false, trim_offsets = true },
            post_processor = (object?)null,
            decoder = new { type = "ByteLevel", add_prefix_space = true, trim_offsets = true },
            model = new
            {
                type = "BPE", vocab = symbols.Select((symbol, id) => (symbol, id)).ToDictionary(pair => pair.symbol, pair => pair.id),
                merges = merges.Select(merge => $"{merge.Left} {merge.Right}"),
            },
        }, Json);
    }
}
