using System.Buffers.Binary;
using System.Globalization;
using System.Text.RegularExpressions;

namespace Alebrije.Preprocessing.Imaging;

/// <summary>
/// Orientation of an image file (EXIF, tag 0x0112, CIPA DC-008-2019, 4.6.5), from the source of Pillow's <c>Image.getexif</c>:
/// Exif in JPEG, PNG and WebP, else <c>tiff:Orientation</c> of XMP. Damaged marks count as none.
/// </summary>
internal static partial class ExifOrientation
{
    /// <summary>Orientation of a file without the tag: as stored.</summary>
    public const int None = 1;

    private const int Tag = 0x0112, Most = 8;
    private const string RawProfile = "Raw profile type exif", XmpKeyword = "XML:com.adobe.xmp";

    private static ReadOnlySpan<byte> ExifHead => "Exif\0\0"u8;

    private static ReadOnlySpan<byte> XmpHead => "http://ns.adobe.com/xap/1.0/\0"u8;

    /// <summary>Orientation, 1 to 8.</summary>
    /// <param name="file">A whole file of any kind.</param>
    public static int Read(ReadOnlySpan<byte> file) =>
        file.StartsWith(Png.Signature) ? OfPng(file)
        : file.StartsWith("RIFF"u8) && file.Length > 12 ? OfWebP(file)
        : file.StartsWith((ReadOnlySpan<byte>)[0xff, 0xd8]) ? OfJpeg(file) : None;

    /// <summary>Segments up to the first scan.</summary>
    private static int OfJpeg(ReadOnlySpan<byte> file)
    {
        var (exif, xmp) = (0, 0);
        for (var at = 2; at + 4 <= file.Length && file[at] == 0xff;)
        {
            var marker = file[at + 1];
            if (marker is 0xff) at++;
            else if (marker is 0x01 or (>= 0xd0 and <= 0xd8)) at += 2;
            else if (marker is 0xd9 or 0xda) break;
            else
            {
                var length = BinaryPrimitives.ReadUInt16BigEndian(file[(at + 2)..]);
                if (length < 2 || at + 2 + length > file.Length) break;
                var body = file.Slice(at + 4, length - 2);
                if (marker == 0xe1 && body.StartsWith(ExifHead) && exif == 0) exif = OfTiff(body);
                else if (marker == 0xe1 && body.StartsWith(XmpHead)) xmp = OfXmp(body);
                at += 2 + length;
            }
        }

        return Chosen(exif, xmp);
    }

    private static int OfPng(ReadOnlySpan<byte> file)
    {
        var (exif, hasText) = (0, false);
        for (var at = Png.Signature.Length; at + 12 <= file.Length;)
        {
            var length = BinaryPrimitives.ReadUInt32BigEndian(file[at..]);
            if (length > file.Length - at - 12) break;
            var kind = file.Slice(at + 4, 4);
            var body = file.Slice(at + 8, (int)length);
            if (kind.SequenceEqual("eXIf"u8)) exif = OfTiff(body);
            else if (kind[1..].SequenceEqual("TXt"u8) || kind[1..].SequenceEqual("EXt"u8)) hasText = true;
            at += 12 + (int)length;
        }

        return exif > 0 || !hasText ? Chosen(exif, 0) : OfText(file);
    }

    /// <summary>Orientation in text chunks of older tools: ImageMagick's raw profile in hexadecimal, and XMP.</summary>
    private static int OfText(ReadOnlySpan<byte> png)
    {
        try
        {
            var texts = PngText.Read(png);
            var exif = texts.TryGetValue(RawProfile, out var profile)
                ? OfTiff(Convert.FromHexString(string.Concat(profile.Split('\n').Skip(3)).Trim())) : 0;
            return Chosen(exif, texts.TryGetValue(XmpKeyword, out var xmp) ? OfXmp(System.Text.Encoding.UTF8.GetBytes(xmp)) : 0);
        }
        catch (Exception e) when (e is ImageFormatException or FormatException)
        {
            return None;
        }
    }

    private static int OfWebP(ReadOnlySpan<byte> file)
    {
        var (exif, xmp) = (0, 0);
        for (var at = 12; at + 8 <= file.Length;)
        {
            var length = BinaryPrimitives.ReadUInt32LittleEndian(file[(at + 4)..]);
            if (length > file.Length - at - 8) break;
            var kind = file.Slice(at, 4);
            var body = file.Slice(at + 8, (int)length);
            if (kind.SequenceEqual("EXIF"u8)) exif = OfTiff(body);
            else if (kind.SequenceEqual("XMP "u8)) xmp = OfXmp(body);
            at += 8 + (int)length + (int)(length & 1);
        }

        return Chosen(exif, xmp);
    }

    /// <summary>The tag in the first directory of a TIFF block, perhaps after <c>Exif\0\0</c>; 0 if absent.</summary>
    private static int OfTiff(ReadOnlySpan<byte> block)
    {
        while (block.StartsWith(ExifHead)) block = block[ExifHead.Length..];
        if (block.Length < 8) return 0;
        var little = block.StartsWith("II"u8);
        if (!little && !block.StartsWith("MM"u8)) return 0;
        var start = U32(block, 4, little);
        if (start > block.Length - 2) return 0;
        var count = U16(block, (int)start, little);
        for (var i = 0; i < count && start + 2 + (12L * (i + 1)) <= block.Length; i++)
        {
            var at = (int)start + 2 + (12 * i);
            if (U16(block, at, little) != Tag) continue;
            return U16(block, at + 2, little) switch
            {
                1 => block[at + 8],
                3 => U16(block, at + 8, little),
                4 => (int)Math.Min(U32(block, at + 8, little), Most + 1),
                _ => 0,
            };
        }

        return 0;
    }

    private static int OfXmp(ReadOnlySpan<byte> block) =>
        XmpTag().Match(System.Text.Encoding.Latin1.GetString(block)) is { Success: true } found
        ? int.Parse(found.Groups[1].Value, CultureInfo.InvariantCulture) : 0;

    /// <summary>The orientation of Exif if present, else of XMP; values outside 1 to 8 count as 1.</summary>
    private static int Chosen(int exif, int xmp) => (exif > 0 ? exif : xmp) is >= None and <= Most and var chosen ? chosen : None;

    private static int U16(ReadOnlySpan<byte> block, int at, bool little) =>
        little ? BinaryPrimitives.ReadUInt16LittleEndian(block[at..]) : BinaryPrimitives.ReadUInt16BigEndian(block[at..]);

    private static uint U32(ReadOnlySpan<byte> block, int at, bool little) =>
        little ? BinaryPrimitives.ReadUInt32LittleEndian(block[at..]) : BinaryPrimitives.ReadUInt32BigEndian(block[at..]);

    [GeneratedRegex("tiff:Orientation(?:=\"|>)([0-9])")]
    private static partial Regex XmpTag();
}
