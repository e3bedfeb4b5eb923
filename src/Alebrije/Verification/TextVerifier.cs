using System.Globalization;
using System.IO.Compression;
using System.Text;
using System.Text.Json;
using Alebrije.Preprocessing;
using Alebrije.Verification.Runners;
using Alebrije.Weights;

namespace Alebrije.Verification;

/// <summary>One text of a fixture and the reference's results; fields that do not apply are null.</summary>
internal sealed record TextCase
{
    public required string Text { get; init; }
    public string? Component { get; init; }
    public string? Mode { get; init; }
    public int? MaxLength { get; init; }
    public int? Length { get; init; }
    public int[]? Ids { get; init; }
    public string? Clean { get; init; }
    public string? Plain { get; init; }
    public string? Fixed { get; init; }
    public string? Unescaped { get; init; }
    public string? Normalized { get; init; }
    public string[]? Pieces { get; init; }
    public int[]? Padded { get; init; }
    public int[]? Mask { get; init; }
}

/// <summary>Compares tokenizers and cleaning with <c>text.json</c>: one result per kind of field.</summary>
internal static class TextVerifier
{
    private static readonly string[] FileNames = ["text.json", "text.json.gz"];

    private static readonly (string Output, Func<TextCase, object?> Expected)[] Fields =
    [
        ("fixed", text => text.Fixed), ("unescaped", text => text.Unescaped),
            ("clean", text => text.Clean), ("plain", text => text.Plain), ("ids", text => text.Ids),
        ("normalized", text => text.Normalized), ("pieces", text => text.Pieces),
        ("padded", text => text.Padded), ("mask", text => text.Mask),
    ];

    /// <summary>Runs all texts of a fixture; empty if it has none.</summary>
    public static IEnumerable<VerificationCase> Run(Fixture fixture)
    {
        if (Locate(fixture.Folder) is not { } path) yield break;
        var texts = Read(path);
        foreach (var (output, expected) in Fields)
        {
            var concerned = texts.Where(text => expected(text) is not null).ToList();
            if (concerned.Count > 0) yield return Compare(fixture, output, concerned);
        }

        if (!texts.Any(text => Fields.Any(field => field.Expected(text) is not null)))
            yield return new VerificationCase { Id = "text", Ok = false,
                Error = $"{Path.GetFileName(path)} has no expected values for its texts." };
    }

    /// <summary>Reads <c>text.json</c> or <c>text.json.gz</c>.</summary>
    /// <exception cref="WeightsException">The file is not a list of texts.</exception>
    public static List<TextCase> Read(string path)
    {
        try
        {
            using Stream file = RegularFile.Open(path);
            using var stream = path.EndsWith(".gz", StringComparison.Ordinal) ? new GZipStream(file, CompressionMode.Decompress) : file;
            using var document = JsonDocument.Parse(stream);
            return [.. document.RootElement.EnumerateArray().Select(Read)];
        }
        catch (Exception e) when (
            e is JsonException or InvalidDataException or InvalidOperationException or KeyNotFoundException or FormatException)
        {
            throw new WeightsException($"{path} is not a list of texts: it must be JSON, a list of objects with a text.", e);
        }
    }

    /// <summary>The texts file of a fixture, or null.</summary>
    public static string? Locate(string folder) =>
        FileNames.Select(name => Path.Combine(folder, name)).FirstOrDefault(File.Exists);

    private static VerificationCase Compare(Fixture fixture, string output, List<TextCase> texts)
    {
        var result = new VerificationCase { Id = "text", Output = output, Ok = false };
        try
        {
            var run = TokenizerRunners.Text(fixture, output)
                ?? throw new WeightsException($"there is no runner for the {output} of {fixture.Library}'s {fixture.ReferenceClass}.");
            var (differences, where) = (0, (string?)null);
            for (var i = 0; i < texts.Count; i++)
            {
                if (run(texts[i]) is not { } difference) continue;
                differences++;
                where ??= $"first in text {i + 1}, \"{Show(texts[i].Text)}\": {difference}";
            }

            return result with { Ok = differences == 0, Texts = texts.Count, Differences = differences, Where = where };
        }
        catch (Exception e) when (e is not (OperationCanceledException or OutOfMemoryException))
        {
            return Verifier.Failure("text", e) with { Output = output };
        }
    }

    /// <summary>A shortened text with characters outside ASCII escaped.</summary>
    public static string Show(string text)
    {
        var shown = string.Concat(text.Select(unit => unit is >= ' ' and < (char)0x7f ? unit.ToString() : $"\\u{(int)unit:x4}"));
        return shown.Length <= 120 ? shown : shown[..117] + "...";
    }

    private static TextCase Read(JsonElement entry) => new()
    {
        Text = String(entry, "text") ?? throw new KeyNotFoundException("text"),
        Component = String(entry, "component"),
        Mode = String(entry, "mode"),
        MaxLength = Number(entry, "max_length"),
        Length = Number(entry, "length"),
        Ids = Numbers(entry, "ids"),
        Clean = String(entry, "clean"),
        Plain = String(entry, "plain"),
        Fixed = String(entry, "fixed"),
        Unescaped = String(entry, "unescaped"),
        Normalized = String(entry, "normalized"),
        Pieces = entry.TryGetProperty("pieces", out var pieces) ? [.. pieces.EnumerateArray().Select(Unescape)] : null,
        Padded = Numbers(entry, "padded"),
        Mask = Numbers(entry, "mask"),
    };

    private static int[]? Numbers(JsonElement entry, string name) =>
        entry.TryGetProperty(name, out var list) ? [.. list.EnumerateArray().Select(number => number.GetInt32())] : null;

    private static int? Number(JsonElement entry, string name) =>
        entry.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Number ? value.GetInt32() : null;

    private static string? String(JsonElement entry, string name) =>
        entry.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? Unescape(value) : null;

    /// <summary>Reads a text. Some contain lone surrogates on purpose, which GetString rejects: these are unescaped here.</summary>
    private static string Unescape(JsonElement value)
    {
        var raw = value.GetRawText().AsSpan()[1..^1];
        var text = new StringBuilder(raw.Length);
        for (var i = 0; i < raw.Length; i++)
        {
            if (raw[i] != '\\')
            {
                text.Append(raw[i]);
                continue;
            }

            i++;
            if (raw[i] == 'u')
            {
                text.Append((char)ushort.Parse(raw.Slice(i + 1, 4), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture));
                i += 4;
            }
            else
            {
                text.Append(raw[i] switch { 'n' => '\n', 'r' => '\r', 't' => '\t', 'b' => '\b', 'f' => '\f', var other => other });
            }
        }

        return text.ToString();
    }
}
