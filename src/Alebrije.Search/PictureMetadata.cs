using System.Globalization;
using MetadataExtractor;
using MetadataExtractor.Formats.Exif;

namespace Alebrije.Search;

/// <summary>Facts that a camera wrote into an image file.</summary>
/// <param name="Taken">Local time of the exposure, or null.</param>
/// <param name="Latitude">Degrees north, -90 to 90, or null.</param>
/// <param name="Longitude">Degrees east, -180 to 180, or null.</param>
/// <param name="Camera">Maker and model, such as "Canon EOS 80D", or null.</param>
public sealed record PictureMetadata(DateTime? Taken = null, double? Latitude = null, double? Longitude = null, string? Camera = null)
{
    /// <summary>Reads the metadata of an image file; what is missing or damaged is null.</summary>
    /// <param name="bytes">The whole file.</param>
    public static PictureMetadata Read(byte[] bytes)
    {
        ArgumentNullException.ThrowIfNull(bytes);
        try
        {
            using var stream = new MemoryStream(bytes, writable: false);
            return Of(ImageMetadataReader.ReadMetadata(stream));
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            // The library throws various exceptions on damaged metadata, and the image itself may still be readable.
            return new PictureMetadata();
        }
    }

    private static PictureMetadata Of(IReadOnlyList<MetadataExtractor.Directory> directories)
    {
        var main = directories.OfType<ExifIfd0Directory>().FirstOrDefault();
        var place = directories.OfType<GpsDirectory>().Select(gps => gps.GetGeoLocation())
            .FirstOrDefault(found => found is { IsZero: false });
        var isPlace = place is not null && Math.Abs(place.Latitude) <= 90 && Math.Abs(place.Longitude) <= 180;
        return new PictureMetadata(TakenIn(directories), isPlace ? place!.Latitude : null, isPlace ? place!.Longitude : null,
            CameraOf(main?.GetString(ExifDirectoryBase.TagMake), main?.GetString(ExifDirectoryBase.TagModel)));
    }

    private static DateTime? TakenIn(IReadOnlyList<MetadataExtractor.Directory> directories)
    {
        foreach (var tag in new[] { ExifDirectoryBase.TagDateTimeOriginal, ExifDirectoryBase.TagDateTimeDigitized,
            ExifDirectoryBase.TagDateTime })
        {
            foreach (var directory in directories.OfType<ExifDirectoryBase>())
            {
                if (DateTime.TryParseExact(directory.GetString(tag)?.Trim('\0', ' '), "yyyy:MM:dd HH:mm:ss",
                    CultureInfo.InvariantCulture, DateTimeStyles.None, out var taken))
                    return taken;
            }
        }

        return null;
    }

    private static string? CameraOf(string? maker, string? model)
    {
        (maker, model) = (Clean(maker), Clean(model));
        var name = model.StartsWith(maker.Split(' ')[0], StringComparison.OrdinalIgnoreCase) ? model : $"{maker} {model}".Trim();
        return name.Length == 0 ? null : name;

        static string Clean(string? text) => new string([.. (text ?? "").Where(c => !char.IsControl(c))]).Trim();
    }
}
