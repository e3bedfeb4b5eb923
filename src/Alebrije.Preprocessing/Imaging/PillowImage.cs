namespace Alebrije.Preprocessing.Imaging;

/// <summary>Meaning of the bytes of an image: Pillow's modes, as its file readers give them.</summary>
public enum PixelMode
{
    /// <summary>"1": black and white, one byte a pixel, 0 or 255.</summary>
    Bilevel,

    /// <summary>"L": grey, one byte.</summary>
    Grey,

    /// <summary>"LA": grey and opacity, two bytes.</summary>
    GreyAlpha,

    /// <summary>"P": index into <see cref="PillowImage.Palette"/>, one byte.</summary>
    Palette,

    /// <summary>"RGB": three bytes.</summary>
    Rgb,

    /// <summary>"RGBA": three bytes and opacity.</summary>
    Rgba,

    /// <summary>"CMYK": four bytes of ink, 0 is none.</summary>
    Cmyk,

    /// <summary>"I;16": grey, two bytes, the low one first.</summary>
    Grey16,

    /// <summary>"F": one float32, four bytes, the low one first.</summary>
    Float,
}

/// <summary>
/// An image in the mode of its file, as Pillow opens it. openai/CLIP and open_clip resize in this mode and convert to RGB last, so the
/// mode changes the input of a network (see <see cref="ClipImageProcessor"/>). EXIF orientation is read and, as there, not applied;
/// <see cref="Upright"/> applies it.
/// </summary>
public sealed class PillowImage
{
    private static readonly string[] Endings = [".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".webp", ".gif", ".bmp", ".dib"];

    private static readonly string[] OtherEndings =
    [
        ".tif", ".tiff", ".avif", ".avifs", ".heic", ".heif", ".hif",
            ".jxl", ".jp2", ".j2k", ".jxr", ".ico", ".tga", ".psd", ".exr", ".hdr", ".ppm", ".pgm", ".pnm", ".qoi",
        ".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2", ".raf",
    ];

    /// <param name="mode">Meaning of the bytes.</param>
    /// <param name="width">Columns, at least 1.</param>
    /// <param name="height">Rows, at least 1.</param>
    /// <param name="pixels">[height, width, bytes of the mode], row by row; kept, not copied.</param>
    /// <exception cref="ArgumentException">A size below 1, or a number of bytes that does not match.</exception>
    public PillowImage(PixelMode mode, int width, int height, byte[] pixels)
    {
        ArgumentNullException.ThrowIfNull(pixels);
        ImageLimits.RequireSize(width, height);
        var expected = (long)width * height * BytesPerPixel(mode);
        if (pixels.Length != expected)
            throw new ArgumentException($"A {mode} image of {width} x {height} has {expected} bytes, not {pixels.Length}.",
                nameof(pixels));
        (Mode, Width, Height, Pixels) = (mode, width, height, pixels);
    }

    /// <summary>Meaning of <see cref="Pixels"/>.</summary>
    public PixelMode Mode { get; }

    /// <summary>Columns.</summary>
    public int Width { get; }

    /// <summary>Rows.</summary>
    public int Height { get; }

    /// <summary>[height, width, bytes of the mode], row by row.</summary>
    public byte[] Pixels { get; }

    /// <summary>Bytes of one pixel of this image.</summary>
    public int PixelBytes => BytesPerPixel(Mode);

    /// <summary>256 colours of four bytes (red, green, blue, opacity) in mode <see cref="PixelMode.Palette"/>, else null.</summary>
    public byte[]? Palette { get; init; }

    /// <summary>
    /// The one colour that a file without an opacity channel declares transparent (red, green, blue; three equal values for grey), or null.
    /// Ignored by the conversion to RGB, applied when the image is laid on white.
    /// </summary>
    public (int Red, int Green, int Blue)? TransparentColour { get; init; }

    /// <summary>EXIF orientation of the file, 1 (as stored) to 8; applied only by <see cref="Upright"/>.</summary>
    public int Orientation { get; init; } = ExifOrientation.None;

    /// <summary>Reads an image: PNG, JPEG, GIF, BMP or WebP, identified by its first bytes and not by its name.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="ImageFormatException">The file is not an image, or it is damaged, cut short or too large.</exception>
    public static PillowImage Load(string path) => ImageFile.Read(path);

    /// <summary>True if the file name has the extension of a supported image format.</summary>
    public static bool HasPictureName(string path) => Endings.Contains(Path.GetExtension(path), StringComparer.OrdinalIgnoreCase);

    /// <summary>True if the file name has the extension of an unsupported image format, such as TIFF, AVIF, HEIC or camera raw.</summary>
    public static bool HasOtherPictureName(string path) => OtherEndings.Contains(Path.GetExtension(path), StringComparer.OrdinalIgnoreCase);

    /// <summary>Reads an image from memory, as <see cref="Load"/> does.</summary>
    /// <param name="bytes">A whole file.</param>
    /// <param name="name">Name of the image in error messages.</param>
    /// <exception cref="ImageFormatException">The bytes are not an image, or they are damaged, cut short or too large.</exception>
    public static PillowImage FromBytes(ReadOnlySpan<byte> bytes, string name = "the image") => ImageFile.Decode(bytes, name);

    /// <summary>Bytes of one pixel in <paramref name="mode"/>.</summary>
    public static int BytesPerPixel(PixelMode mode) => mode switch
    {
        PixelMode.Bilevel or PixelMode.Grey or PixelMode.Palette => 1,
        PixelMode.GreyAlpha or PixelMode.Grey16 => 2,
        PixelMode.Rgb => 3,
        PixelMode.Rgba or PixelMode.Cmyk or PixelMode.Float => 4,
        _ => throw new ArgumentOutOfRangeException(nameof(mode), mode, "Not a pixel mode."),
    };

    /// <summary>Pillow's <c>convert("RGB")</c>: opacity is dropped, palettes looked up, 16-bit grey clipped at 255.</summary>
    public RgbImage ToRgb() => PillowConvert.ToRgb(this);

    /// <summary>The image composited on white, then RGB, as by the image processors of transformers.</summary>
    public RgbImage ToRgbOnWhite() => PillowConvert.ToRgbOnWhite(this);

    /// <summary><c>convert("L")</c>: one byte a pixel, the luma of ITU-R 601-2; opacity is dropped.</summary>
    /// <returns>[height, width]</returns>
    public byte[] ToGrey() => PillowConvert.ToGrey(this);

    /// <summary>Pillow's <c>resize</c>; see <see cref="PillowResize"/>.</summary>
    public PillowImage Resize(int width, int height, ResizeFilter filter = ResizeFilter.Bicubic, ResizeBox? box = null)
        => PillowResize.Resize(this, width, height, filter, box);

    /// <summary>
    /// Pillow's <c>ImageOps.exif_transpose</c>: turned and mirrored by <see cref="Orientation"/>, then 1; the same object if it is 1
    /// already.
    /// </summary>
    public PillowImage Upright() => PictureTurn.Upright(this);

    /// <summary>The image from (<paramref name="left"/>, <paramref name="top"/>) on; pixels outside are 0, as in Pillow.</summary>
    /// <exception cref="ArgumentException">A size below 1.</exception>
    public PillowImage Crop(int left, int top, int width, int height)
    {
        ImageLimits.RequireSize(width, height);
        var bytes = PixelBytes;
        var cropped = new byte[width * height * bytes];
        var (first, last) = (Math.Max(left, 0), (int)Math.Min((long)left + width, Width));
        for (var y = Math.Max(0, -(long)top); y < height && top + y < Height && first < last; y++)
        {
            Pixels.AsSpan(checked((int)((top + y) * Width + first) * bytes), (last - first) * bytes)
                .CopyTo(cropped.AsSpan((int)((y * width + first - left) * bytes)));
        }
        return With(width, height, cropped);
    }

    /// <summary>Other pixels of the same mode, palette and transparent colour.</summary>
    internal PillowImage With(int width, int height, byte[] pixels, int? orientation = null)
        => new(Mode, width, height, pixels) { Palette = Palette, TransparentColour = TransparentColour,
            Orientation = orientation ?? Orientation };
}
