using Alebrije.Datasets;
using Alebrije.Models.Guesses;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Training;

/// <summary>Images and captions of a batch as plain arrays, made off the training thread.</summary>
/// <param name="ClipPixels">[batch, 3, size, size], normalised for CLIP.</param>
/// <param name="ClipSize">Side of CLIP's images in pixels.</param>
/// <param name="Ids">[batch, tokens], padded.</param>
/// <param name="Lengths">Ids that are text, per row.</param>
/// <param name="Pixels">[batch, 3, side, side] in [-1, 1] for the autoencoder.</param>
/// <param name="Side">Side of <paramref name="Pixels"/> in pixels; 0: there are none.</param>
internal sealed record PairBatch(float[] ClipPixels, int ClipSize, long[] Ids, int[] Lengths, float[] Pixels, int Side)
{
    /// <summary>[batch, most objects, 5]: see <see cref="EncodedScenes.Objects"/>; null where they are unknown.</summary>
    private float[]? Objects { get; init; }

    /// <summary>Rows of the batch.</summary>
    public int Count => Lengths.Length;

    /// <returns>[batch, 3, size, size], normalised for CLIP</returns>
    public Tensor ClipTensor() => tensor(ClipPixels, [Count, 3, ClipSize, ClipSize]);

    /// <returns>[batch, tokens] int64</returns>
    public Tensor IdTensor() => tensor(Ids, [Count, Ids.Length / Count]);

    /// <returns>[batch, 3, side, side] in [-1, 1]</returns>
    public Tensor PixelTensor() => tensor(Pixels, [Count, 3, Side, Side]);

    /// <returns>[batch, most objects, 5] float32; zeros where objects are unknown</returns>
    public Tensor ObjectTensor()
    {
        long[] shape = [Count, FirstGuessConfig.MostSlots, FirstGuessModel.ObjectNumbers];
        return Objects is null ? zeros(shape) : tensor(Objects, shape);
    }

    /// <summary>The batch with the objects of its scenes.</summary>
    /// <param name="of">Objects of row i.</param>
    public PairBatch With(Func<int, IReadOnlyList<SceneObject>> of) => this with { Objects = NumbersOf(Count, of) };

    /// <summary>Objects of scenes as [scenes, most objects, 5].</summary>
    /// <param name="count">Scenes.</param>
    /// <param name="of">Objects of scene i.</param>
    public static float[] NumbersOf(int count, Func<int, IReadOnlyList<SceneObject>> of)
    {
        const float side = Scene.Side;
        const int numbers = FirstGuessConfig.MostSlots * FirstGuessModel.ObjectNumbers;
        var all = new float[count * numbers];
        for (var row = 0; row < count; row++)
        {
            float[] objects = [.. of(row).Take(FirstGuessConfig.MostSlots).SelectMany(one => (float[])[
                ((float)one.X * 2 / side) - 1, ((float)one.Y * 2 / side) - 1, (float)one.Size / side, 1, one.Concept.Index])];
            objects.CopyTo(all, row * numbers);
        }

        return all;
    }

    /// <summary>Makes training batch <paramref name="number"/> of a run with one mixture.</summary>
    public static PairBatch Make(CaptionedScenes scenes, TrainedClip clip,
        ulong seed, long number, int count, CaptionedScenes.Options options, int side) =>
            Make(scenes, clip, seed, number * count, count, _ => options, side);

    /// <summary>Makes training scenes <paramref name="first"/> and the following.</summary>
    /// <param name="scenes">The world.</param>
    /// <param name="clip">Prepares images and texts.</param>
    /// <param name="seed">The run's seed.</param>
    /// <param name="first">Number of the first scene.</param>
    /// <param name="count">Scenes.</param>
    /// <param name="mixture">The mixture of a scene by its number.</param>
    /// <param name="side">Side of the pixels kept for the autoencoder; 0 keeps none.</param>
    public static PairBatch Make(
        CaptionedScenes scenes, TrainedClip clip, ulong seed, long first,
        int count, Func<long, CaptionedScenes.Options> mixture, int side)
    {
        var objects = new IReadOnlyList<SceneObject>[count];
        return Make(clip, count, side, i =>
        {
            var pair = scenes.Train(seed, first + i, mixture(first + i));
            objects[i] = pair.Objects;
            return (pair.Picture, pair.Caption);
        }).With(i => objects[i]);
    }

    /// <summary>Makes a batch of given images and captions.</summary>
    public static PairBatch Make(TrainedClip clip, int count, int side,
        Func<int, (Preprocessing.Imaging.RgbImage Image, string Caption)> pair)
    {
        var size = clip.Network.Config.VisionConfig.ImageSize;
        var (clipPixels, pixels) = (new float[count * 3 * size * size], new float[count * 3 * side * side]);
        var (ids, lengths) = (new long[count * clip.Tokens], new int[count]);
        for (var i = 0; i < count; i++)
        {
            var (image, caption) = pair(i);
            clip.Prepare(image).CopyTo(clipPixels, i * 3 * size * size);
            if (side > 0) PixelBatch.Write(image, 0, 0, side, pixels.AsSpan(i * 3 * side * side, 3 * side * side));
            (var row, lengths[i]) = clip.Prepare(caption);
            row.CopyTo(ids, i * clip.Tokens);
        }

        return new PairBatch(clipPixels, size, ids, lengths, pixels, side);
    }
}
