using System.Buffers.Binary;

namespace Alebrije.Preprocessing.Imaging;

/// <summary>
/// Animated PNG (PNG third edition, §11.3.2): images in an endless loop. Browsers play it; readers of plain PNG show the first image.
/// </summary>
public static class AnimatedPng
{
    /// <summary>Writes an animation.</summary>
    /// <param name="pictures">At least one, all of one size.</param>
    /// <param name="milliseconds">Duration of each image, 1 to 65535.</param>
    /// <param name="text">Text chunks, as in <see cref="RgbImage.ToPng"/>.</param>
    /// <exception cref="ArgumentException">No images, images of several sizes, or a duration out of its range.</exception>
    public static byte[] Encode(IReadOnlyList<RgbImage> pictures, int milliseconds, IReadOnlyDictionary<string, string>? text = null)
    {
        ArgumentNullException.ThrowIfNull(pictures);
        if (pictures.Count == 0) throw new ArgumentException("An animation needs at least one image.", nameof(pictures));
        var (width, height) = (pictures[0].Width, pictures[0].Height);
        if (pictures.FirstOrDefault(picture => picture.Width != width || picture.Height != height) is { } other)
            throw new ArgumentException(
                $"An animation has one size: {width} x {height} and {other.Width} x {other.Height} do not go together.", nameof(pictures));
        if (milliseconds is < 1 or > ushort.MaxValue)
            throw new ArgumentException($"An image cannot be shown for {milliseconds} ms: 1 to {ushort.MaxValue}.", nameof(milliseconds));

        using var file = new MemoryStream();
        file.Write(Png.Signature);
        PngEncoder.WriteHeader(file, width, height, depth: 8, colourType: 2);
        foreach (var (keyword, value) in text ?? new Dictionary<string, string>()) PngText.Write(file, keyword, value);
        Span<byte> control = stackalloc byte[8];
        BinaryPrimitives.WriteInt32BigEndian(control, pictures.Count);
        BinaryPrimitives.WriteInt32BigEndian(control[4..], 0);
        Png.WriteChunk(file, "acTL"u8, control);
        var sequence = 0;
        foreach (var (picture, i) in pictures.Select((picture, i) => (picture, i)))
        {
            WriteFrame(file, sequence++, width, height, milliseconds);
            var pixels = Png.Deflate(PngEncoder.Filter(picture.ToPillow(), depth: 8));
            if (i == 0)
            {
                Png.WriteChunk(file, "IDAT"u8, pixels);
                continue;
            }

            var numbered = new byte[pixels.Length + 4];
            BinaryPrimitives.WriteInt32BigEndian(numbered, sequence++);
            pixels.CopyTo(numbered, 4);
            Png.WriteChunk(file, "fdAT"u8, numbered);
        }

        Png.WriteChunk(file, "IEND"u8, []);
        return file.ToArray();
    }

    private static void WriteFrame(Stream file, int sequence, int width, int height, int milliseconds)
    {
        Span<byte> frame = stackalloc byte[26];
        frame.Clear();
        BinaryPrimitives.WriteInt32BigEndian(frame, sequence);
        BinaryPrimitives.WriteInt32BigEndian(frame[4..], width);
        BinaryPrimitives.WriteInt32BigEndian(frame[8..], height);
        BinaryPrimitives.WriteUInt16BigEndian(frame[20..], (ushort)milliseconds);
        BinaryPrimitives.WriteUInt16BigEndian(frame[22..], 1000);
        Png.WriteChunk(file, "fcTL"u8, frame);
    }
}
