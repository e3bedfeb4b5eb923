using System.Runtime.InteropServices;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Weights;
using static TorchSharp.torch;

namespace Alebrije.Verification.Runners;

/// <summary>Image preprocessing: Pillow's resize, and the image processors of the three CLIP libraries.</summary>
internal static class PixelRunners
{
    public static IReadOnlyDictionary<string, Tensor> Resize(FixtureCase c)
    {
        var input = c.Input("image");
        var mode = c.Text("mode") switch
        {
            "L" => PixelMode.Grey, "RGB" => PixelMode.Rgb, "RGBA" => PixelMode.Rgba, "F" => PixelMode.Float,
            var other => throw new WeightsException($"case {c.Id} has the unknown mode {other}."),
        };
        if (!Enum.TryParse<ResizeFilter>(c.Text("filter"), ignoreCase: true, out var filter))
            throw new WeightsException($"case {c.Id} has an unknown filter.");
        ResizeBox? box = c.Argument("box") is { } b ? new ResizeBox(b[0].GetSingle(),
            b[1].GetSingle(), b[2].GetSingle(), b[3].GetSingle()) : null;
        var picture = new PillowImage(mode, (int)input.shape[1], (int)input.shape[0], input.bytes.ToArray());
        var resized = picture.Resize(c.Integer("width"), c.Integer("height"), filter, box);
        long[] shape = [resized.Height, resized.Width, .. input.shape[2..]];
        var pixels = mode == PixelMode.Float
            ? tensor(MemoryMarshal.Cast<byte, float>(resized.Pixels).ToArray(), shape)
            : tensor(resized.Pixels, shape, dtype: ScalarType.Byte);
        return new Dictionary<string, Tensor> { ["resized"] = pixels };
    }

    /// <summary>An image file as RGB.</summary>
    public static IReadOnlyDictionary<string, Tensor> ToRgb(FixtureCase c)
    {
        var picture = RgbImage.Load(File(c));
        return new Dictionary<string, Tensor> { ["rgb"] = tensor(picture.Pixels,
            [picture.Height, picture.Width, 3], dtype: ScalarType.Byte) };
    }

    /// <summary>An image file preprocessed as by the library that the call names.</summary>
    public static IReadOnlyDictionary<string, Tensor> Prepare(FixtureCase c)
    {
        var size = c.Integer("size");
        var processor = c.Call switch
        {
            "openai" => ClipImageProcessor.OpenAi(size),
            "transformers" => ClipImageProcessor.Transformers(size),
            "open_clip" => ClipImageProcessor.OpenClip(size),
            "open_clip-squash" => ClipImageProcessor.OpenClip(size, ImageFit.Squash),
            "open_clip-longest" => ClipImageProcessor.OpenClip(size, ImageFit.Longest),
            _ => throw new WeightsException($"case {c.Id} calls {c.Call}, which no library has."),
        };
        return new Dictionary<string, Tensor> { ["pixel_values"] = tensor(processor.Prepare(File(c)), [3, size, size]) };
    }

    private static string File(FixtureCase c) => Path.Combine(c.Fixture.Folder, c.Text("file"));
}
