using System.Text.Json.Serialization;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Weights;

namespace Alebrije.Pipelines;

/// <summary>An image that a request refers to: a file with its hash, or pixels in memory, which no recipe can hold.</summary>
public sealed record ImageInput
{
    private RgbImage? image;

    /// <param name="file">Path of the file; null for an image in memory.</param>
    /// <param name="sha256">SHA-256 of the file, 64 hexadecimal digits; null is computed when the file is read.</param>
    [JsonConstructor]
    public ImageInput(string? file, string? sha256 = null) => (File, Sha256) = (file, sha256);

    /// <summary>Path of the file; null for an image in memory.</summary>
    public string? File { get; }

    /// <summary>SHA-256 of the file, 64 hexadecimal digits; null before it is read, or for an image in memory.</summary>
    public string? Sha256 { get; private set; }

    /// <summary>The image, turned by its EXIF orientation; read when first asked for.</summary>
    /// <exception cref="FileNotFoundException">The file is missing.</exception>
    /// <exception cref="ImageFormatException">The file is no image.</exception>
    /// <exception cref="InvalidDataException">The file has another hash than <see cref="Sha256"/>.</exception>
    [JsonIgnore]
    public RgbImage Image => image ??= Read();

    /// <summary>An image in memory.</summary>
    public static ImageInput Of(RgbImage image)
    {
        ArgumentNullException.ThrowIfNull(image);
        return new ImageInput(file: null) { image = image };
    }

    private RgbImage Read()
    {
        if (File is null) throw new InvalidDataException("The image was in memory when its recipe was written, so it cannot be read again.");
        var read = RgbImage.LoadUpright(File);
        var hash = FileHash.Sha256(File);
        if (Sha256 is { } wanted && !wanted.Equals(hash, StringComparison.OrdinalIgnoreCase))
            throw new InvalidDataException($"{File} has changed since the recipe was written: its SHA-256 is {hash}, not {wanted}.");
        Sha256 = hash;
        return read;
    }
}
