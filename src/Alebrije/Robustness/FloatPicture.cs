using Alebrije.Preprocessing.Imaging;

namespace Alebrije.Robustness;

/// <summary>An image of numbers, [height, width, channels], 0 black to 1 full; three channels, or one for a layer.</summary>
internal sealed class FloatPicture
{
    public FloatPicture(int width, int height, int channels = 3) =>
        (Width, Height, Channels, Values) = (width, height, channels, new float[width * height * channels]);

    public FloatPicture(RgbImage image) : this(image.Width, image.Height)
    {
        for (var i = 0; i < Values.Length; i++) Values[i] = image.Pixels[i] / 255f;
    }

    public int Width { get; }
    public int Height { get; }
    public int Channels { get; }
    public float[] Values { get; }

    /// <summary>Pixels of this image for each of an image whose shorter side has ImageNet-C's 224.</summary>
    public float Unit => Math.Min(Width, Height) / 224f;

    /// <summary>Bilinear interpolation at a position between pixels; the border is replicated outside.</summary>
    public float At(float x, float y, int channel)
    {
        (x, y) = (Math.Clamp(x, 0, Width - 1), Math.Clamp(y, 0, Height - 1));
        var (left, top) = ((int)x, (int)y);
        var (right, bottom) = (Math.Min(left + 1, Width - 1), Math.Min(top + 1, Height - 1));
        var (u, v) = (x - left, y - top);
        var above = ((1 - u) * Pixel(left, top, channel)) + (u * Pixel(right, top, channel));
        var below = ((1 - u) * Pixel(left, bottom, channel)) + (u * Pixel(right, bottom, channel));
        return ((1 - v) * above) + (v * below);
    }

    /// <summary>The mean over positions around each pixel.</summary>
    /// <param name="taps">Offsets and weights; weights are divided by their sum.</param>
    public FloatPicture Filter(IReadOnlyList<(float X, float Y, float Weight)> taps)
    {
        var total = taps.Sum(tap => tap.Weight);
        var filtered = new FloatPicture(Width, Height, Channels);
        var at = 0;
        for (var y = 0; y < Height; y++)
            for (var x = 0; x < Width; x++)
                for (var c = 0; c < Channels; c++)
                {
                    var sum = 0f;
                    foreach (var (dx, dy, weight) in taps) sum += weight * At(x + dx, y + dy, c);
                    filtered.Values[at++] = sum / total;
                }
        return filtered;
    }

    /// <summary>Gaussian blur, cut off at three standard deviations; near 0 it changes nothing.</summary>
    public FloatPicture Smooth(float deviation)
    {
        if (deviation < 0.05f) return this;
        var reach = Math.Max(1, (int)MathF.Ceiling(3 * deviation));
        var line = Enumerable.Range(-reach, (2 * reach) + 1)
            .Select(i => (At: i, Weight: MathF.Exp(-i * i / (2 * deviation * deviation)))).ToArray();
        return Filter([.. line.Select(tap => ((float)tap.At, 0f, tap.Weight))])
            .Filter([.. line.Select(tap => (0f, (float)tap.At, tap.Weight))]);
    }

    public RgbImage ToImage()
    {
        var pixels = new byte[Values.Length];
        for (var i = 0; i < pixels.Length; i++) pixels[i] = (byte)MathF.Round(Math.Clamp(Values[i], 0, 1) * 255);
        return new RgbImage(Width, Height, pixels);
    }

    private float Pixel(int x, int y, int channel) => Values[(((y * Width) + x) * Channels) + channel];
}
