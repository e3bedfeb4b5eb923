using System.IO.Compression;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Alebrije.Preprocessing.Tokenizers;

/// <summary>
/// Vocabulary of CLIP's byte-level BPE: 256 byte symbols, the same with <c>&lt;/w&gt;</c>, one symbol per merge,
/// <c>&lt;|startoftext|&gt;</c>, <c>&lt;|endoftext|&gt;</c>; a symbol's position is its id.
/// </summary>
public sealed class BpeVocabulary
{
    /// <summary>Symbols of every vocabulary besides its merges: 512 of single bytes and the two special tokens.</summary>
    public const int SmallestSize = 514;

    internal const string StartToken = "<|startoftext|>", EndToken = "<|endoftext|>";

    private static readonly Lazy<BpeVocabulary> BuiltIn = new(() =>
    {
        const string Name = "bpe_simple_vocab_16e6.txt.gz";
        using var stream = typeof(BpeVocabulary).Assembly.GetManifestResourceStream(Name)!;
        using var content = new MemoryStream();
        stream.CopyTo(content);
        return ReadOpenAi(content.ToArray(), Name);
    });

    internal BpeVocabulary(IReadOnlyList<(string Left, string Right)> merges)
    {
        Merges = merges;
        var tokens = new List<string>(merges.Count + SmallestSize);
        foreach (var value in ByteSymbols.InOrder)
            tokens.Add(ByteSymbols.Of(value).ToString());
        foreach (var value in ByteSymbols.InOrder)
            tokens.Add(ByteSymbols.Of(value) + ByteSymbols.EndOfWord);
        tokens.AddRange(merges.Select(merge => merge.Left + merge.Right));
        tokens.Add(StartToken);
        tokens.Add(EndToken);
        Tokens = tokens;
    }

    /// <summary>Symbols by id.</summary>
    public IReadOnlyList<string> Tokens { get; }

    /// <summary>Merges, the first to apply first.</summary>
    public IReadOnlyList<(string Left, string Right)> Merges { get; }

    /// <summary>
    /// Reads the single file of openai/CLIP and open_clip, <c>bpe_simple_vocab_16e6.txt</c>, gzipped or not: a heading, then one
    /// merge per line, of which the first 48,894 are used (clip/simple_tokenizer.py).
    /// </summary>
    /// <exception cref="FileNotFoundException">The file does not exist.</exception>
    /// <exception cref="InvalidDataException">A line is not a merge, or the file is cut short.</exception>
    public static BpeVocabulary ReadOpenAi(string file)
    {
        ArgumentException.ThrowIfNullOrEmpty(file);
        if (!File.Exists(file))
            throw new FileNotFoundException($"There is no vocabulary file '{file}'.", file);
        return ReadOpenAi(RegularFile.ReadAllBytes(file), file);
    }

    /// <summary>The built-in vocabulary of openai/CLIP, whose checkpoints have no vocabulary file.</summary>
    public static BpeVocabulary OpenAi() => BuiltIn.Value;

    private static BpeVocabulary ReadOpenAi(byte[] content, string file)
    {
        const int Counted = 49152 - 256 - 2;
        var merges = new List<(string, string)>(Counted);
        foreach (var line in ReadLines(content, file).Skip(1).Take(Counted).TakeWhile(line => line.Length > 0))
        {
            var parts = line.Split([' ', '\r'], StringSplitOptions.RemoveEmptyEntries);
            merges.Add(parts is [var left, var right] ? (left, right) : throw new InvalidDataException(
                $"Line {merges.Count + 2} of '{file}' is '{line}'; a merge is two symbols with a space between."));
        }
        return merges.Count == Counted ? new BpeVocabulary(merges) : throw new InvalidDataException(
            $"'{file}' has {merges.Count} merges, and CLIP's vocabulary has {Counted}; the file is cut short or another one.");
    }

    /// <summary>
    /// Writes <c>vocab.json</c>, <c>merges.txt</c>, <c>tokenizer_config.json</c> and <c>special_tokens_map.json</c> in the layout
    /// of the transformers library; <see cref="ClipTokenizer.Load"/> reads it.
    /// </summary>
    /// <param name="folder">Folder to write to; created if absent, files of these names are replaced.</param>
    /// <param name="maxLength">Tokens of a text, start and end included; at least 3.</param>
    /// <param name="padToken">Padding symbol: <c>!</c> (id 0) as in Karlo, or <c>&lt;|endoftext|&gt;</c> as in Stable Diffusion 1.</param>
    /// <exception cref="ArgumentException">The padding symbol is not in this vocabulary, or the length is below 3.</exception>
    public void Save(string folder, int maxLength = 77, string padToken = "!")
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        Check(maxLength, padToken);
        WrittenFile.MakeFolder(folder);
        WriteJson(Path.Combine(folder, "vocab.json"), indented: false, json =>
        {
            for (var id = 0; id < Tokens.Count; id++)
                json.WriteNumber(Tokens[id], id);
        });
        var merges = new StringBuilder("#version: 0.2\n");
        foreach (var (left, right) in Merges)
            merges.Append(left).Append(' ').Append(right).Append('\n');
        WrittenFile.Write(Path.Combine(folder, "merges.txt"), merges.ToString());
        WriteJson(Path.Combine(folder, "special_tokens_map.json"), indented: true, json => WriteSpecials(json, padToken));
        WriteJson(Path.Combine(folder, "tokenizer_config.json"), indented: true, json =>
        {
            json.WriteBoolean("add_prefix_space", false);
            json.WriteBoolean("do_lower_case", true);
            json.WriteString("errors", "replace");
            json.WriteNumber("model_max_length", maxLength);
            json.WriteString("tokenizer_class", "CLIPTokenizer");
            WriteSpecials(json, padToken);
        });
    }

    /// <summary>Checks the padding symbol and the length; returns the padding id.</summary>
    internal int Check(int maxLength, string padToken)
    {
        if (maxLength < 3)
            throw new ArgumentException(
                $"A text of at most {maxLength} tokens has no room for words between start and end; give 3 or more.", nameof(maxLength));
        for (var id = 0; id < Tokens.Count; id++)
        {
            if (Tokens[id] == padToken)
                return id;
        }
        throw new ArgumentException($"The padding '{padToken}' is not in the vocabulary; '!' and '{EndToken}' always are.",
            nameof(padToken));
    }

    private static string[] ReadLines(byte[] bytes, string file)
    {
        using var content = new MemoryStream();
        try
        {
            using Stream stream = bytes is [0x1F, 0x8B, ..] ? new GZipStream(new MemoryStream(bytes), CompressionMode.Decompress)
                : new MemoryStream(bytes);
            stream.CopyTo(content);
        }
        catch (Exception error) when (error is InvalidDataException or IOException)
        {
            throw new InvalidDataException($"'{file}' begins like a gzip file but is damaged; fetch it again. ({error.Message})", error);
        }
        return Encoding.UTF8.GetString(content.ToArray()).Split('\n');
    }

    private static void WriteSpecials(Utf8JsonWriter json, string padToken)
    {
        json.WriteString("bos_token", StartToken);
        json.WriteString("eos_token", EndToken);
        json.WriteString("pad_token", padToken);
        json.WriteString("unk_token", EndToken);
    }

    private static void WriteJson(string path, bool indented, Action<Utf8JsonWriter> members) =>
        WrittenFile.Write(path, members, (stream, write) =>
        {
            using var json = new Utf8JsonWriter(stream,
                new() { Indented = indented, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
            json.WriteStartObject();
            write(json);
            json.WriteEndObject();
        });
}
