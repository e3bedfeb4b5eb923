using System.Security.Cryptography;
using System.Text.Json.Serialization;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Weights;

namespace Alebrije.Pipelines;

/// <summary>An image that a request refers to: a file with its hash, or pixels in memory, which no recipe can hold.</summary>
public sealed record ImageInput : FileInput
{
    private RgbImage? image;

    /// <param name="file">Path of the file; null for an image in memory.</param>
    /// <param name="sha256">SHA-256 of the file, 64 hexadecimal digits; null is computed when the file is read.</param>
    [JsonConstructor]
    public ImageInput(string? file, string? sha256 = null) : base(file, sha256) { }

    /// <summary>The image, turned by its EXIF orientation; read on first use.</summary>
    /// <exception cref="FileNotFoundException">The file is missing.</exception>
    /// <exception cref="ImageFormatException">The file is not an image.</exception>
    /// <exception cref="InvalidDataException">The file has another hash than <see cref="FileInput.Sha256"/>.</exception>
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
        if (File is null) throw new InvalidDataException(
            "The image was in memory when its recipe was written, so it cannot be read again.");
        var bytes = ImageFile.Bytes(File);
        Check(Convert.ToHexStringLower(SHA256.HashData(bytes)));
        return ImageFile.Decode(bytes, File).Upright().ToRgb();
    }
}
