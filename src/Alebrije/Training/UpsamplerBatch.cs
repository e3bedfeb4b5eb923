using Alebrije.Models.Autoencoders;
using Alebrije.Preprocessing;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Tensors;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Training;

/// <summary>Scenes at full and at reduced size, with the crops to cut from them; made off the training thread.</summary>
/// <param name="Large">[pictures, 3, side, side] in [-1, 1]</param>
/// <param name="Small">[pictures, 3, small side, small side] in [-1, 1]</param>
/// <param name="Crops">Picture, left and top of each square in the large pictures.</param>
internal sealed record UpsamplerBatch(float[] Large, float[] Small, (int Picture, int Left, int Top)[] Crops)
{
    /// <summary>Batch <paramref name="number"/> of a run: always the same.</summary>
    /// <param name="config">The run.</param>
    /// <param name="scenes">The world.</param>
    /// <param name="number">Index of the batch.</param>
    /// <param name="crop">Side of the crops; the side of the images gives whole images, one crop each.</param>
    public static UpsamplerBatch Make(UpsamplerTrainingConfig config, CaptionedScenes scenes, long number, int crop)
    {
        var (side, small) = (config.Side, config.Side / UpsamplerTrainingConfig.Factor);
        var (pictures, each) = crop == side
            ? (Math.Max(1, config.Batch * config.Crop * config.Crop / (side * side)), 1)
            : (Math.Max(1, config.Batch / config.CropsPerPicture), config.CropsPerPicture);
        var (large, reduced) = (new float[pictures * 3 * side * side], new float[pictures * 3 * small * small]);
        var crops = new List<(int, int, int)>();
        for (var i = 0; i < pictures; i++)
        {
            var index = (number * Math.Max(1, config.Batch / config.CropsPerPicture)) + i;
            var picture = scenes.Train(config.Seed, index, config.Scenes, side).Picture;
            PixelBatch.Write(picture, 0, 0, side, large.AsSpan(i * 3 * side * side, 3 * side * side));
            PixelBatch.Write(picture.Resize(small, small), 0, 0, small, reduced.AsSpan(i * 3 * small * small, 3 * small * small));
            var random = Generator(config.Seed, index);
            for (var k = 0; k < each; k++)
                crops.Add((i, Place(random, side - crop), Place(random, side - crop)));
        }

        return new UpsamplerBatch(large, reduced, [.. crops]);
    }

    /// <summary>Cuts the crops out of images.</summary>
    /// <param name="pictures">[pictures, 3, side, side]</param>
    /// <param name="side">Side of the squares.</param>
    /// <returns>[crops, 3, side, side]</returns>
    public Tensor Cut(Tensor pictures, int side) =>
        stack(Crops.Select(c => pictures[c.Picture].narrow(1, c.Top, side).narrow(2, c.Left, side)));

    /// <summary>Random generator of a scene or step, seeded by seed and number alone.</summary>
    public static Random Generator(ulong seed, long number) => SeededRandom.Classic(seed, number);

    /// <summary>A random position on the small image's grid.</summary>
    private static int Place(Random random, int room) =>
        UpsamplerTrainingConfig.Factor * random.Next((room / UpsamplerTrainingConfig.Factor) + 1);
}

/// <summary>
/// Corrupts small images like an upsampler's inputs at generation: blurred (Ramesh et al., 2022, §2.1), or through the autoencoder
/// with noise on the latents, as a decoder's have.
/// </summary>
/// <param name="config">Shares and strengths of the corruptions.</param>
/// <param name="autoencoder">The autoencoder before the upsampler, or null.</param>
/// <param name="dtype">Type of the autoencoder's computation.</param>
internal sealed class UpsamplerFaults(UpsamplerTrainingConfig config, AutoencoderKL? autoencoder, ScalarType dtype)
{
    /// <param name="small">[pictures, 3, h, w] in [-1, 1]</param>
    /// <param name="step">Step of the run; seeds the draw.</param>
    /// <returns>As the input.</returns>
    public Tensor Apply(Tensor small, long step)
    {
        using var guard = no_grad();
        using var scope = NewDisposeScope();
        var random = UpsamplerBatch.Generator(config.Seed + 1, step);
        using var noise = new Noise(unchecked((long)((config.Seed << 32) + (ulong)step)));
        var pictures = Enumerable.Range(0, (int)small.shape[0]).Select(i =>
        {
            var picture = small.narrow(0, i, 1);
            if (autoencoder is not null && random.NextDouble() < config.Autoencoded)
                picture = Autoencode(autoencoder, picture, random.NextDouble() * config.LatentNoise, noise);
            else if (random.NextDouble() < config.Blurred) picture = Blur(picture, random.NextDouble() * config.Blur);
            return picture;
        });
        return cat([.. pictures]).MoveToOuterDisposeScope();
    }

    private Tensor Autoencode(AutoencoderKL network, Tensor picture, double deviation, Noise noise)
    {
        var latents = network.Scale(network.Encode(picture.to(dtype)).Mean.to(ScalarType.Float32));
        var wrong = network.Unscale(latents + (deviation * noise.RandnLike(latents)));
        return network.Decode(wrong.to(dtype)).to(ScalarType.Float32).clamp(-1, 1);
    }

    /// <summary>Gaussian blur, edges continued.</summary>
    private static Tensor Blur(Tensor picture, double deviation)
    {
        if (deviation < 0.05) return picture;
        var reach = (int)Math.Ceiling(3 * deviation);
        var bell = arange(-reach, reach + 1, dtype: ScalarType.Float32).square().div(-2 * deviation * deviation).exp();
        var kernel = (bell / bell.sum()).reshape(1, 1, 1, -1);
        var planes = nn.functional.pad(picture, (reach, reach, reach, reach), PaddingModes.Replicate).transpose(0, 1);   // [3, 1, h, w]
        return nn.functional.conv2d(nn.functional.conv2d(planes, kernel), kernel.transpose(2, 3)).transpose(0, 1);
    }
}
