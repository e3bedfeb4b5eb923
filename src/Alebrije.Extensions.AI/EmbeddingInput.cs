using Alebrije.Preprocessing.Imaging;
using Microsoft.Extensions.AI;

namespace Alebrije.Extensions.AI;

/// <summary>A text, or a decoded image.</summary>
internal readonly record struct EmbeddingInput(string? Text, PillowImage? Image)
{
    public static EmbeddingInput OfText(string? text, int place) =>
        new(text ?? throw new ArgumentException($"Text {place} is null; give a text, which may be empty."), null);

    /// <summary>
    /// An image at the model's input size, so that what waits for its turn is small; preparing it once more changes nothing.
    /// </summary>
    public EmbeddingInput PreparedBy(ClipImageProcessor? processor) =>
        Image is null || processor is null ? this : new EmbeddingInput(null, processor.PrepareBytes(Image).ToPillow());

    /// <exception cref="ArgumentException">No image in memory; the message describes the input.</exception>
    /// <exception cref="ImageFormatException">The image cannot be read.</exception>
    public static EmbeddingInput OfContent(AIContent? content, int place) => content switch
    {
        TextContent text => OfText(text.Text, place),
        DataContent data => OfData(data, place),
        null => throw new ArgumentException($"Content {place} is null; give a TextContent, or a DataContent with an image."),
        UriContent link => throw new ArgumentException(
            $"Content {place} is the address {link.Uri}, and nothing is fetched here; load it and give a DataContent."),
        _ => throw new ArgumentException(
            $"Content {place} is a {content.GetType().Name}; CLIP embeds a TextContent, or a DataContent with an image."),
    };

    private static EmbeddingInput OfData(DataContent data, int place)
    {
        var name = data.Name is { Length: > 0 } given ? $"content {place} ({given})" : $"content {place}";
        if (!data.HasTopLevelMediaType("image"))
            throw new ArgumentException($"{char.ToUpperInvariant(name[0])}{name[1..]} "
                + $"is {data.MediaType}; CLIP embeds images (image/png, image/jpeg, ...), and texts as TextContent.");
        return new EmbeddingInput(null, PillowImage.FromBytes(data.Data.Span, name));
    }
}
