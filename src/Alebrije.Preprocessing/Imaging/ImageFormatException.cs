namespace Alebrije.Preprocessing.Imaging;

/// <summary>An image that cannot be read: not an image, of an unsupported kind, damaged, cut short, or too large.</summary>
/// <remarks>The message is one sentence with the image and the reason, without a decoder's own text.</remarks>
public sealed class ImageFormatException : IOException
{
    /// <summary>An error without a reason; prefer the overload with a message.</summary>
    public ImageFormatException() : base("The image cannot be read.") { }

    /// <param name="message">One sentence: the image, the error, the remedy.</param>
    public ImageFormatException(string message) : base(message) { }

    /// <param name="message">One sentence: the image, the error, the remedy.</param>
    /// <param name="inner">Error of the decoder.</param>
    public ImageFormatException(string message, Exception inner) : base(message, inner) { }
}
