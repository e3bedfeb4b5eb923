using Alebrije.Preprocessing.Imaging;
using Alebrije.Preprocessing.Tokenizers;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Training;

/// <summary>Pairs of pictures and captions, ready for the towers; made off the training thread, so it holds plain arrays.</summary>
internal sealed record ClipBatch(float[] Pixels, long[] Ids, int Count, int Size, IReadOnlyList<string> Captions)
{
    /// <returns>[batch, 3, size, size], normalised</returns>
    public Tensor PixelTensor() => tensor(Pixels, [Count, 3, Size, Size]);

    /// <returns>[batch, tokens] int64, as long as the longest caption</returns>
    public Tensor IdTensor() => tensor(Ids, [Count, Ids.Length / Count]);

    /// <summary>Makes batch <paramref name="number"/> of a run.</summary>
    public static ClipBatch Make(
        CaptionedScenes scenes, ClipTrainingConfig config, ClipTokenizer tokenizer, ClipImageProcessor processor, long number)
    {
        var size = config.Model.VisionConfig.ImageSize;
        var captions = new string[config.Batch];
        var pixels = new float[config.Batch * 3 * size * size];
        for (var i = 0; i < config.Batch; i++)
        {
            var (picture, caption) = scenes.Train(config.Seed, (number * config.Batch) + i, config.World);
            captions[i] = caption;
            processor.Prepare(picture).CopyTo(pixels, i * 3 * size * size);
        }

        return new ClipBatch(pixels, Pack(tokenizer, captions, config.Model.TextConfig.MaxPositionEmbeddings), config.Batch, size, captions);
    }

    /// <summary>Ids of the captions, cut to <paramref name="maximum"/> and padded to the longest.</summary>
    public static long[] Pack(ClipTokenizer tokenizer, IReadOnlyList<string> captions, int maximum)
    {
        var rows = captions.Select(tokenizer.Encode).ToArray();
        var length = Math.Min(maximum, rows.Max(r => r.Length));
        return tokenizer.EncodeBatch(captions, length).SelectMany(row => row.Select(id => (long)id)).ToArray();
    }
}
