using Alebrije.Preprocessing.Imaging;

namespace Alebrije.Datasets;

/// <summary>An image on disk with its description.</summary>
/// <param name="Path">The file.</param>
/// <param name="Caption">Text that describes it.</param>
/// <param name="Lang">Language of the caption where it is known: "en", "es".</param>
public sealed record CaptionedPicture(string Path, string Caption, string? Lang)
{
    /// <summary>Reads the image.</summary>
    /// <exception cref="ImageFormatException">The file is not an image, or it is damaged.</exception>
    public RgbImage Load() => RgbImage.Load(Path);
}

/// <summary>
/// Images with captions on disk, in any of the usual forms: a file <c>captions.jsonl</c> or <c>metadata.jsonl</c> whose lines name
/// <c>file</c> and <c>caption</c> (optionally <c>lang</c>; <c>file_name</c> and <c>text</c> are accepted too), images next to a
/// <c>.txt</c> of the same name with one caption a line, or folders named after the content of their images.
/// </summary>
public static class ImageFolder
{
    /// <summary>Name of the file with the captions.</summary>
    public const string CaptionsFile = "captions.jsonl";

    /// <summary>Lists the pairs of a folder, in the file's order or by name. An image with several captions comes once for each.</summary>
    /// <exception cref="DirectoryNotFoundException">There is no such folder.</exception>
    /// <exception cref="InvalidDataException">A line is wrong, an image it names is missing, or no image has a caption.</exception>
    public static IReadOnlyList<CaptionedPicture> Read(string folder)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        var listing = PictureListing.OfFolder(folder, new PictureListingOptions { Templates = ["{}"] });
        return listing.Problems.Count == 0 ? listing.Pictures : throw new InvalidDataException(listing.Problems[0]);
    }

    /// <summary>Lists the pairs of a table with a header, comma or tab separated; paths are relative to the table's folder.</summary>
    /// <param name="file">A <c>.csv</c> or <c>.tsv</c> file (RFC 4180, UTF-8 with or without a mark).</param>
    /// <param name="imageColumn">Column of the paths; null finds it by its usual names.</param>
    /// <param name="captionColumn">Column of the captions; null finds it by its usual names.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">A column is not found, a row is wrong, or an image that it names is missing.</exception>
    public static IReadOnlyList<CaptionedPicture> ReadTable(string file, string? imageColumn = null, string? captionColumn = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(file);
        var listing = PictureListing.OfTable(file, new PictureListingOptions { ImageColumn = imageColumn, CaptionColumn = captionColumn });
        return listing.Problems.Count == 0 ? listing.Pictures : throw new InvalidDataException(listing.Problems[0]);
    }
}
