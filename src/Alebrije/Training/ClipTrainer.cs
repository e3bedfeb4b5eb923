using Alebrije.Datasets;
using Alebrije.Models.Clip;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Preprocessing.Tokenizers;
using Alebrije.Published;
using Alebrije.Tensors;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Training;

/// <summary>Configuration of a training run of CLIP.</summary>
internal sealed record ClipTrainingConfig : TrainingPlan
{
    /// <summary>Sizes of the network; its vocabulary size is that of the tokenizer, which is trained first.</summary>
    public ClipConfig Model { get; init; } = new();

    /// <summary>
    /// Source of initial weights and tokenizer: an earlier run, a model of the same sizes, a folder of transformers or open_clip, or a
    /// file of openai/CLIP; null starts from random weights.
    /// </summary>
    public string? Start { get; init; }

    /// <summary>A user's images with captions; null trains on the world of emoji.</summary>
    public PictureDataOptions? Data { get; init; }

    /// <summary>Entries of the vocabulary trained on the captions.</summary>
    public int VocabularySize { get; init; } = 3000;

    /// <summary>
    /// Initial value of the learnt scale of the cosines; null takes the one of <see cref="Start"/>, or 1 / 0.07 (Radford et al., 2021,
    /// §2.5). A model's towers lack theirs: a long run ends at about 30.
    /// </summary>
    public double? LogitScale { get; init; }

    public double WeightDecay { get; init; } = 0.05;

    /// <summary>Share of the patches dropped (FLIP) in the first part of the run.</summary>
    public double PatchDropout { get; init; } = 0.5;

    /// <summary>End of that part, as a share of the run.</summary>
    public double PatchDropoutUntil { get; init; } = 0.85;

    /// <summary>
    /// Names per batch for an additional loss: images are classified among this many bare names, those of several things by the name of
    /// each among the names of what they do not show; 0 omits it. Captions of a batch also differ in colours and positions, names only
    /// in the concept.
    /// </summary>
    public int Names { get; init; }

    /// <summary>Weight of the loss of the names.</summary>
    public double NamesWeight { get; init; } = 0.5;

    /// <summary>Share of the plain scenes blended with their image in a style (<see cref="Training.StyleBlend"/>), from 0 to 1.</summary>
    public double StyleBlend { get; init; }
}

/// <summary>
/// Trains CLIP on captioned scenes or on a user's images, from random weights or an earlier model: a contrastive loss over the pairs of
/// the batch (Radford et al., 2021, fig. 3), with half of the patches dropped for most of the run (Li et al., 2023).
/// </summary>
internal sealed class ClipTrainer(ClipTrainingConfig config, IPairSource pairs)
{
    /// <summary>Trains on the world of emoji.</summary>
    public ClipTrainer(ClipTrainingConfig config, CaptionedScenes scenes) : this(config, new ScenePairs(config, scenes))
    {
    }

    /// <returns>The result, with the metrics of its source on held-out pairs.</returns>
    public TrainingResult Run(TrainingOptions options, CancellationToken cancellation = default)
    {
        using var run = new TrainingRun(options, config, new LossWatch(
            Math.Log(config.Batch) + (config.Names > 0 ? config.NamesWeight * Math.Log(config.Names) : 0), 2 * config.WarmUp,
            "Lower learning_rate, or look at the captions: images and texts may not belong together."));
        var tokenizer = PrepareTokenizer(options.Folder);
        using var network = new ClipNetwork(Sizes(tokenizer));
        var dtype = Processor.ScalarType(config.Precision);
        var preparation = new PairPreparation(tokenizer, PrepareImageProcessor(options.Folder));
        if (config.Start is { } from && run.Checkpoint is null && TrainedClip.AssumptionOf(from) is { } assumption)
            run.Note(assumption, config.TotalSteps);
        return TrainingLoop.Run(run, config, new TrainingTask<ClipBatch>(network)
        {
            Optimizer = new() { Beta2 = 0.98, Epsilon = 1e-6, WeightDecay = config.WeightDecay, NumberRate = 10 },
            Begin = () => Begin(network),
            Batches = first => new BatchQueue<ClipBatch>(i => pairs.Make(i, preparation), first),
            Loss = (batch, step, generator) => Loss(network, batch, step, generator, dtype),
            AfterStep = _ => CapLogitScale(network),
            Remarks = pairs.TakeRemarks,
            Evaluate = () =>
            {
                var metrics = pairs.Measure(network, preparation);
                Export(Path.Combine(run.Folder, "clip"), network);
                return metrics;
            },
        }, cancellation);
    }

    /// <summary>The configured sizes with the vocabulary of the tokenizer.</summary>
    private ClipConfig Sizes(ClipTokenizer tokenizer) => config.Model with
    {
        TextConfig = config.Model.TextConfig with
        {
            VocabSize = config.Start is null ? tokenizer.VocabularySize
                : Math.Max(tokenizer.VocabularySize, config.Model.TextConfig.VocabSize),
            BosTokenId = tokenizer.StartId, EosTokenId = tokenizer.EndId, PadTokenId = tokenizer.PadId,
        },
    };

    private void Begin(ClipNetwork network)
    {
        SeededInit.Apply(network, config.Seed);
        if (config.Start is { } start) TrainedClip.Copy(start, network);
        using var guard = no_grad();
        if (config.LogitScale is { } scale) network.LogitScale.fill_(Math.Log(scale));
    }

    private Tensor Loss(ClipNetwork network, ClipBatch batch, long step, Generator generator, ScalarType dtype)
    {
        var keep = step < config.TotalSteps * config.PatchDropoutUntil ? KeptPatches(generator) : null;
        var images = network.EmbedImage(batch.PixelTensor(), keep, dtype);
        var texts = network.EmbedText(batch.IdTensor(), dtype);
        var loss = ContrastiveLoss.Compute(texts, images, network.LogitScale, ContrastiveLoss.SameText(batch.Captions, batch.Pictures));
        if (batch.Names is not { } names) return loss;
        return loss + (config.NamesWeight
            * names.Loss(images, network.EmbedText(names.IdTensor(), dtype), network.LogitScale.exp()));
    }

    /// <summary>Limits the scale to 100 (Radford et al., 2021, §2.5).</summary>
    private static void CapLogitScale(ClipNetwork network)
    {
        using var _ = no_grad();
        network.LogitScale.clamp_(max: Math.Log(100));
    }

    /// <summary>[batch, kept]: indices of the patches kept in a step.</summary>
    private Tensor? KeptPatches(Generator generator)
    {
        if (config.PatchDropout <= 0) return null;
        var grid = config.Model.VisionConfig.Grid;
        var kept = (int)Math.Round(grid * grid * (1 - config.PatchDropout));
        return rand([config.Batch, grid * grid], generator: generator).argsort(1)[.., ..kept];
    }

    private ClipTokenizer PrepareTokenizer(string folder)
    {
        var path = Path.Combine(folder, "tokenizer");
        if (!Directory.Exists(path))
        {
            // Renamed once complete: a run may be killed between two files.
            var unfinished = path + ".new";
            if (Directory.Exists(unfinished)) Directory.Delete(unfinished, recursive: true);
            if (config.Start is { } start) TrainedClip.CopyTokenizer(start, unfinished);
            else BpeTrainer.Train(pairs.Corpus(60_000), config.VocabularySize)
                .Save(unfinished, config.Model.TextConfig.MaxPositionEmbeddings);
            Directory.Move(unfinished, path);
        }

        return ClipTokenizer.Load(path);
    }

    /// <summary>The preprocessing of the model that the run starts from; its settings are copied to the run.</summary>
    private ClipImageProcessor PrepareImageProcessor(string folder)
    {
        var path = Path.Combine(folder, "clip", TrainedClip.PreprocessorFile);
        if (!File.Exists(path) && config.Start is { } start) TrainedClip.CopyPreprocessor(start, Path.Combine(folder, "clip"));
        return File.Exists(path) ? ClipImageProcessor.Load(path) : ClipImageProcessor.Transformers(config.Model.VisionConfig.ImageSize);
    }

    private static void Export(string folder, ClipNetwork network)
    {
        ComponentCatalog.Export(folder, network.named_parameters().Select(p => KeyValuePair.Create(p.name, (Tensor)p.parameter)),
            ofTransformers: true);
        ConfigFile.Write(Path.Combine(folder, "config.json"), network.Config);
    }
}
