using Alebrije.Diffusion;
using Alebrije.Evaluation;
using Alebrije.Models.Autoencoders;
using Alebrije.Models.UNets;
using Alebrije.Pipelines;
using Alebrije.Published;
using Alebrije.Tensors;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Training;

/// <summary>One training run of the upsampler: the keys of its JSON file.</summary>
internal sealed record UpsamplerTrainingConfig : TrainingPlan
{
    /// <summary>Enlargement factor.</summary>
    public const int Factor = 2;

    public UNet2DConfig Model { get; init; } = UNet2DConfig.Upsampler(32, 64, 96);

    /// <summary>Folder of the autoencoder that corrupts a share of the small images; null: none.</summary>
    public string? Autoencoder { get; init; }

    /// <summary>Folder of the initial weights, such as an earlier upsampler; null: random weights.</summary>
    public string? Start { get; init; }

    /// <summary>Side of the crops, in pixels of the large picture (the paper takes a quarter of it).</summary>
    public int Crop { get; init; } = 64;

    /// <summary>Share of the run, 0 to 1, after which whole images replace crops, since their norm statistics differ.</summary>
    public double CropsUntil { get; init; } = 0.8;

    /// <summary>Crops of each scene.</summary>
    public int CropsPerPicture { get; init; } = 4;

    /// <summary>Share of crops at pure noise, the start of every short sampling run; other timesteps are uniform.</summary>
    public double PureNoise { get; init; } = 0.3;

    /// <summary>Share of small pictures that go through the autoencoder.</summary>
    public double Autoencoded { get; init; } = 0.5;

    /// <summary>Largest standard deviation of the error in their latents, which have standard deviation 1.</summary>
    public double LatentNoise { get; init; } = 0.2;

    /// <summary>Share of the others that are blurred.</summary>
    public double Blurred { get; init; } = 0.5;

    /// <summary>Largest standard deviation of the blur, in pixels of the small image.</summary>
    public double Blur { get; init; } = 0.8;

    /// <summary>Sampling steps of the evaluation.</summary>
    public int Steps { get; init; } = 4;

    /// <summary>Side of the large pictures.</summary>
    [System.Text.Json.Serialization.JsonIgnore]
    public int Side => (Model.SampleSize ?? [256])[0];

    /// <exception cref="ArgumentException">Sizes do not fit together.</exception>
    public void Check()
    {
        Model.Check();
        var factor = Math.Max(Factor, 1 << (Model.BlockOutChannels.Length - 1));
        if (Crop < factor || Crop > Side || Crop % factor != 0 || Side % factor != 0)
            throw new ArgumentException($"The crop is {Crop} and the image "
                + $"{Side} pixels wide: both have to be multiples of {factor}, and the crop no larger than the image.");
        if (Model.InChannels != 6 || Model.OutChannels != 3)
            throw new ArgumentException($"An upsampler has 6 in_channels, "
                + $"the noisy image and the small one enlarged, and 3 out_channels, not {Model.InChannels} and {Model.OutChannels}.");
        if (CropsPerPicture < 1 || Batch < CropsPerPicture)
            throw new ArgumentException(
                $"crops_per_picture is {CropsPerPicture} and batch {Batch}: a scene has one crop or more, and a batch one scene or more.");
    }
}

/// <summary>
/// Trains the upsampler of unCLIP (Ramesh et al., 2022, §2.1): from a noisy large image and a corrupted small one to the
/// large one, on crops first. It predicts the image itself, with the autoencoder's training loss, so that edges stay sharp.
/// </summary>
internal sealed class UpsamplerTrainer(UpsamplerTrainingConfig config, CaptionedScenes scenes)
{
    private const ulong ProbeSeed = 9005;
    private const int Probed = 16;

    private readonly NoiseSchedule schedule = NoiseSchedule.From(MiniSchedulers.Upsampler);
    private readonly ScalarType dtype = Processor.ScalarType(config.Precision);

    /// <returns>Result with the signal-to-noise ratio on held-out scenes, and that of bicubic enlargement.</returns>
    public TrainingResult Run(TrainingOptions options, CancellationToken cancellation = default)
    {
        config.Check();
        using var run = new TrainingRun(options, config, new LossWatch(0.9, 10 * config.WarmUp, "Lower learning_rate."));
        using var network = new UNet2DModel(config.Model);
        using var vae = config.Autoencoder is { } folder ? ComponentCatalog.Load<AutoencoderKL>("AutoencoderKL", folder) : null;
        var faults = new UpsamplerFaults(config, vae, dtype);
        return TrainingLoop.Run(run, config, new TrainingTask<UpsamplerBatch>(network)
        {
            Begin = () =>
            {
                SeededInit.Apply(network, config.Seed);
                if (config.Start is { } start) ComponentCatalog.Fill("UNet2DModel", network, start);
            },
            Batches = first => new BatchQueue<UpsamplerBatch>(i => UpsamplerBatch.Make(config, scenes, i, CropAt(i)), first),
            Loss = (batch, step, generator) => Loss(network, batch, faults, step, generator),
            Evaluate = () =>
            {
                PriorExport.Write(Path.Combine(run.Folder, Upsampler.First), network, network.Config, "UNet2DModel");
                return Probe(network, vae, new PictureSheets(Path.Combine(run.Folder, "samples", $"{run.Step:D7}")));
            },
        }, cancellation);
    }

    private int CropAt(long step) => step < config.TotalSteps * config.CropsUntil ? config.Crop : config.Side;

    private Tensor Loss(UNet2DModel network, UpsamplerBatch batch, UpsamplerFaults faults, long step, Generator generator)
    {
        using var scope = NewDisposeScope();
        var (crop, small) = (CropAt(step), config.Side / UpsamplerTrainingConfig.Factor);
        var given = Bicubic.Resize(faults.Apply(tensor(batch.Small).reshape(-1, 3, small, small), step), config.Side, config.Side);
        var guide = batch.Cut(given, crop);                                                  // [crops, 3, crop, crop]
        var original = batch.Cut(tensor(batch.Large).reshape(-1, 3, config.Side, config.Side), crop);
        var pure = rand([original.shape[0]], generator: generator).lt(config.PureNoise);
        var even = randint(0, schedule.Length, [original.shape[0]], dtype: ScalarType.Int64, generator: generator);
        var timesteps = where(pure, full_like(even, schedule.Length - 1), even);
        var noisy = schedule.AddNoise(original, randn(original.shape, generator: generator), timesteps);
        var predicted = network.call(cat([noisy, guide], 1).to(dtype), timesteps).to(ScalarType.Float32);
        return AutoencoderTrainer.Reconstruction(predicted, original).MoveToOuterDisposeScope();
    }

    private Dictionary<string, double> Probe(UNet2DModel network, AutoencoderKL? vae, PictureSheets sheets)
    {
        using var inference = inference_mode();
        using var scope = NewDisposeScope();

        // The networks stay the run's: the upsampler is not disposed.
        var upsampler = new Upsampler(network, null, MiniSchedulers.Upsampler);
        var group = UpsamplerEvaluation.Measure(upsampler, vae, new EvaluationScenes(scenes.World, ProbeSeed),
            config.Measured(Probed), config.Steps, sheets);
        var metrics = group.Figures.ToDictionary(f => f.Key, f => f.Value.Value);
        foreach (var (name, inner) in group.Groups)
            foreach (var (figure, value) in inner.Figures) metrics[$"{name}_{figure}"] = value.Value;
        return metrics;
    }
}
