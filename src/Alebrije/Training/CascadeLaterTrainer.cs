using Alebrije.Diffusion;
using Alebrije.Evaluation;
using Alebrije.Models.T5;
using Alebrije.Models.UNets;
using Alebrije.Pipelines;
using Alebrije.Published;
using Alebrije.Tensors;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Training;

/// <summary>
/// Trains the second stage of the cascade (Saharia et al., 2022, Imagen, §2.3; Ho et al., 2021): from noise, a small image with a little
/// noise, the level of that noise and the text to the image four times as large; on crops first. It predicts the image itself, with the
/// error that the autoencoder is trained with.
/// </summary>
internal sealed class CascadeLaterTrainer(CascadeLaterPlan plan, CaptionedScenes scenes)
{
    /// <summary>Noise level of the small image in use.</summary>
    public const int NoiseLevel = 100;

    private const ulong ProbeSeed = 9006;
    private const int Probed = 8, ProbedSteps = 10;

    private readonly NoiseSchedule schedule = NoiseSchedule.From(MiniSchedulers.CascadeLater),
        noising = NoiseSchedule.From(MiniSchedulers.ImageNoising);
    private readonly ScalarType dtype = Processor.ScalarType(plan.Precision);

    /// <param name="options">The run's folder and limits.</param>
    /// <param name="package">Folder of the model with the first stage.</param>
    /// <param name="cancellation">Stops the run.</param>
    /// <returns>The result, with the signal-to-noise ratio on held-out scenes, and that of bilinear enlargement.</returns>
    /// <exception cref="Weights.CheckpointNotFoundException">The first stage is missing.</exception>
    public TrainingResult Run(TrainingOptions options, string package, CancellationToken cancellation = default)
    {
        plan.Check();
        var first = PipelineFolder.Open(package);
        using var run = new TrainingRun(options, plan, new LossWatch(0.9, 10 * plan.WarmUp, "Lower learning_rate."));
        var texts = new CascadeTexts(Preprocessing.Tokenizers.UnigramTokenizer.Load(first.Of("tokenizer")));
        using var encoder = first.Load<T5Encoder>("text_encoder");
        using var network = new UNet2DConditionModel(plan.Model);
        return TrainingLoop.Run(run, plan, new TrainingTask<PairBatch>(network)
        {
            Optimizer = new() { Beta2 = 0.99, Epsilon = 1e-8, WeightDecay = plan.WeightDecay },
            Begin = () =>
            {
                SeededInit.Apply(network, plan.Seed);
                if (plan.Start is { } start) CascadePackage.Fill(network, Path.Combine(start, CascadePackage.Later));
            },
            Batches = number => new BatchQueue<PairBatch>(i => texts.Make(scenes, plan, i, Count(i), plan.Side, plan.Side), number),
            Loss = (batch, step, generator) =>
            {
                texts.Drop(batch, plan, step);
                return Loss(network, batch, Encode(encoder, batch), step, generator);
            },
            Evaluate = () =>
            {
                CascadePackage.WriteLater(package, network);
                return Probe(network, encoder, texts, new PictureSheets(Path.Combine(run.Folder, "samples")), $"{run.Step:D7}");
            },
        }, cancellation);
    }

    private bool SeesCrops(long step) => step < plan.TotalSteps * plan.CropsUntil;

    /// <summary>Scenes of a batch: as many pixels of whole images as of crops.</summary>
    private int Count(long step) => SeesCrops(step) ? plan.Batch
        : Math.Max(1, plan.Batch * plan.Crop * plan.Crop / (plan.Side * plan.Side));

    private Tensor Encode(T5Encoder encoder, PairBatch batch)
    {
        using var guard = no_grad();
        return CascadeTexts.Encode(encoder, batch, dtype);
    }

    private Tensor Loss(UNet2DConditionModel network, PairBatch batch, Tensor states, long step, Generator generator)
    {
        using var scope = NewDisposeScope();
        var (large, count) = (batch.PixelTensor(), batch.Count);                             // [batch, 3, side, side]
        var levels = randint(0, plan.HighestNoise + 1, [count], dtype: ScalarType.Int64, generator: generator);
        var given = Enlarged(Small(large), levels, randn(large.shape, generator: generator));
        var pure = rand([count], generator: generator).lt(plan.PureNoise);
        var even = randint(0, schedule.Length, [count], dtype: ScalarType.Int64, generator: generator);
        var timesteps = where(pure, full_like(even, schedule.Length - 1), even);
        var noisy = schedule.AddNoise(large, randn(large.shape, generator: generator), timesteps);
        if (SeesCrops(step)) (large, given, noisy) = (Cut(large, step), Cut(given, step), Cut(noisy, step));
        var predicted = Predict(network, noisy, given, timesteps, states, levels);
        return AutoencoderTrainer.Reconstruction(predicted, large).MoveToOuterDisposeScope();
    }

    /// <summary>[batch, 3, h, w] float32: the predicted image, without the channels of the variance.</summary>
    private Tensor Predict(UNet2DConditionModel network, Tensor noisy, Tensor given, Tensor timesteps, Tensor states, Tensor levels) =>
        network.call(cat([noisy, given], 1).to(dtype), timesteps, new UNetConditions(states) { ClassLabels = levels })
            .narrow(1, 0, 3).to(ScalarType.Float32);

    /// <summary>The small images as the first stage draws them, [batch, 3, side / 4, side / 4] in [-1, 1].</summary>
    private Tensor Small(Tensor large) =>
        Bicubic.Resize(large, plan.Side / CascadeLaterPlan.Factor, plan.Side / CascadeLaterPlan.Factor).clamp(-1, 1);

    /// <summary>Small images enlarged and noised as in the pipeline (diffusers, pipeline_if_superresolution.py).</summary>
    private Tensor Enlarged(Tensor small, Tensor levels, Tensor noise) => noising.AddNoise(
        nn.functional.interpolate(small, [plan.Side, plan.Side], mode: InterpolationMode.Bilinear, align_corners: true), noise, levels);

    /// <summary>A square crop of each image, its position drawn from seed and step alone.</summary>
    private Tensor Cut(Tensor images, long step)
    {
        var random = ConditionDropout.Generator(plan.Seed + 0x63757473, step);
        var places = (plan.Side - plan.Crop) / CascadeLaterPlan.Factor;
        return stack(Enumerable.Range(0, (int)images.shape[0]).Select(i =>
            images[i].narrow(1, Place(), plan.Crop).narrow(2, Place(), plan.Crop)));

        int Place() => CascadeLaterPlan.Factor * random.Next(places + 1);
    }

    private Dictionary<string, double> Probe(
        UNet2DConditionModel network, T5Encoder encoder, CascadeTexts texts, PictureSheets sheets, string name)
    {
        using var inference = inference_mode();
        using var scope = NewDisposeScope();
        var probed = plan.Measured(Probed);
        var prompts = new EvaluationScenes(scenes.World, ProbeSeed).Prompts(EvaluationScenes.CoreSingles, probed);
        var batch = texts.Make(probed, plan.Side, i => (scenes.Draw(prompts[i].Scene, plan.Side), prompts[i].Prompt));
        var (truth, levels, states) = (batch.PixelTensor(), full([probed], NoiseLevel, dtype: ScalarType.Int64), Encode(encoder, batch));
        using var noise = new Noise((long)ProbeSeed);
        var small = Small(truth);
        var given = Enlarged(small, levels, noise.RandnLike(truth));
        using var scheduler = Schedulers.Create(MiniSchedulers.CascadeLater);
        scheduler.SetTimesteps(ProbedSteps);
        var drawn = Sampling.Run(scheduler, (x, t) => Predict(network, x, given, t, states, levels),
            Sampling.Begin(scheduler, noise, truth.shape), noise).clamp(-1, 1);
        var plain = Enlarged(small, zeros_like(levels), zeros_like(truth)).clamp(-1, 1);
        var rows = new (string Label, Tensor Pixels)[] { ("bilinear", plain), ("stage 2", drawn), ("true", truth) };
        sheets.Save(name, "small images enlarged, stage 2, true images", probed, [.. rows.SelectMany(row =>
            ImageTensors.ToImages(row.Pixels.add(1).div(2)).Select(image => (image, row.Label)))]);
        return new Dictionary<string, double>
        {
            ["stage2_psnr_db"] = AutoencoderEvaluation.SignalToNoise(drawn, truth).Average(),
            ["bilinear_psnr_db"] = AutoencoderEvaluation.SignalToNoise(plain, truth).Average(),
        };
    }
}
