using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Unicode;

namespace Alebrije.Preprocessing;

/// <summary>
/// JSON of files and answers from outside, whose texts can all be read. The parser of the runtime accepts texts of invalid UTF-8 and halves
/// of surrogate pairs, and fails at each use of one, with another exception than that of damaged JSON.
/// </summary>
internal static class JsonText
{
    /// <summary>Parses UTF-8.</summary>
    /// <exception cref="JsonException">It is not JSON, or has a text that is not Unicode; with the line and the byte.</exception>
    public static JsonDocument Parse(ReadOnlyMemory<byte> utf8, JsonDocumentOptions options = default)
    {
        var document = JsonDocument.Parse(utf8, options);
        try
        {
            Check(utf8.Span, options);
            return document;
        }
        catch (JsonException)
        {
            document.Dispose();
            throw;
        }
    }

    /// <inheritdoc cref="Parse(ReadOnlyMemory{byte}, JsonDocumentOptions)"/>
    public static JsonDocument Parse(string text, JsonDocumentOptions options = default) =>
        Parse(System.Text.Encoding.UTF8.GetBytes(text), options);

    /// <summary>Parses UTF-8 to a tree that can be changed.</summary>
    /// <inheritdoc cref="Parse(ReadOnlyMemory{byte}, JsonDocumentOptions)"/>
    public static JsonNode? ParseNode(ReadOnlySpan<byte> utf8, JsonDocumentOptions options = default)
    {
        var node = JsonNode.Parse(utf8, documentOptions: options);
        Check(utf8, options);
        return node;
    }

    /// <summary>Reads every text where one of them may not be Unicode.</summary>
    private static void Check(ReadOnlySpan<byte> utf8, JsonDocumentOptions options)
    {
        if (Utf8.IsValid(utf8) && !MayHoldHalves(utf8)) return;
        var reader = new Utf8JsonReader(utf8, new JsonReaderOptions
        {
            AllowTrailingCommas = options.AllowTrailingCommas, CommentHandling = options.CommentHandling, MaxDepth = options.MaxDepth,
        });
        while (reader.Read())
        {
            if (reader.TokenType is not (JsonTokenType.PropertyName or JsonTokenType.String)) continue;
            try
            {
                reader.GetString();
            }
            catch (InvalidOperationException e)
            {
                var before = utf8[..(int)reader.TokenStartIndex];
                throw new JsonException("A text in it is not valid Unicode.", null, before.Count((byte)'\n'),
                    before.Length - 1 - before.LastIndexOf((byte)'\n'), e);
            }
        }
    }

    /// <summary>True if there is an escape of U+D800 to U+DFFF.</summary>
    private static bool MayHoldHalves(ReadOnlySpan<byte> utf8)
    {
        while (utf8.IndexOf("\\u"u8) is var at and >= 0)
        {
            utf8 = utf8[(at + 2)..];
            if (utf8.Length > 1 && utf8[0] is (byte)'d' or (byte)'D' && utf8[1] is not (>= (byte)'0' and <= (byte)'7')) return true;
        }

        return false;
    }
}
