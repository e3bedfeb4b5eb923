using Alebrije.Datasets;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Preprocessing.Tokenizers;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Training;

/// <summary>Preprocessed pairs of images and captions; made off the training thread, hence plain arrays.</summary>
internal sealed record ClipBatch(float[] Pixels, long[] Ids, int Count, int Size, IReadOnlyList<string> Captions)
{
    /// <summary>Name of the image of each row, if one may occur twice in a batch; else null.</summary>
    public IReadOnlyList<string>? Pictures { get; init; }

    /// <summary>Names for classifying the images, or null.</summary>
    public NamedConcepts? Names { get; init; }

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
        var concepts = new IReadOnlyList<Concept>[config.Batch];
        var pixels = new float[config.Batch * 3 * size * size];
        for (var i = 0; i < config.Batch; i++)
        {
            var index = (number * config.Batch) + i;
            (var picture, captions[i], concepts[i], var style, _) = scenes.Train(config.Seed, index, config.Scenes);
            if (config.StyleBlend > 0 && style == SceneStyle.Plain)
                picture = StyleBlend.Apply(picture, config.StyleBlend, config.Seed, index);
            processor.Prepare(picture).CopyTo(pixels, i * 3 * size * size);
        }

        var maximum = config.Model.TextConfig.MaxPositionEmbeddings;
        return new ClipBatch(pixels, Pack(tokenizer, captions, maximum), config.Batch, size, captions)
        {
            Names = config.Names > 0 ? NamedConcepts.Choose(scenes.World, concepts, config, tokenizer, number) : null,
        };
    }

    /// <summary>Rows of equal length, one behind the other.</summary>
    public static float[] Join(IReadOnlyList<float[]> rows)
    {
        var joined = new float[rows.Count * rows[0].Length];
        for (var i = 0; i < rows.Count; i++) rows[i].CopyTo(joined, i * rows[0].Length);
        return joined;
    }

    /// <summary>Ids of the captions, cut to <paramref name="maximum"/> and padded to the longest.</summary>
    public static long[] Pack(ClipTokenizer tokenizer, IReadOnlyList<string> captions, int maximum)
    {
        var rows = captions.Select(tokenizer.Encode).ToArray();
        var length = Math.Min(maximum, rows.Max(r => r.Length));
        return tokenizer.EncodeBatch(captions, length).SelectMany(row => row.Select(id => (long)id)).ToArray();
    }
}

/// <summary>
/// Names of a batch's concepts among others, in one language, with the targets of each image: the name of each thing in it.
/// </summary>
/// <param name="Ids">[names, tokens]</param>
/// <param name="Count">Names.</param>
/// <param name="Rows">Row of the batch of each target; an image of two things has two.</param>
/// <param name="Targets">Index of a name that its image shows.</param>
internal sealed record NamedConcepts(long[] Ids, int Count, long[] Rows, long[] Targets)
{
    /// <returns>[names, tokens] int64</returns>
    public Tensor IdTensor() => tensor(Ids, [Count, Ids.Length / Count]);

    /// <summary>Cross entropy of each target among the names that its image does not show; every image weighs the same.</summary>
    /// <param name="images">[batch, features] float32 of unit length</param>
    /// <param name="names">[names, features] float32 of unit length</param>
    /// <param name="scale">Factor of the cosines, scalar</param>
    /// <returns>Scalar</returns>
    public Tensor Loss(Tensor images, Tensor names, Tensor scale)
    {
        var targetsOf = Rows.Zip(Targets).ToLookup(pair => pair.First, pair => pair.Second);
        var shown = new bool[Rows.Length * Count];
        for (var i = 0; i < Rows.Length; i++)
            foreach (var target in targetsOf[Rows[i]])
                shown[(i * Count) + target] = target != Targets[i];
        var logits = images.index_select(0, tensor(Rows)).mm(names.t()) * scale;             // [targets, names]
        logits = logits.masked_fill(tensor(shown, [Rows.Length, Count]), float.NegativeInfinity);
        var weights = tensor(Rows.Select(row => 1f / targetsOf[row].Count()).ToArray());
        return (nn.functional.cross_entropy(logits, tensor(Targets), reduction: nn.Reduction.None) * weights).sum() / weights.sum();
    }

    /// <summary>Chooses the batch's concepts and random others from seed and number alone; English and Spanish take turns.</summary>
    /// <param name="world">All concepts.</param>
    /// <param name="concepts">Concepts of each image, each once.</param>
    /// <param name="config">Number of names, seed.</param>
    /// <param name="tokenizer">Tokenizer of the names.</param>
    /// <param name="number">Number of the batch.</param>
    public static NamedConcepts Choose(EmojiWorld world, IReadOnlyList<Concept>[] concepts,
        ClipTrainingConfig config, ClipTokenizer tokenizer, long number)
    {
        var random = ConditionDropout.Generator(config.Seed + 77, number);
        var chosen = new List<Concept>(concepts.SelectMany(each => each).Distinct());
        var known = chosen.ToHashSet();
        while (chosen.Count < Math.Min(config.Names, world.Concepts.Count))
        {
            var other = world.Concepts[random.Next(world.Concepts.Count)];
            if (known.Add(other)) chosen.Add(other);
        }

        var places = chosen.Select((concept, i) => (concept, i)).ToDictionary(p => p.concept, p => (long)p.i);
        var targets = concepts.SelectMany((each, row) => each.Distinct().Select(concept => (Row: (long)row, Place: places[concept])))
            .ToArray();
        var language = number % 2 == 0 ? Language.English : Language.Spanish;
        var ids = ClipBatch.Pack(tokenizer, [.. chosen.Select(concept => concept.Label(language))],
            config.Model.TextConfig.MaxPositionEmbeddings);
        return new NamedConcepts(ids, chosen.Count, [.. targets.Select(target => target.Row)], [.. targets.Select(target => target.Place)]);
    }
}
