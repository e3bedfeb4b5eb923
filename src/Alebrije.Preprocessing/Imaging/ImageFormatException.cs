namespace Alebrije.Preprocessing.Imaging;

/// <summary>A picture that cannot be read: not a picture, of a kind that is not supported, damaged, cut short, or too large.</summary>
/// <remarks>The message is one sentence that names the picture and the reason; it never carries a decoder's own text.</remarks>
public sealed class ImageFormatException : IOException
{
    /// <summary>An error without a reason; prefer the overload that says one.</summary>
    public ImageFormatException() : base("The picture cannot be read.") { }

    /// <param name="message">One sentence: which picture, what is wrong, the way out.</param>
    public ImageFormatException(string message) : base(message) { }

    /// <param name="message">One sentence: which picture, what is wrong, the way out.</param>
    /// <param name="inner">What the decoder said.</param>
    public ImageFormatException(string message, Exception inner) : base(message, inner) { }
}
