using Alebrije.Preprocessing.Imaging;
using static TorchSharp.torch;

namespace Alebrije.Pipelines;

/// <summary>
/// Port of torch.nn.functional.interpolate(mode="bicubic", antialias=True, align_corners=False): cubic convolution with a = -0.5 (Keys,
/// 1981), widened when it shrinks, as Pillow's, without rounding to bytes. An upsampler is fed with it (diffusers, pipeline_unclip.py);
/// TorchSharp's interpolate has no antialias.
/// </summary>
internal static class Bicubic
{
    /// <param name="x">[batch, channels, h, w]</param>
    /// <param name="height">Rows wanted, 1 or more.</param>
    /// <param name="width">Columns wanted, 1 or more.</param>
    /// <returns>[batch, channels, height, width], beyond the range of <paramref name="x"/> near edges.</returns>
    public static Tensor Resize(Tensor x, int height, int width)
    {
        if (x.dim() != 4) throw new ArgumentException(
            $"The images are [{string.Join(", ", x.shape)}]; they have to be [batch, channels, h, w].");
        using var scope = NewDisposeScope();
        var across = nn.functional.linear(x, Weights((int)x.shape[3], width, x));                        // [batch, channels, h, width]
        var down = nn.functional.linear(across.transpose(2, 3), Weights((int)x.shape[2], height, x));    // [batch, channels, width, height]
        return down.transpose(2, 3).contiguous().MoveToOuterDisposeScope();
    }

    /// <summary>The weights of one axis as a matrix.</summary>
    /// <returns>[results, size], rows that sum to 1.</returns>
    private static Tensor Weights(int size, int results, Tensor like)
    {
        var coefficients = ResizeCoefficients.Compute(size, 0, size, results, ResizeFilter.Bicubic);
        var matrix = new float[results, size];
        for (var i = 0; i < results; i++)
        {
            var own = coefficients.WeightsOf(i);
            for (var k = 0; k < own.Length; k++) matrix[i, coefficients.FirstOf(i) + k] = (float)own[k];
        }

        return tensor(matrix).to(like.dtype, like.device);
    }
}
