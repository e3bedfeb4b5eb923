using Alebrije.Preprocessing.Imaging;

namespace Alebrije.Server.Requests;

/// <summary>Images that clients send, decoded under the service's limits.</summary>
internal sealed class Uploads(ServerOptions options, RemoteImages remote)
{
    private const int MostRatio = 64;

    /// <summary>Decodes an image.</summary>
    /// <param name="bytes">A whole file.</param>
    /// <param name="field">Field that it came in.</param>
    /// <exception cref="ApiException">It is not an image, or it is damaged, too large, or too narrow.</exception>
    public PillowImage Decode(byte[] bytes, string field)
    {
        if (ImageHeader.Size(bytes) is not var (width, height))
            throw Refuse(field, $"The file in {field} is not a readable image; send PNG, JPEG, GIF, BMP or WebP.");
        if (width < 1 || height < 1) throw Refuse(field, $"The image in {field} has no pixels.");
        if (width > options.MaxPixels || height > options.MaxPixels || width * height > options.MaxPixels)
            throw Refuse(field, $"The image in {field} has {width} x {height} pixels; at most {options.MaxPixels} pixels are allowed.");
        if (width > MostRatio * height || height > MostRatio * width)
            throw Refuse(field, $"The image in {field} is {width} x {height}, too narrow; at most {MostRatio} to 1 is allowed.");
        try
        {
            var image = PillowImage.FromBytes(bytes, $"the image in {field}");
            return (long)image.Width * image.Height <= options.MaxPixels ? image.Upright()
                : throw Refuse(field, $"The image in {field} has more than {options.MaxPixels} pixels.");
        }
        catch (Exception e) when (e is not ApiException)
        {
            throw Refuse(field, e is ImageFormatException ? e.Message : $"The image in {field} cannot be read.");
        }
    }

    /// <summary>An image of a JSON field: base64, a data URL, or an address whose host is allowed.</summary>
    /// <exception cref="ApiException">It is none of these.</exception>
    public async Task<PillowImage> DecodeAsync(string text, string field, CancellationToken cancellation) =>
        Decode(await BytesAsync(text, field, cancellation).ConfigureAwait(false), field);

    /// <summary>The file of such a field, not decoded.</summary>
    /// <exception cref="ApiException">It is none of these.</exception>
    public async Task<byte[]> BytesAsync(string text, string field, CancellationToken cancellation)
    {
        if (text.StartsWith("http:", StringComparison.OrdinalIgnoreCase) || text.StartsWith("https:", StringComparison.OrdinalIgnoreCase))
            return await remote.FetchAsync(text, field, cancellation).ConfigureAwait(false);
        var data = text;
        if (text.StartsWith("data:", StringComparison.OrdinalIgnoreCase))
        {
            var comma = text.IndexOf(',', StringComparison.Ordinal);
            if (comma < 0 || !text[..comma].EndsWith(";base64", StringComparison.OrdinalIgnoreCase))
                throw Refuse(field, $"The data URL in {field} is not in base64; send data:image/png;base64,...");
            data = text[(comma + 1)..];
        }

        var bytes = new byte[(data.Length / 4 * 3) + 3];
        if (!Convert.TryFromBase64String(data, bytes, out var count))
            throw Refuse(field, $"The field {field} is not an image in base64, a data URL or the address of an allowed host.");
        return bytes[..count];
    }

    private static ApiException Refuse(string field, string message) => new(400, message, field, "invalid_image");
}
