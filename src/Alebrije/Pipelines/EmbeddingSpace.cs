using System.Globalization;
using System.Text;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Preprocessing.Tokenizers;

namespace Alebrije.Pipelines;

/// <summary>
/// Identity of an embedding space: the model, the width of its embeddings, and the preparation of texts and images for that model.
/// A cosine means something only between two embeddings of one space.
/// </summary>
/// <param name="Model">Name of the model.</param>
/// <param name="Dimensions">Width of an embedding.</param>
/// <param name="Preprocessing">
/// Fingerprint of the tokenizer and of the preparation of images, 16 hexadecimal digits; null where it was not kept, which fits any.
/// </param>
public sealed record EmbeddingSpace(string Model, int Dimensions, string? Preprocessing = null)
{
    private const char Separator = '|';

    /// <summary>True if embeddings of both spaces may be compared.</summary>
    public bool IsSame(EmbeddingSpace other)
    {
        ArgumentNullException.ThrowIfNull(other);
        return Model == other.Model && Dimensions == other.Dimensions
            && (Preprocessing is null || other.Preprocessing is null || Preprocessing == other.Preprocessing);
    }

    /// <summary>Refuses another space.</summary>
    /// <exception cref="InvalidDataException">The spaces differ; the message names both.</exception>
    public void Require(EmbeddingSpace other)
    {
        if (!IsSame(other))
            throw new InvalidDataException($"Embeddings of {Describe()} and of {other.Describe()} "
                + $"are of two spaces; embeddings of different models cannot be compared. Embed again, or use the same model.");
    }

    /// <summary>One line that <see cref="TryParse"/> reads: model, dimension and fingerprint.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture,
        $"{Model}{Separator}{Dimensions}{Separator}{Preprocessing}");

    /// <summary>Reads what <see cref="ToString"/> wrote.</summary>
    public static bool TryParse(string? text, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out EmbeddingSpace? space)
    {
        space = null;
        var last = text?.LastIndexOf(Separator) ?? -1;
        var middle = last > 0 ? text!.LastIndexOf(Separator, last - 1) : -1;
        if (middle <= 0 || !int.TryParse(text.AsSpan(middle + 1, last - middle - 1),
            NumberStyles.None, CultureInfo.InvariantCulture, out var dimensions) || dimensions == 0)
            return false;
        space = new EmbeddingSpace(text![..middle], dimensions, last + 1 == text.Length ? null : text[(last + 1)..]);
        return true;
    }

    internal static EmbeddingSpace Of(string model, int dimensions, ITextTokenizer? tokenizer, ClipImageProcessor? images) =>
        new(model, dimensions, PreparationOf(tokenizer, images));

    private static string PreparationOf(ITextTokenizer? tokenizer, ClipImageProcessor? images)
    {
        var text = new StringBuilder();
        if (tokenizer is ClipTokenizer clip)
            text.Append(CultureInfo.InvariantCulture, $"{clip.Dialect} {clip.StartId} {clip.EndId} {clip.PadId} {clip.MaxLength}\n")
                .AppendJoin('\n', clip.Symbols);
        if (tokenizer is UnigramTokenizer unigram)
            text.Append(CultureInfo.InvariantCulture, $"{unigram.Dialect} {unigram.Cleaning} {unigram.PadId} {unigram.MaxLength}\n")
                .AppendJoin('\n', unigram.Symbols);
        if (images?.Options is { } options)
        {
            text.Append(CultureInfo.InvariantCulture,
                $"\n{options.Convention} {options.Fit} {options.Filter} {options.ResizeHeight} "
                    + $"{options.ResizeWidth} {options.CropHeight} {options.CropWidth}");
            text.Append(CultureInfo.InvariantCulture,
                $" {options.DoResize} {options.DoCrop} {options.DoRescale} {options.DoNormalize} {options.RescaleFactor:R}");
            foreach (var value in options.Mean.Concat(options.Deviation)) text.Append(CultureInfo.InvariantCulture, $" {value:R}");
        }

        return Fingerprint.Of(Encoding.UTF8.GetBytes(text.ToString()));
    }

    private string Describe() => string.Create(
        CultureInfo.InvariantCulture, $"{Model} ({Dimensions} numbers{(Preprocessing is null ? "" : $", preprocessing {Preprocessing}")})");
}
