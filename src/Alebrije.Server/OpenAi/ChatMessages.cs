using System.Text.Json;
using Alebrije.Server.Requests;
using Microsoft.Extensions.AI;

namespace Alebrije.Server.OpenAi;

/// <summary>Messages of OpenAI's chats into those of the chat client; images are decoded under the service's limits.</summary>
internal sealed class ChatMessages(Uploads uploads)
{
    private const string Field = "messages";
    private const int MostMessages = 64, MostParts = 32, MostImages = 16;

    private readonly List<string> ignored = [];
    private int images;

    /// <summary>Parts without effect: those of the system's role.</summary>
    public IReadOnlyList<string> Ignored => ignored;

    /// <exception cref="ApiException">A message that cannot be read.</exception>
    public async Task<IReadOnlyList<ChatMessage>> ReadAsync(RequestFields fields, CancellationToken cancellation)
    {
        if (fields.Raw(Field) is not { } list)
            throw new ApiException(400, "The field messages is missing; send a list of messages.", Field, "missing_field");
        if (list.ValueKind != JsonValueKind.Array) throw RequestFields.Wrong(Field, list, "a list of messages");
        if (list.GetArrayLength() is 0 or > MostMessages)
            throw ApiException.Field(Field, $"There are {list.GetArrayLength()} messages; 1 to {MostMessages} are allowed.");
        var messages = new List<ChatMessage>();
        foreach (var item in list.EnumerateArray())
        {
            if (item.ValueKind != JsonValueKind.Object || Text(item, "role") is not { } role)
                throw RequestFields.Wrong(Field, item, "a list of objects with role and content");
            if (role is "system" or "developer")
            {
                if (!ignored.Contains(role)) ignored.Add(role);
                continue;
            }

            if (role is not ("user" or "assistant"))
                throw ApiException.Field(Field, $"The role '{RequestFields.Short(role)}' is not user, assistant or system.");
            messages.Add(new ChatMessage(role == "user" ? ChatRole.User : ChatRole.Assistant,
                await ContentsAsync(item, cancellation).ConfigureAwait(false)));
        }

        return messages;
    }

    private async Task<List<AIContent>> ContentsAsync(JsonElement message, CancellationToken cancellation)
    {
        if (!message.TryGetProperty("content", out var content))
            throw new ApiException(400, "A message has no content.", Field, "missing_field");
        if (content.ValueKind == JsonValueKind.String) return [Text(content.GetString()!)];
        if (content.ValueKind != JsonValueKind.Array) throw RequestFields.Wrong(Field, content, "a text or a list of parts");
        if (content.GetArrayLength() > MostParts) throw ApiException.Field(Field, $"A message has more than {MostParts} parts.");
        var parts = new List<AIContent>();
        foreach (var part in content.EnumerateArray())
        {
            if (part.ValueKind != JsonValueKind.Object) throw RequestFields.Wrong(Field, part, "a part with a type");
            parts.Add(Text(part, "type") switch
            {
                "text" => Text(Text(part, "text") ?? throw ApiException.Field(Field, "A part of the type text has no text.")),
                "image_url" => await ImageAsync(part, cancellation).ConfigureAwait(false),
                var type => throw ApiException.Field(Field,
                    $"A part has the type '{RequestFields.Short(type ?? "")}'; text and image_url are read."),
            });
        }

        return parts;
    }

    private async Task<DataContent> ImageAsync(JsonElement part, CancellationToken cancellation)
    {
        if (++images > MostImages) throw ApiException.Field(Field, $"There are more than {MostImages} images.");
        var address = part.TryGetProperty("image_url", out var image) ? image.ValueKind switch
        {
            JsonValueKind.String => image.GetString(),
            JsonValueKind.Object => Text(image, "url"),
            _ => null,
        } : null;
        if (address is null) throw ApiException.Field(Field, "A part of the type image_url has no url; send data:image/png;base64,...");
        var decoded = await uploads.DecodeAsync(address, Field, cancellation).ConfigureAwait(false);
        return new DataContent(decoded.ToRgb().ToPng(), "image/png");
    }

    private static TextContent Text(string text) => text.Length <= RequestFields.MostText ? new TextContent(text)
        : throw ApiException.Field(Field, $"A text has {text.Length} characters; at most {RequestFields.MostText} are allowed.");

    private static string? Text(JsonElement item, string name) =>
        item.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
}
