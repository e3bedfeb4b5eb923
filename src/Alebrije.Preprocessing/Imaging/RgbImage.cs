namespace Alebrije.Preprocessing.Imaging;

/// <summary>An image of three bytes a pixel: red, green, blue.</summary>
public sealed class RgbImage
{
    /// <summary>A black image.</summary>
    /// <exception cref="ArgumentException">A side below 1, or too many pixels.</exception>
    public RgbImage(int width, int height) : this(width, height, Allocate(width, height)) { }

    /// <param name="width">Columns, at least 1.</param>
    /// <param name="height">Rows, at least 1.</param>
    /// <param name="pixels">[height, width, 3]; kept, not copied.</param>
    /// <exception cref="ArgumentException">A side below 1, or a number of bytes that does not match.</exception>
    public RgbImage(int width, int height, byte[] pixels)
    {
        ArgumentNullException.ThrowIfNull(pixels);
        ImageLimits.RequireSize(width, height);
        if (pixels.Length != (long)width * height * 3)
            throw new ArgumentException($"An image of {width} x {height} has {(long)width * height * 3} bytes, not {pixels.Length}.",
                nameof(pixels));
        (Width, Height, Pixels) = (width, height, pixels);
    }

    /// <summary>Columns.</summary>
    public int Width { get; }

    /// <summary>Rows.</summary>
    public int Height { get; }

    /// <summary>[height, width, 3], row by row.</summary>
    public byte[] Pixels { get; }

    /// <summary>
    /// Reads an image (PNG, JPEG, GIF, BMP, WebP) and converts it as Pillow's <c>convert("RGB")</c>: opacity is dropped, EXIF orientation
    /// not applied.
    /// </summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="ImageFormatException">The file is not an image, or it is damaged, cut short or too large.</exception>
    public static RgbImage Load(string path) => PillowConvert.Take(PillowImage.Load(path));

    /// <summary>Reads an image as <see cref="Load"/> and applies its EXIF orientation; see <see cref="PillowImage.Upright"/>.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="ImageFormatException">The file is not an image, or it is damaged, cut short or too large.</exception>
    public static RgbImage LoadUpright(string path) => PillowConvert.Take(PillowImage.Load(path).Upright());

    /// <summary>Reads an image from memory, as <see cref="Load"/> does.</summary>
    /// <exception cref="ImageFormatException">The bytes are not an image, or they are damaged, cut short or too large.</exception>
    public static RgbImage FromBytes(ReadOnlySpan<byte> bytes, string name = "the image") =>
        PillowConvert.Take(PillowImage.FromBytes(bytes, name));

    /// <summary>An image from planes as pipelines return them: times 255, rounded half to even, clamped.</summary>
    /// <param name="planes">[3, height, width] in [0, 1]; values outside are clamped, NaN is black.</param>
    /// <param name="width">Columns.</param>
    /// <param name="height">Rows.</param>
    /// <exception cref="ArgumentException">A number of values that does not match.</exception>
    public static RgbImage FromPlanes(ReadOnlySpan<float> planes, int width, int height)
    {
        var image = new RgbImage(width, height);
        var plane = width * height;
        if (planes.Length != 3L * plane)
            throw new ArgumentException($"Planes of {width} x {height} have {3L * plane} values, not {planes.Length}.", nameof(planes));
        for (var i = 0; i < plane; i++)
        {
            for (var c = 0; c < 3; c++)
                image.Pixels[i * 3 + c] = (byte)Math.Clamp(MathF.Round(planes[c * plane + i] * 255f), 0f, 255f);
        }
        return image;
    }

    /// <summary>The same image as a <see cref="PillowImage"/> of mode RGB; the pixels are shared.</summary>
    public PillowImage ToPillow() => new(PixelMode.Rgb, Width, Height, Pixels);

    /// <summary>Pillow's <c>resize</c>, to the byte; see <see cref="PillowResize"/>.</summary>
    public RgbImage Resize(int width, int height, ResizeFilter filter = ResizeFilter.Bicubic, ResizeBox? box = null)
        => PillowResize.Resize(this, width, height, filter, box);

    /// <summary>The image as a PNG file in memory; the same image and text always give the same bytes.</summary>
    /// <param name="text">Text chunks by keyword (1 to 79 Latin-1 characters), e.g. an image's recipe; see <see cref="PngText"/>.</param>
    /// <exception cref="ArgumentException">A keyword that PNG does not allow.</exception>
    public byte[] ToPng(IReadOnlyDictionary<string, string>? text = null) => PngEncoder.Encode(ToPillow(), text);

    /// <summary>Writes the image as a PNG file; an existing one is replaced.</summary>
    /// <param name="path">File to write, in an existing folder.</param>
    /// <param name="text">Text chunks, as in <see cref="ToPng"/>.</param>
    /// <exception cref="ArgumentException">A keyword that PNG does not allow.</exception>
    /// <exception cref="IOException">The file cannot be written; the message contains its name and the reason.</exception>
    public void SavePng(string path, IReadOnlyDictionary<string, string>? text = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        WrittenFile.Write(path, ToPng(text));
    }

    private static byte[] Allocate(int width, int height)
    {
        ImageLimits.RequireSize(width, height);
        return new byte[width * height * 3];
    }
}
