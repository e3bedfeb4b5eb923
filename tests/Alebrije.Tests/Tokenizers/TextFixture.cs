using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;
using System.Text.Json;
using Alebrije.Preprocessing.Tokenizers;

namespace Alebrije.Tests.Tokenizers;

/// <summary>One text of a golden fixture and the reference's output.</summary>
internal sealed record TextCase(string Text, int[] Ids, string? Clean,
    string? Mode, string? Fixed, string? Unescaped, int MaxLength, int Length);

/// <summary>Golden texts: made by openai/CLIP 1.0, open_clip 3.3.0, transformers 5.23.0 and ftfy 6.3.1; never regenerated.</summary>
internal static class TextFixture
{
    public static string Folder(string name) => Path.Combine(AppContext.BaseDirectory, "Fixtures", name);

    public static string Vocabulary => Path.Combine(Folder("clip-text"), "bpe_simple_vocab_16e6.txt.gz");

    public static List<TextCase> Read(string path)
    {
        using Stream file = File.OpenRead(path);
        using var stream = path.EndsWith(".gz", StringComparison.Ordinal) ? new GZipStream(file, CompressionMode.Decompress) : file;
        using var buffer = new MemoryStream();
        stream.CopyTo(buffer);
        return ReadCases(buffer.ToArray());
    }

    /// <summary>A tensor of 64-bit integers, as rows.</summary>
    public static int[][] ReadRows(string path, string name)
    {
        var bytes = File.ReadAllBytes(path);
        var header = (int)BinaryPrimitives.ReadInt64LittleEndian(bytes);
        using var json = JsonDocument.Parse(bytes.AsMemory(8, header));
        var entry = json.RootElement.GetProperty(name);
        Assert.Equal("I64", entry.GetProperty("dtype").GetString());
        var (rows, columns) = (entry.GetProperty("shape")[0].GetInt32(), entry.GetProperty("shape")[1].GetInt32());
        var data = bytes.AsSpan(8 + header + entry.GetProperty("data_offsets")[0].GetInt32());
        var result = new int[rows][];
        for (var row = 0; row < rows; row++)
        {
            result[row] = new int[columns];
            for (var column = 0; column < columns; column++)
                result[row][column] = (int)BinaryPrimitives.ReadInt64LittleEndian(data[(((row * columns) + column) * 8)..]);
        }
        return result;
    }

    /// <summary>Writes OpenAI's vocabulary in the transformers layout, for as long as the test runs.</summary>
    public static ClipTokenizer LoadInTransformersLayout(string padToken)
    {
        var folder = Directory.CreateTempSubdirectory("clip-tokenizer-");
        try
        {
            BpeVocabulary.ReadOpenAi(Vocabulary).Save(folder.FullName, maxLength: 77, padToken);
            return ClipTokenizer.Load(folder.FullName);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    /// <summary>Fails with the first few differences in words.</summary>
    public static void AssertNone(IReadOnlyCollection<string> differences, int of) =>
        Assert.True(differences.Count == 0, $"{differences.Count} of {of} differ:\n{string.Join("\n", differences.Take(8))}");

    public static string Show(string text) =>
        string.Concat(text.Select(unit => unit is >= ' ' and < (char)0x7F ? unit.ToString() : $"\\u{(int)unit:X4}"));

    private static List<TextCase> ReadCases(byte[] utf8)
    {
        var cases = new List<TextCase>();
        using var json = JsonDocument.Parse(utf8);
        foreach (var entry in json.RootElement.EnumerateArray())
        {
            int[] ids = entry.TryGetProperty("ids", out var list) ? [.. list.EnumerateArray().Select(id => id.GetInt32())] : [];
            cases.Add(new(Unescape(entry, "text")!, ids, Unescape(entry, "clean"),
                Unescape(entry, "mode"), Unescape(entry, "fixed"), Unescape(entry, "unescaped"),
                entry.TryGetProperty("max_length", out var max) ? max.GetInt32() : 0,
                entry.TryGetProperty("length", out var length) ? length.GetInt32() : 0));
        }
        return cases;
    }

    /// <summary>As GetString, which rejects the lone surrogates of some texts.</summary>
    private static string? Unescape(JsonElement entry, string name)
    {
        if (!entry.TryGetProperty(name, out var value))
            return null;
        var raw = value.GetRawText().AsSpan()[1..^1];
        var result = new StringBuilder(raw.Length);
        for (var i = 0; i < raw.Length; i++)
        {
            if (raw[i] != '\\')
            {
                result.Append(raw[i]);
                continue;
            }
            i++;
            if (raw[i] == 'u')
            {
                result.Append((char)ushort.Parse(raw.Slice(i + 1, 4), System.Globalization.NumberStyles.AllowHexSpecifier,
                    System.Globalization.CultureInfo.InvariantCulture));
                i += 4;
            }
            else
            {
                result.Append(raw[i] switch { 'n' => '\n', 'r' => '\r', 't' => '\t', 'b' => '\b', 'f' => '\f', var other => other });
            }
        }
        return result.ToString();
    }
}
