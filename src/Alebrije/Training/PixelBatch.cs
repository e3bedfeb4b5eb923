using Alebrije.Preprocessing.Imaging;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Training;

/// <summary>Pixels of a batch in [-1, 1], made off the training thread.</summary>
internal sealed record PixelBatch(float[] Pixels, int Count, int Side)
{
    /// <returns>[batch, 3, side, side] in [-1, 1]</returns>
    public Tensor ToTensor() => tensor(Pixels, [Count, 3, Side, Side]);

    /// <summary>Writes a square of a picture as planes in [-1, 1].</summary>
    public static void Write(RgbImage picture, int left, int top, int side, Span<float> planes)
    {
        for (var y = 0; y < side; y++)
            for (var x = 0; x < side; x++)
                for (var c = 0; c < 3; c++)
                    planes[(((c * side) + y) * side)
                        + x] = (picture.Pixels[((((top + y) * picture.Width) + left + x) * 3) + c] / 127.5f) - 1;
    }
}
