using System.Globalization;
using Alebrije.Extensions.AI.Images;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Server.Jobs;
using Alebrije.Server.Models;
using Alebrije.Server.Requests;
using SkiaSharp;

namespace Alebrije.Server.OpenAi;

/// <summary>Fields of OpenAI's image requests that concern the answer, and the limits of <c>dall-e-2</c>.</summary>
internal sealed record ImageOptions
{
    private const int LongestPromptOfDallE2 = 1000;
    private static readonly string[] SizesOfDallE2 = ["256x256", "512x512", "1024x1024"];
    private static readonly string[] WithoutEffect = ["user", "style", "moderation", "input_fidelity"];

    public string? Model { get; private init; }

    public int Count { get; private init; }

    /// <summary>Size of the answer; null: as the model draws.</summary>
    public (int Width, int Height)? Size { get; private init; }

    public string Quality { get; private init; } = "auto";

    public string Format { get; private init; } = "png";

    public int Compression { get; private init; } = 90;

    public bool ByUrl { get; private init; }

    public bool IsStreamed { get; private init; }

    public int Partial { get; private init; }

    public double? KeepAlive { get; private init; }

    public bool IsStrict { get; private init; }

    public bool IsDallE2 => Model == ModelPool.DallE2;

    public string MediaType => $"image/{Format}";

    /// <exception cref="ApiException">An invalid value.</exception>
    public static ImageOptions Read(RequestFields fields, ServerOptions options)
    {
        var model = fields.Text("model", 200);
        var isDallE2 = model == ModelPool.DallE2;
        var size = isDallE2 ? fields.Choice("size", SizesOfDallE2) ?? SizesOfDallE2[^1] : fields.Text("size", 40);
        if (fields.Choice("background", "transparent", "opaque", "auto") == "transparent")
            throw ApiException.Field("background", "The models here draw opaque images; set background to opaque or auto.");
        fields.Ignore(WithoutEffect);
        return new ImageOptions
        {
            Model = model, Count = fields.Whole("n", 1, Math.Min(options.MaxImages, 10)) ?? 1, Size = SizeOf(size),
            Quality = fields.Choice("quality", "hd", "high", "standard", "medium", "low", "auto") ?? "auto",
            Format = fields.Choice("output_format", "png", "jpeg", "webp") ?? "png",
            Compression = fields.Whole("output_compression", 0, 100) ?? 90,
            ByUrl = fields.Choice("response_format", "url", "b64_json") == "url",
            IsStreamed = fields.Truth("stream") ?? false, Partial = fields.Whole("partial_images", 0, 3) ?? 0,
            KeepAlive = fields.Number("keep_alive", -1, 1e9), IsStrict = fields.Truth("strict") ?? false,
        };
    }

    public string Prompt(RequestFields fields) => fields.RequiredText("prompt", IsDallE2 ? LongestPromptOfDallE2 : RequestFields.MostText);

    /// <summary>The file of an image in the format of the answer.</summary>
    public byte[] Encode(JobImage image) => Format == "png" ? image.Png : Encode(image.Image);

    /// <summary>The file of a preview.</summary>
    public byte[] Encode(byte[] png) => Format == "png" ? png : Encode(RgbImage.FromBytes(png));

    private byte[] Encode(RgbImage image)
    {
        var info = new SKImageInfo(image.Width, image.Height, SKColorType.Rgba8888, SKAlphaType.Opaque);
        var pixels = new byte[info.BytesSize];
        for (int i = 0, o = 0; i < image.Pixels.Length; i += 3, o += 4)
            (pixels[o], pixels[o + 1], pixels[o + 2], pixels[o + 3]) =
                (image.Pixels[i], image.Pixels[i + 1], image.Pixels[i + 2], byte.MaxValue);
        using var drawn = SKImage.FromPixelCopy(info, pixels);
        using var file = drawn.Encode(Format == "jpeg" ? SKEncodedImageFormat.Jpeg : SKEncodedImageFormat.Webp, Compression);
        return file.ToArray();
    }

    private static (int Width, int Height)? SizeOf(string? size)
    {
        if (size is null or "auto") return null;
        if (size.Split('x') is [var left, var right] && int.TryParse(left, NumberStyles.None, CultureInfo.InvariantCulture, out var width)
            && int.TryParse(right, NumberStyles.None, CultureInfo.InvariantCulture, out var height)
            && width is >= 16 and <= NativeSize.MostSide && height is >= 16 and <= NativeSize.MostSide
            && width <= 4 * height && height <= 4 * width) return (width, height);
        throw ApiException.Field("size", $"The size is '{RequestFields.Short(size)}'; write auto, or WIDTHxHEIGHT such as 256x256, "
            + $"16 to {NativeSize.MostSide} each and at most 4 to 1.");
    }
}
