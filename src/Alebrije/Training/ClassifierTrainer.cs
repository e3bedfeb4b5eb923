using Alebrije.Datasets;
using Alebrije.Embeddings;
using Alebrije.Models.Clip;
using Alebrije.Pipelines;
using Alebrije.Preprocessing;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Published;
using Alebrije.Tensors;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Training;

/// <summary>Configuration of fine-tuning a model on a labelled folder.</summary>
internal sealed record ClassifierTrainingConfig : TrainingPlan
{
    /// <summary>Folder of folders named after the classes.</summary>
    public string Images { get; init; } = "";

    /// <summary>Test images in the same classes; null holds out a share of <see cref="Images"/>, the same as a probe.</summary>
    public string? Test { get; init; }

    /// <summary>Model to fine-tune: a run, a packed model, or a published CLIPModel.</summary>
    public string Start { get; init; } = "";

    /// <summary>Initial head, of <c>train probe</c>; null starts from the texts' embeddings: zero-shot classification.</summary>
    public string? Probe { get; init; }

    /// <summary>Sentences about a class for its text embedding, <c>{}</c> being its name.</summary>
    public IReadOnlyList<string> Templates { get; init; } = ZeroShotSet.Plain;

    /// <summary>Passes over the images.</summary>
    public int Epochs { get; init; } = 10;

    /// <summary>Learning rate of a block as a multiple of that of the block above it.</summary>
    public double LayerDecay { get; init; } = 0.8;

    public double WeightDecay { get; init; } = 0.1;

    /// <summary>Bounds of the area of random crops, as shares of the image's.</summary>
    public double[] CropScale { get; init; } = [0.8, 1];

    /// <summary>True if half of the images are mirrored.</summary>
    public bool Flip { get; init; }
}

/// <summary>
/// Fine-tunes CLIP's image tower with a linear classifier, initially the zero-shot one, and interpolates initial and final weights
/// (Wortsman et al., 2022, WiSE-FT): 0 is zero-shot, 1 is fine-tuned; a value between is often better under distribution shift.
/// </summary>
internal sealed class ClassifierTrainer(ClassifierTrainingConfig config)
{
    /// <summary>Name of the classifier's file in the run's folder.</summary>
    public const string HeadFile = "head.safetensors";

    private const uint Purpose = 0x636C6173;

    /// <summary>Runs to the end of the schedule, of the time, or until cancelled; always saved and exported.</summary>
    /// <param name="options">Folder and limits. A finished run that is resumed writes its weights again with another mixture.</param>
    /// <param name="mix">Share of the fine-tuned weights in the exported ones, 0 to 1.</param>
    /// <param name="cancellation">Stops the run.</param>
    public TrainingResult Run(TrainingOptions options, double mix = 1, CancellationToken cancellation = default)
    {
        if (mix is not (>= 0 and <= 1))
            throw new ArgumentOutOfRangeException(nameof(mix), $"The mixture is {mix}; it has to be from 0 (zero-shot) to 1 (fine-tuned).");
        var pictures = LabelledPictures.Read(config.Images, cancellation: cancellation);
        var (train, validation, test) = pictures.Split();
        IReadOnlyList<LabelledPicture> learnt = [.. train, .. validation, .. config.Test is null ? [] : test];
        if (config.Test is { } folder) test = LabelledPictures.Read(folder, pictures.Labels, cancellation).Pictures;
        var batch = Math.Min(config.Batch, learnt.Count);

        using var clip = TrainedClip.Open(config.Start);
        var labels = pictures.Labels;
        using var network = Begin(clip, labels);
        using var initial = new Snapshot(network);
        var dtype = Processor.ScalarType(config.Precision);
        using var run = new TrainingRun(
            options, config, new LossWatch(Math.Log(labels.Count), 2 * config.WarmUp,
                "Raise learning_rate, or look at the folders: images may not belong to them."));
        var layers = clip.Network.Config.VisionConfig.NumHiddenLayers;
        var source = new LabelledBatches(learnt, clip, batch, config);

        // Both ends of the mixture are measured only at the end.
        var plan = config with
        {
            Batch = batch, Samples = batch * config.Epochs * (long)((learnt.Count + batch - 1) / batch),
            EvaluateMinutes = double.PositiveInfinity,
        };
        var result = TrainingLoop.Run(run, plan, new TrainingTask<LabelledBatch>(network)
        {
            Trained = network.Trained,
            Optimizer = new()
            {
                Beta2 = 0.999, Epsilon = 1e-8, WeightDecay = config.WeightDecay,
                RateOf = name => ImageClassifier.RateOf(name, layers, config.LayerDecay),
            },
            Begin = () => { },
            Batches = first => new BatchQueue<LabelledBatch>(source.Make, first),
            Loss = (made, _, _) => nn.functional.cross_entropy(network.Logits(made.PixelTensor(), dtype), tensor(made.Classes)),
            Remarks = source.TakeRemarks,
            Evaluate = Evaluate,
        }, cancellation);
        return result with { Skipped = source.Reader.Skipped };

        Dictionary<string, double> Evaluate()
        {
            var metrics = new Dictionary<string, double> { ["test"] = test.Count };
            using var tuned = new Snapshot(network);
            var ends = new[] { (config.Probe is null ? "accuracy_zero_shot" : "accuracy_probe", 0.0), ("accuracy_fine_tuned", 1.0),
                ("accuracy", mix) };
            foreach (var (name, share) in test.Count > 0 ? ends : [])
            {
                Snapshot.Mix(network, initial, tuned, share);
                metrics[name] = Accuracy(network, source, test, batch, dtype);
            }

            Snapshot.Mix(network, initial, tuned, mix);
            Export(run.Folder, clip, network, labels);
            return metrics;
        }
    }

    /// <summary>The tower with its initial classifier.</summary>
    private ImageClassifier Begin(TrainedClip clip, IReadOnlyList<string> labels)
    {
        using var guard = no_grad();
        using var scope = NewDisposeScope();
        if (!TrainedClip.HasLogitScale(config.Start)) clip.Network.LogitScale.fill_(Math.Log(ClipModel.UsualLogitScale));
        if (config.Probe is { } file)
        {
            var head = LinearHead.Load(file);
            if (!head.Labels.SequenceEqual(labels))
                throw new InvalidDataException($"{file} has the classes {string.Join(", ", head.Labels.Take(8))}, "
                    + $"but the folders are {string.Join(", ", labels.Take(8))}; fit a probe on the same classes.");
            using var model = ClipModel.Load(config.Start, Precision.Fp32);
            head.RequireSpace(model);
            return Made(tensor(head.Weights.SelectMany(row => row).ToArray(), [labels.Count, clip.Features]), tensor(head.Bias.ToArray()));
        }

        var classifier = ZeroShotClassifier.Create([.. labels.Select(LabelledPictures.Word)],
            config.Templates, texts => Embed(clip, texts));
        var weights = tensor(classifier.Weights.SelectMany(row => row).ToArray(), [labels.Count, clip.Features]);
        return Made(weights * clip.Network.LogitScale.exp(), zeros(labels.Count));

        ImageClassifier Made(Tensor weight, Tensor bias)
        {
            using var enabled = enable_grad();
            var made = new ImageClassifier(clip.Network, weight, bias);
            foreach (var parameter in made.parameters()) parameter.DetachFromDisposeScope();
            return made;
        }
    }

    private static float[][] Embed(TrainedClip clip, IReadOnlyList<string> texts)
    {
        var rows = new List<float[]>();
        foreach (var chunk in texts.Chunk(64))
        {
            using var scope = NewDisposeScope();
            var ids = ClipBatch.Pack(clip.Tokenizer, chunk, clip.Network.Config.TextConfig.MaxPositionEmbeddings);
            rows.AddRange(Evaluation.JointSpace.Rows(clip.Network.EmbedText(tensor(ids, [chunk.Length, ids.Length / chunk.Length]))));
        }

        return [.. rows];
    }

    private static double Accuracy(ImageClassifier network, LabelledBatches source,
        IReadOnlyList<LabelledPicture> test, int batch, ScalarType dtype)
    {
        using var inference = inference_mode();
        var (hits, total) = (0.0, 0);
        foreach (var chunk in test.Chunk(batch))
        {
            using var scope = NewDisposeScope();
            if (source.Whole(chunk) is not { } made) continue;
            hits += network.Logits(made.PixelTensor(), dtype).argmax(1).eq(tensor(made.Classes)).sum().ToDouble();
            total += made.Classes.Length;
        }

        return total == 0 ? 0 : hits / total;
    }

    /// <summary>Writes the layout of a run, so that every verb loads the tower, with the classifier next to it.</summary>
    private void Export(string folder, TrainedClip clip, ImageClassifier network, IReadOnlyList<string> labels)
    {
        var weights = Path.Combine(folder, "clip");
        ComponentCatalog.Export(weights, network.Clip.state_dict(), ofTransformers: true);
        ConfigFile.Write(Path.Combine(weights, "config.json"), network.Clip.Config);
        TrainedClip.CopyPreprocessor(config.Start, weights);
        TrainedClip.CopyTokenizer(config.Start, Path.Combine(folder, "tokenizer"));
        using var model = ClipModel.Load(folder, Precision.Fp32);
        using var scope = NewDisposeScope();
        new LinearHead(
            model.Name, labels, [.. network.Weight.detach().data<float>().ToArray().Chunk(clip.Features)],
            network.Bias.detach().data<float>().ToArray(), LinearHead.SpaceOf(model)).Save(Path.Combine(folder, HeadFile));
    }

    /// <summary>The trained weights of one moment.</summary>
    private sealed class Snapshot : IDisposable
    {
        private readonly Dictionary<string, Tensor> tensors;

        public Snapshot(ImageClassifier network)
        {
            using var guard = no_grad();
            tensors = network.Trained.ToDictionary(p => p.Name, p => p.Parameter.detach().clone().DetachFromDisposeScope());
        }

        /// <summary>Sets the network to (1 - share) × first + share × second.</summary>
        public static void Mix(ImageClassifier network, Snapshot first, Snapshot second, double share)
        {
            using var guard = no_grad();
            foreach (var (name, parameter) in network.Trained)
            {
                using var scope = NewDisposeScope();
                parameter.copy_(share == 0 ? first.tensors[name] : share == 1
                    ? second.tensors[name] : ((1 - share) * first.tensors[name]) + (share * second.tensors[name]));
            }
        }

        public void Dispose()
        {
            foreach (var tensor in tensors.Values) tensor.Dispose();
        }
    }

    /// <summary>Images of a batch with their classes.</summary>
    private sealed record LabelledBatch(float[] Pixels, long[] Classes, int Size)
    {
        /// <returns>[batch, 3, size, size], normalised</returns>
        public Tensor PixelTensor() => tensor(Pixels, [Classes.Length, 3, Size, Size]);
    }

    /// <summary>
    /// Batches of labelled images in their EXIF orientation; batch i depends only on i. An unreadable image is skipped, and its
    /// batch is smaller.
    /// </summary>
    private sealed class LabelledBatches(IReadOnlyList<LabelledPicture> pictures,
        TrainedClip clip, int batch, ClassifierTrainingConfig config)
    {
        private readonly EpochOrder order = new(pictures.Count);
        private readonly int size = clip.Network.Config.VisionConfig.ImageSize;
        private readonly BadEntries remarks = new(maxShare: 1);
        private readonly PictureDataOptions crops = new() { CropScale = config.CropScale, Flip = config.Flip };

        public PictureReader Reader { get; } = new(upright: true);

        /// <summary>A sentence for each of the first images skipped since the last call.</summary>
        public IReadOnlyList<string> TakeRemarks()
        {
            foreach (var skipped in Reader.Skipped) remarks.Add(skipped.File, $"{skipped.File}: {skipped.Reason}");
            return remarks.TakeRemarks();
        }

        public LabelledBatch Make(long number)
        {
            var first = number * batch;
            var taken = Enumerable.Range(0, batch).Select(i => pictures[order.At(config.Seed, first + i)]).ToArray();
            return Read(taken, i =>
            {
                var random = new SeededRandom(config.Seed, first + i, Purpose);
                return picture => PictureCrop.Random(picture, size, crops, ref random);
            }) ?? throw new InvalidDataException(
                $"{config.Images}: no image of a whole batch can be read; {taken[0].Path} is one of them.");
        }

        /// <summary>Whole images, without crops; null if none is readable.</summary>
        public LabelledBatch? Whole(IReadOnlyList<LabelledPicture> some) => Read(some, _ => picture => picture);

        private LabelledBatch? Read(IReadOnlyList<LabelledPicture> some, Func<int, Func<RgbImage, RgbImage>> crop)
        {
            var rows = new float[]?[some.Count];
            Parallel.For(0, rows.Length, new ParallelOptions { MaxDegreeOfParallelism = crops.Workers }, i =>
            {
                using var memory = ImageBudget.Share();
                if (Reader.Read(some[i].Path) is { } picture) rows[i] = clip.Prepare(crop(i)(picture.ToRgbOnWhite()));
            });
            int[] good = [.. Enumerable.Range(0, rows.Length).Where(i => rows[i] is not null)];
            return good.Length == 0 ? null : new LabelledBatch(ClipBatch.Join([.. good.Select(i => rows[i]!)]),
                [.. good.Select(i => (long)some[i].Class)], size);
        }
    }
}
