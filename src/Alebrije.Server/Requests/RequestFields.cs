using System.Globalization;
using System.Text.Json;

namespace Alebrije.Server.Requests;

/// <summary>
/// Fields of a request, of a JSON object or of a form, read by name with their ranges. Fields that nothing read are the unknown ones.
/// </summary>
internal sealed class RequestFields
{
    /// <summary>Most characters of a text.</summary>
    public const int MostText = 32_000;

    private readonly Dictionary<string, JsonElement> values;
    private readonly HashSet<string> read = new(StringComparer.Ordinal);

    public RequestFields(Dictionary<string, JsonElement> values) => this.values = values;

    /// <summary>True for forms, where numbers and truth values are texts.</summary>
    public bool IsForm { get; init; }

    /// <summary>Fields that were given and that nothing read.</summary>
    public IReadOnlyList<string> Unknown => [.. values.Keys.Where(name => !read.Contains(name)).Order(StringComparer.Ordinal)];

    /// <summary>Names and values, for the identity of a request.</summary>
    public string Canonical => string.Join('\n', values.OrderBy(value => value.Key, StringComparer.Ordinal)
        .Select(value => $"{value.Key}={value.Value.GetRawText()}"));

    /// <summary>All values as they came, without taking them as read.</summary>
    public IReadOnlyDictionary<string, JsonElement> Values => values;

    /// <summary>True if a value is given; an empty one counts as read too.</summary>
    public bool Has(string name) => Raw(name) is not null;

    /// <summary>A value as it is; null where it is missing or null.</summary>
    public JsonElement? Raw(string name)
    {
        read.Add(name);
        return values.TryGetValue(name, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;
    }

    /// <summary>Takes fields without effect as known ones.</summary>
    public void Ignore(params IEnumerable<string> names) => read.UnionWith(names);

    /// <summary>Takes those of these fields that are null as known ones.</summary>
    public void IgnoreNulls(params IEnumerable<string> names) =>
        Ignore(names.Where(name => values.TryGetValue(name, out var value) && value.ValueKind == JsonValueKind.Null));

    public string? Text(string name, int most = MostText)
    {
        if (Raw(name) is not { } value) return null;
        if (value.ValueKind != JsonValueKind.String) throw Wrong(name, value, "a text");
        var text = value.GetString()!;
        if (text.Length > most)
            throw ApiException.Field(name, $"The field {name} has {text.Length} characters; at most {most} are allowed.");
        return text;
    }

    public string RequiredText(string name, int most = MostText) => Text(name, most) is { } text && !string.IsNullOrWhiteSpace(text)
        ? text : throw new ApiException(400, $"The field {name} is missing or empty; it has to be a text.", name, "missing_field");

    public int? Whole(string name, int least, int most)
    {
        if (Number(name) is not { } number) return null;
        if (number != Math.Floor(number) || number < least || number > most)
            throw ApiException.Field(name, string.Create(CultureInfo.InvariantCulture,
                $"The field {name} is {number}; it has to be a whole number from {least} to {most}."));
        return (int)number;
    }

    public double? Number(string name, double least, double most)
    {
        if (Number(name) is not { } number) return null;
        if (!(number >= least && number <= most))
            throw ApiException.Field(name, string.Create(CultureInfo.InvariantCulture,
                $"The field {name} is {number}; it has to lie between {least} and {most}."));
        return number;
    }

    /// <summary>A seed: a whole number from 0, or -1 for a random one.</summary>
    /// <returns>Null for a random one.</returns>
    public ulong? Seed(string name = "seed")
    {
        if (Raw(name) is not { } value) return null;
        var text = value.ValueKind == JsonValueKind.Number ? value.GetRawText()
            : IsForm && value.ValueKind == JsonValueKind.String ? value.GetString()! : throw Wrong(name, value, "a whole number");
        if (text.Trim() == "-1") return null;
        return ulong.TryParse(text.Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out var seed) ? seed
            : throw ApiException.Field(name, $"The field {name} is {Short(text)}; it has to be a whole number from 0 to 2^64 - 1, "
                + "or -1 for a random one.");
    }

    public bool? Truth(string name)
    {
        if (Raw(name) is not { } value) return null;
        return value.ValueKind switch
        {
            JsonValueKind.True => true,
            JsonValueKind.False => false,
            JsonValueKind.String when IsForm && value.GetString() is "true" or "True" or "1" => true,
            JsonValueKind.String when IsForm && value.GetString() is "false" or "False" or "0" => false,
            _ => throw Wrong(name, value, "true or false"),
        };
    }

    public string? Choice(string name, params string[] choices)
    {
        if (Text(name) is not { } text) return null;
        return choices.Contains(text, StringComparer.Ordinal) ? text
            : throw ApiException.Field(name, $"The field {name} is '{Short(text)}'; it has to be one of {string.Join(", ", choices)}.");
    }

    /// <summary>A text, or a list of texts.</summary>
    public IReadOnlyList<string>? Texts(string name, int mostItems, int mostCharacters = MostText)
    {
        if (Raw(name) is not { } value) return null;
        if (value.ValueKind == JsonValueKind.String) return [Text(name, mostCharacters)!];
        if (value.ValueKind != JsonValueKind.Array) throw Wrong(name, value, "a list of texts");
        if (value.GetArrayLength() > mostItems)
            throw ApiException.Field(name, $"The field {name} has {value.GetArrayLength()} entries; at most {mostItems} are allowed.");
        return [.. value.EnumerateArray().Select(item =>
            item.ValueKind != JsonValueKind.String ? throw Wrong(name, item, "a list of texts")
            : item.GetString() is { } text && text.Length <= mostCharacters ? text
            : throw ApiException.Field(name, $"An entry of {name} has more than {mostCharacters} characters."))];
    }

    /// <summary>A value of another kind than expected.</summary>
    public static ApiException Wrong(string name, JsonElement value, string expected) =>
        ApiException.Field(name, $"The field {name} is {Short(value.GetRawText())}; it has to be {expected}.");

    /// <summary>The beginning of a value, for messages.</summary>
    public static string Short(string text)
    {
        var clean = new string([.. text.Take(60).Select(c => char.IsControl(c) ? ' ' : c)]);
        return text.Length > 60 ? clean + "..." : clean;
    }

    private double? Number(string name)
    {
        if (Raw(name) is not { } value) return null;
        if (value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out var number) && double.IsFinite(number)) return number;
        if (IsForm && value.ValueKind == JsonValueKind.String && double.TryParse(value.GetString(),
            NumberStyles.Float, CultureInfo.InvariantCulture, out number) && double.IsFinite(number)) return number;
        throw Wrong(name, value, "a number");
    }
}
