using System.Runtime.InteropServices;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Alebrije.Preprocessing.Tokenizers;

/// <summary>
/// Makes a unigram vocabulary (Kudo, 2018) of the whole words of a closed world of captions: the score of a word is the logarithm of its
/// share, and single characters spell the rest. The same texts always give the same vocabulary.
/// </summary>
internal static partial class UnigramTrainer
{
    private const string Space = "\u2581", Padding = "<pad>", End = "</s>", Unknown = "<unk>";

    /// <summary>Difference of log probability between the rarest word and a character.</summary>
    private const double CharacterPenalty = 4;

    private static readonly JsonSerializerOptions Json = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Collects pieces from texts.</summary>
    /// <param name="texts">Texts as the tokenizer will get them; read once.</param>
    /// <param name="size">Largest number of pieces, special ones included.</param>
    /// <returns>Pieces with their scores by id: padding, end, unknown, characters, words from the most frequent on.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The size is too small for the characters of the texts.</exception>
    public static IReadOnlyList<(string Piece, double Score)> Train(IEnumerable<string> texts, int size)
    {
        var counts = new Dictionary<string, long>(StringComparer.Ordinal);
        foreach (var text in texts)
            foreach (Match part in Parts().Matches(Space + text.Replace(" ", Space, StringComparison.Ordinal)))
                CollectionsMarshal.GetValueRefOrAddDefault(counts, part.Value, out _)++;
        string[] characters = [.. counts.Keys.SelectMany(part => part).Distinct().Order().Select(character => $"{character}")];
        var room = size - 3 - characters.Length;
        if (room < 1) throw new ArgumentOutOfRangeException(nameof(size), size,
            $"The texts have {characters.Length} characters; a vocabulary with words needs more pieces.");
        var total = (double)counts.Values.Sum();
        var words = counts.Where(part => part.Key.Length > 1).OrderByDescending(part => part.Value).ThenBy(part => part.Key,
            StringComparer.Ordinal).Take(room)
            .Select(part => (part.Key, Math.Log(part.Value / total))).ToList();
        var least = Math.Log(1 / total) - CharacterPenalty;
        return [(Padding, 0), (End, 0), (Unknown, 0), .. characters.Select(character => (character, least)), .. words];
    }

    /// <summary>Writes the folder of a T5 tokenizer, <c>tokenizer.json</c> as transformers' fast tokenizers save it.</summary>
    /// <param name="pieces">Result of <see cref="Train"/>.</param>
    /// <param name="folder">Folder to write to; created if missing.</param>
    /// <param name="length">Tokens of a row.</param>
    public static void Save(IReadOnlyList<(string Piece, double Score)> pieces, string folder, int length)
    {
        WrittenFile.MakeFolder(folder);
        var metaspace = new { type = "Metaspace", replacement = Space, prepend_scheme = "always", split = true };
        var special = new Dictionary<string, object> { [End] = new { id = End, ids = new[] { 1 }, tokens = new[] { End } } };
        Write("tokenizer.json", new
        {
            version = "1.0",
            added_tokens = new[] { Padding, End, Unknown }.Select((content, id) =>
                new { id, content, single_word = false, lstrip = false, rstrip = false, normalized = false, special = true }),
            normalizer = new { type = "Replace", pattern = new { Regex = " {2,}" }, content = " " },
            pre_tokenizer = metaspace,
            post_processor = new
            {
                type = "TemplateProcessing",
                single = new object[] { new { Sequence = new { id = "A", type_id = 0 } },
                    new { SpecialToken = new { id = End, type_id = 0 } } },
                pair = new object[]
                {
                    new { Sequence = new { id = "A", type_id = 0 } }, new { SpecialToken = new { id = End, type_id = 0 } },
                    new { Sequence = new { id = "B", type_id = 0 } }, new { SpecialToken = new { id = End, type_id = 0 } },
                },
                special_tokens = special,
            },
            decoder = metaspace,
            model = new { type = "Unigram", unk_id = 2, vocab = pieces.Select(piece => new object[] { piece.Piece, piece.Score }),
                byte_fallback = false },
        });
        Write("tokenizer_config.json", new
        {
            tokenizer_class = "T5TokenizerFast", model_max_length = length, pad_token = Padding, eos_token = End, unk_token = Unknown,
            extra_ids = 0,
        });

        void Write(string name, object content) =>
            WrittenFile.Write(Path.Combine(folder, name), JsonSerializer.Serialize(content, Json) + "\n");
    }

    /// <summary>Matches words with the mark of the space before them, numbers, and single characters.</summary>
    [GeneratedRegex(@"\u2581?\p{L}+|\u2581?\p{N}+|.", RegexOptions.Singleline | RegexOptions.CultureInvariant)]
    private static partial Regex Parts();
}
