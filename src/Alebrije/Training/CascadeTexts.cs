using Alebrije.Models.T5;
using Alebrije.Pipelines.Imagen;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Preprocessing.Tokenizers;
using Alebrije.Tensors;
using static TorchSharp.torch;

namespace Alebrije.Training;

/// <summary>Captions for the cascade's T5: cleaned, cut and padded as the pipeline of DeepFloyd IF does with prompts.</summary>
internal sealed class CascadeTexts(UnigramTokenizer tokenizer)
{
    private (long[] Ids, int Length)? empty;

    /// <summary>Entries of the vocabulary.</summary>
    public int VocabularySize => tokenizer.VocabularySize;

    /// <summary>Opens the tokenizer of a run; trains it on the world's captions if it is missing.</summary>
    /// <param name="folder">The tokenizer's folder.</param>
    /// <param name="scenes">The world.</param>
    /// <param name="size">Most entries of the vocabulary.</param>
    public static CascadeTexts Open(string folder, CaptionedScenes scenes, int size)
    {
        if (!Directory.Exists(folder))
        {
            // Renamed once complete: a run may be killed between two files.
            var unfinished = folder + ".new";
            if (Directory.Exists(unfinished)) Directory.Delete(unfinished, recursive: true);
            var texts = scenes.Corpus(40_000).Select(text => ImagenTexts.Prepare(text, clean: true));
            UnigramTrainer.Save(UnigramTrainer.Train(texts, size), unfinished, ImagenTexts.Tokens);
            Directory.Move(unfinished, folder);
        }

        return new CascadeTexts(UnigramTokenizer.Load(folder));
    }

    /// <summary>Scenes of a training batch with their captions.</summary>
    /// <param name="scenes">The world.</param>
    /// <param name="plan">Seed, mixtures, batch.</param>
    /// <param name="number">Number of the batch.</param>
    /// <param name="count">Scenes; those of different batches differ.</param>
    /// <param name="render">Side at which they are drawn.</param>
    /// <param name="side">Side to which they are reduced.</param>
    public PairBatch Make(CaptionedScenes scenes, CascadePlan plan, long number, int count, int render, int side) => Make(count, side, i =>
    {
        var scene = (number * plan.Batch) + i;
        var pair = scenes.Train(plan.Seed, scene, plan.WorldOf(scene), render);
        return (pair.Picture, pair.Caption);
    });

    /// <summary>A batch of given images, reduced to a side, and captions.</summary>
    public PairBatch Make(int count, int side, Func<int, (RgbImage Image, string Caption)> pair)
    {
        var (ids, lengths, pixels) = (new long[count * ImagenTexts.Tokens], new int[count], new float[count * 3 * side * side]);
        for (var i = 0; i < count; i++)
        {
            var (image, caption) = pair(i);
            if (image.Width != side) image = image.Resize(side, side);
            PixelBatch.Write(image, 0, 0, side, pixels.AsSpan(i * 3 * side * side, 3 * side * side));
            (var row, lengths[i]) = Prepare(caption);
            row.CopyTo(ids, i * ImagenTexts.Tokens);
        }

        return new PairBatch([], 0, ids, lengths, pixels, side);
    }

    /// <summary>Replaces a share of the texts of a batch by the empty one.</summary>
    public void Drop(PairBatch batch, CascadePlan plan, long step) =>
        ConditionDropout.Texts(batch, empty ??= Prepare(""), plan.Unconditional, plan.Seed, step);

    /// <summary>Encodings of a batch's texts.</summary>
    /// <param name="encoder">The text encoder.</param>
    /// <param name="batch">The batch.</param>
    /// <param name="type">Floating-point format of the computation.</param>
    /// <returns>[batch, 77, width]</returns>
    public static Tensor Encode(T5Encoder encoder, PairBatch batch, ScalarType type) =>
        encoder.Encode(batch.IdTensor(), TokenTensors.Mask(batch.Lengths, ImagenTexts.Tokens), type);

    private (long[] Ids, int Length) Prepare(string caption)
    {
        var row = tokenizer.EncodeBatch([ImagenTexts.Prepare(caption, clean: true)], ImagenTexts.Tokens, out var lengths)[0];
        return ([.. row.Select(id => (long)id)], lengths[0]);
    }
}
