namespace Alebrije.Preprocessing.Imaging;

/// <summary>Identifies a file by its first bytes and passes it to the decoder of its format.</summary>
internal static class ImageFile
{
    private static ReadOnlySpan<byte> Jpeg => [0xff, 0xd8, 0xff];

    public static PillowImage Read(string path) => Decode(Bytes(path), path);

    /// <summary>The bytes of an image file.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="ImageFormatException">It is a folder, or larger than the largest image file.</exception>
    public static byte[] Bytes(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (Directory.Exists(path))
            throw new ImageFormatException($"{path} is a folder, not an image.");
        var file = Target(path);
        if (!file.Exists)
            throw new FileNotFoundException($"There is no image {path}.", path);

        RegularFile.Require(path);
        if (file.Length > ImageLimits.MaximumFileBytes)
            throw new ImageFormatException(
                $"{path} is too large: {file.Length} bytes, and at most {ImageLimits.MaximumFileBytes} are allowed.");
        return RegularFile.ReadAllBytes(path);
    }

    /// <summary>The file that a path leads to through all links.</summary>
    /// <exception cref="IOException">The links lead in a circle.</exception>
    public static FileInfo Target(string path)
    {
        var file = new FileInfo(path);
        return file.LinkTarget is null ? file : file.ResolveLinkTarget(returnFinalTarget: true) as FileInfo ?? file;
    }

    public static PillowImage Decode(ReadOnlySpan<byte> bytes, string name)
    {
        var image = Stored(bytes, name);
        return ExifOrientation.Read(bytes) is var orientation
            && orientation == ExifOrientation.None ? image : image.With(image.Width, image.Height, image.Pixels, orientation);
    }

    private static PillowImage Stored(ReadOnlySpan<byte> bytes, string name)
    {
        if (bytes.IsEmpty)
            throw new ImageFormatException($"{name} is empty: an image (PNG, JPEG, GIF, BMP or WebP) was expected.");
        if (bytes.StartsWith(Png.Signature))
            return PngDecoder.Decode(bytes, name);
        if (bytes.StartsWith(Jpeg))
            return JpegDecoder.CountComponents(bytes) == 4 ? JpegDecoder.DecodeCmyk(bytes, name) : SkiaDecoder.Decode(bytes, name, "JPEG");
        if (bytes.StartsWith("GIF87a"u8) || bytes.StartsWith("GIF89a"u8))
            return GifDecoder.Decode(bytes, name);
        if (bytes.StartsWith("BM"u8))
            return BmpDecoder.Decode(bytes, name);
        if (bytes.StartsWith("RIFF"u8) && bytes.Length >= 12 && bytes[8..12].SequenceEqual("WEBP"u8))
            return SkiaDecoder.Decode(bytes, name, "WebP");
        throw new ImageFormatException($"{name} is not an image that can be read: PNG, JPEG, GIF, BMP and WebP are.");
    }
}
