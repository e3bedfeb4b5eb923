using System.Security.Cryptography;
using Alebrije.Preprocessing.Imaging;

namespace Alebrije.Search;

/// <summary>Content of an image file: its hash, and on demand the image and the facts of the index.</summary>
internal sealed class PictureContent
{
    private readonly byte[] bytes;
    private readonly string path;

    private PictureContent(string path, byte[] bytes) => (this.path, this.bytes, Hash) = (path, bytes, SHA256.HashData(bytes));

    /// <summary>SHA-256 of the file, 32 bytes.</summary>
    public byte[] Hash { get; }

    /// <summary>Reads a file once.</summary>
    /// <exception cref="FileNotFoundException">There is none.</exception>
    /// <exception cref="ImageFormatException">It is a folder or too large.</exception>
    public static PictureContent Read(string path) => new(path, ImageFile.Bytes(path));

    /// <summary>The image, turned upright.</summary>
    /// <exception cref="ImageFormatException">It is damaged, too large, or of an unsupported kind.</exception>
    /// <exception cref="MissingDecoderException">It is of a kind whose decoder is not installed.</exception>
    public PillowImage Decode() =>
        VipsDecoder.IsOne(bytes) ? VipsDecoder.Decode(bytes, path) : PillowImage.FromBytes(bytes, path).Upright();

    /// <summary>The facts of an image for the index.</summary>
    /// <param name="image">The decoded image.</param>
    public PictureFacts Facts(PillowImage image) =>
        new(image.Width, image.Height, PictureMetadata.Read(bytes), PerceptualHash.Of(image.ToRgbOnWhite()));
}

/// <summary>Facts of an image that the index keeps.</summary>
/// <param name="Width">Columns, upright.</param>
/// <param name="Height">Rows, upright.</param>
/// <param name="Metadata">Date, place and camera.</param>
/// <param name="Signature">For finding copies.</param>
internal sealed record PictureFacts(int Width, int Height, PictureMetadata Metadata, PerceptualHash Signature);
