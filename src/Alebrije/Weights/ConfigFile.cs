using System.Reflection;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using System.Text.RegularExpressions;
using Alebrije.Preprocessing;

namespace Alebrije.Weights;

/// <summary>
/// Reads and writes configuration records (<c>config.json</c>, <c>scheduler_config.json</c> ...). Keys are snake_case; a missing or null
/// key takes the record's default, which is that of the reference's constructor (except keys with a meaningful null, which are marked to be
/// written when null); <c>NaN</c>, <c>Infinity</c> and <c>-Infinity</c> are accepted as written by Python. <c>_class_name</c> is the class
/// of a published file.
/// </summary>
internal static partial class ConfigFile
{
    private static readonly JsonSerializerOptions Published = Options(JsonUnmappedMemberHandling.Skip);
    private static readonly JsonSerializerOptions Own = Options(JsonUnmappedMemberHandling.Disallow);

    private static readonly JsonDocumentOptions Lenient = new()
    {
        CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true, AllowDuplicateProperties = false,
    };

    /// <summary>Reads a record.</summary>
    /// <param name="path">The file, or a folder with <c>config.json</c>.</param>
    /// <param name="unknownKeysAllowed">False for this project's own files, in which an unknown key is an error.</param>
    /// <exception cref="CheckpointNotFoundException">There is no such file.</exception>
    /// <exception cref="WeightsException">It is not JSON, or a key has a value of the wrong type; the message names file and
    /// key.</exception>
    public static T Read<T>(string path, bool unknownKeysAllowed = true)
    {
        var file = Locate(path);
        var root = ReadObject(file);
        DropNulls(root, [.. MeaningfulNulls(typeof(T), [])]);
        return Deserialise<T>(root, file, unknownKeysAllowed ? Published : Own);
    }

    /// <summary>Applies a file's non-null keys to given defaults, for records whose defaults depend on more than their type.</summary>
    /// <exception cref="WeightsException">A key has a value of the wrong type; the message names file and key.</exception>
    public static T Overlay<T>(T defaults, JsonObject keys, string file)
    {
        var root = JsonSerializer.SerializeToNode(defaults, Published)!.AsObject();
        foreach (var (key, value) in keys)
            if (value is not null) root[key] = value.DeepClone();
        return Deserialise<T>(root, file, Published);
    }

    private static T Deserialise<T>(JsonObject root, string file, JsonSerializerOptions options)
    {
        try
        {
            return root.Deserialize<T>(options)!;
        }
        catch (JsonException e)
        {
            throw new WeightsException($"{file}: {Explain(e)}", e);
        }
        catch (Exception e) when (e is ArgumentException or NotSupportedException)
        {
            throw new WeightsException($"{file}: {e.Message}", e);
        }
    }

    /// <summary>Class of a published file (<c>_class_name</c>, or the first of <c>architectures</c>), or null.</summary>
    public static string? ClassName(string path)
    {
        var root = ReadObject(Locate(path));
        var value = root["_class_name"] ?? (root["architectures"] is JsonArray { Count: > 0 } list ? list[0] : null);
        return value is JsonValue text && text.TryGetValue<string>(out var name) ? name : null;
    }

    /// <summary>Reads a file's top-level object, for keys outside any record.</summary>
    public static JsonObject ReadObject(string path)
    {
        try
        {
            return ParseObject(RegularFile.ReadAllText(path), path);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new CheckpointNotFoundException($"there is no file {path}.", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new WeightsException($"{path} cannot be read: {e.Message}", e);
        }
    }

    /// <summary>Parses the top-level object of a file's text.</summary>
    public static JsonObject ParseObject(string text, string path)
    {
        try
        {
            // Python writes infinities bare, which is invalid JSON: quoted, the number reader accepts them.
            text = BareNumber().Replace(text, m => m.Groups["bare"].Success ? $"\"{m.Value}\"" : m.Value);
            var root = JsonText.ParseNode(Encoding.UTF8.GetBytes(text), Lenient) as JsonObject ?? throw new WeightsException(
                $"{path} must hold a JSON object.");
            ConfigLimits.Check(root, path);
            return root;
        }
        catch (JsonException e)
        {
            throw new WeightsException(
                $"{path} is not valid JSON: it breaks off at line {e.LineNumber + 1}, byte {e.BytePositionInLine + 1}.", e);
        }
    }

    /// <summary>Writes a record, indented, under the same rules; nulls are omitted. The file is replaced atomically.</summary>
    /// <param name="path">The file.</param>
    /// <param name="config">The record.</param>
    /// <param name="className">Written first as <c>_class_name</c>, if given.</param>
    public static void Write<T>(string path, T config, string? className = null)
    {
        var text = TextOf(config, className);
        AtomicFile.Write(path, stream => stream.Write(Encoding.UTF8.GetBytes(text)));
    }

    /// <summary>The text that <see cref="Write"/> writes.</summary>
    public static string TextOf<T>(T config, string? className = null)
    {
        var body = JsonSerializer.SerializeToNode(config, Published) as JsonObject
            ?? throw new ArgumentException($"{typeof(T).Name} is not written as a JSON object.", nameof(config));
        if (className is not null)
        {
            body.Remove("_class_name");
            body.Insert(0, "_class_name", className);
        }

        return body.ToJsonString(Published) + "\n";
    }

    private static string Locate(string path)
    {
        var file = Directory.Exists(path) ? Path.Combine(path, "config.json") : path;
        return File.Exists(file) ? file : throw new CheckpointNotFoundException($"there is no file {file}.");
    }

    /// <summary>Keys whose null differs from the default and is written, in a record and in nested records.</summary>
    private static IEnumerable<string> MeaningfulNulls(Type type, HashSet<Type> seen)
    {
        if (!seen.Add(type) || type.Assembly != typeof(ConfigFile).Assembly) yield break;
        foreach (var property in type.GetProperties())
        {
            if (property.GetCustomAttribute<JsonIgnoreAttribute>() is { Condition: JsonIgnoreCondition.Never })
                yield return JsonNamingPolicy.SnakeCaseLower.ConvertName(property.Name);
            foreach (var inner in MeaningfulNulls(property.PropertyType, seen)) yield return inner;
        }
    }

    private static void DropNulls(JsonNode node, string[] kept)
    {
        if (node is JsonObject map)
        {
            foreach (var key in map.Where(pair => pair.Value is null && !kept.Contains(pair.Key, StringComparer.Ordinal))
                .Select(pair => pair.Key).ToList()) map.Remove(key);
            foreach (var (_, child) in map)
                if (child is not null) DropNulls(child, kept);
        }
        else if (node is JsonArray list)
        {
            foreach (var child in list)
                if (child is not null) DropNulls(child, kept);
        }
    }

    private static string Explain(JsonException e)
    {
        var key = e.Path is { Length: > 2 } path ? path.TrimStart('$', '.') : null;
        var reason = e.Message;
        foreach (var end in new[] { " Path: ", "Path: $" })
            if (reason.IndexOf(end, StringComparison.Ordinal) is >= 0 and var at) reason = reason[..at];
        return key is null ? reason.Trim() : $"the key '{key}' cannot be used: {reason.Trim()}";
    }

    private static JsonSerializerOptions Options(JsonUnmappedMemberHandling unmapped) => new(JsonForms.Indented)
    {
        UnmappedMemberHandling = unmapped, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Converters = { new WholeNumberConverter() },
    };

    /// <summary>Pattern of a JSON string, skipped as a whole, or one of Python's bare numbers.</summary>
    [GeneratedRegex("""
        "(?:[^"\\]|\\.)*"|(?<bare>-?Infinity|NaN)
        """, RegexOptions.CultureInvariant)]
    private static partial Regex BareNumber();

    /// <summary>Accepts integers that published files write as <c>1.0</c>.</summary>
    private sealed class WholeNumberConverter : JsonConverter<int>
    {
        public override int Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
        {
            if (reader.TokenType != JsonTokenType.Number) throw new JsonException($"expected a whole number, not {reader.TokenType}.");
            if (reader.TryGetInt32(out var whole)) return whole;
            if (reader.TryGetDouble(out var value) && value == Math.Floor(value) && Math.Abs(value) <= int.MaxValue) return (int)value;
            throw new JsonException("expected a whole number of at most 32 bits.");
        }

        public override void Write(Utf8JsonWriter writer, int value, JsonSerializerOptions options) => writer.WriteNumberValue(value);
    }
}

/// <summary>Reads a list that published files also write as a single value: <c>8</c> or <c>[5, 10, 20]</c>.</summary>
internal sealed class OneOrManyConverter<T> : JsonConverter<T[]>
{
    /// <inheritdoc/>
    public override T[] Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        // The items' converter is called directly: the serializer would lose the key's path on an error.
        var converter = (JsonConverter<T>)options.GetConverter(typeof(T));
        if (reader.TokenType != JsonTokenType.StartArray) return [converter.Read(ref reader, typeof(T), options)!];
        var items = new List<T>();
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray) items.Add(converter.Read(ref reader, typeof(T), options)!);
        return [.. items];
    }

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, T[] value, JsonSerializerOptions options)
    {
        if (value.Length == 1)
        {
            JsonSerializer.Serialize(writer, value[0], options);
            return;
        }

        writer.WriteStartArray();
        foreach (var item in value) JsonSerializer.Serialize(writer, item, options);
        writer.WriteEndArray();
    }
}
