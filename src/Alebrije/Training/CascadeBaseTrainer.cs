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

/// <summary>The denoiser of the first stage and the text encoder that is trained with it.</summary>
internal sealed class CascadeNetwork : nn.Module
{
    private readonly UNet2DConditionModel unet;
    private readonly T5Encoder text_encoder;

    public CascadeNetwork(UNet2DConditionConfig model, T5Config texts) : base(nameof(CascadeNetwork))
    {
        (unet, text_encoder) = (new UNet2DConditionModel(model), new T5Encoder(texts));
        RegisterComponents();
    }

    /// <summary>The denoiser.</summary>
    public UNet2DConditionModel Unet => unet;

    /// <summary>The text encoder.</summary>
    public T5Encoder TextEncoder => text_encoder;

    /// <summary>
    /// Initial weights from a seed. T5 needs its own scales (transformers, modeling_t5.py, _init_weights): its scores are not divided by
    /// the root of the head width, so its queries are smaller by that factor; the outputs of its blocks must not hide the embeddings,
    /// which are of the order of 1.
    /// </summary>
    public void Initialise(ulong seed)
    {
        SeededInit.Apply(this, seed);
        using var guard = no_grad();
        foreach (var (name, parameter) in text_encoder.named_parameters())
        {
            if (name == "shared.weight") parameter.mul_(Math.Sqrt(text_encoder.Config.DModel));
            else if (name.EndsWith(".q.weight", StringComparison.Ordinal)) parameter.mul_(Math.Pow(text_encoder.Config.DKv, -0.5));
        }
    }
}

/// <summary>
/// Trains the first stage of the cascade (Saharia et al., 2022, Imagen, §2): from noisy pixels and the states of a text encoder to the
/// velocity. The text encoder is trained along with it. Every step takes different scenes at one noise level each.
/// </summary>
internal sealed class CascadeBaseTrainer(CascadeBasePlan plan, CaptionedScenes scenes)
{
    private static readonly string[] Drawn =
    [
        "a red car", "a lion", "a banana", "a blue bus", "a panda on a yellow background",
            "una manzana verde", "a green frog and a red apple",
        "a rocket",
    ];

    private readonly NoiseSchedule schedule = NoiseSchedule.From(MiniSchedulers.Cascade);

    /// <param name="options">The run's folder and limits.</param>
    /// <param name="package">Folder of the model that is written.</param>
    /// <param name="cancellation">Stops the run.</param>
    /// <returns>The result, with the mean squared errors of v on fixed scenes by level and kind.</returns>
    public TrainingResult Run(TrainingOptions options, string package, CancellationToken cancellation = default)
    {
        plan.Check();
        using var run = new TrainingRun(options, plan, new LossWatch(1, 20 * plan.WarmUp,
            "An error near 1 is that of drawing nothing. Lower learning_rate, or train on fewer kinds of scenes first."));
        var (dtype, tokenizer) = (Processor.ScalarType(plan.Precision), Path.Combine(run.Folder, "tokenizer"));
        var texts = CascadeTexts.Open(tokenizer, scenes, plan.VocabularySize);
        using var network = new CascadeNetwork(plan.Model, plan.TextEncoder with { VocabSize = texts.VocabularySize });
        var known = LatentProbe.Scenes(scenes.World, plan.Measured(LatentProbe.Most)).Select(kind => (kind.Kind,
            Batch: texts.Make(kind.Scenes.Length, plan.Side,
                i => (scenes.Draw(kind.Scenes[i].Scene, plan.Side * plan.Oversampling), kind.Scenes[i].Prompt)))).ToArray();
        return TrainingLoop.Run(run, plan, new TrainingTask<PairBatch>(network)
        {
            Optimizer = new() { Beta2 = 0.99, Epsilon = 1e-8, WeightDecay = plan.WeightDecay },
            Begin = () => Begin(network),
            Batches = first => new BatchQueue<PairBatch>(i =>
                texts.Make(scenes, plan, i, plan.Batch, plan.Side * plan.Oversampling, plan.Side), first),
            Loss = (batch, step, generator) =>
            {
                texts.Drop(batch, plan, step);
                return Loss(network, batch, generator, dtype);
            },
            Evaluate = Evaluate,
        }, cancellation);

        Dictionary<string, double> Evaluate()
        {
            using var guard = no_grad();
            CascadePackage.Write(package, network.Unet, network.TextEncoder, tokenizer);
            Draw(package, new PictureSheets(Path.Combine(run.Folder, "samples")), $"{run.Step:D7}");
            var errors = new Dictionary<string, double>();
            foreach (var (kind, batch) in known)
            {
                using var scope = NewDisposeScope();
                var states = CascadeTexts.Encode(network.TextEncoder, batch, dtype);
                LatentProbe.AddVelocity(errors, kind, schedule, batch.PixelTensor(),
                    (noisy, t) => Velocity(network.Unet, noisy, t, states, dtype));
            }

            return errors;
        }
    }

    private void Begin(CascadeNetwork network)
    {
        network.Initialise(plan.Seed);
        if (plan.Start is not { } start) return;
        CascadePackage.Fill(network.Unet, start);
        ComponentCatalog.Fill("T5EncoderModel", network.TextEncoder, Path.Combine(start, "text_encoder"));
    }

    private Tensor Loss(CascadeNetwork network, PairBatch batch, Generator generator, ScalarType dtype)
    {
        var original = batch.PixelTensor();                                                  // [batch, 3, side, side]
        var timesteps = NoiseLevels.Draw(batch.Count, schedule.Length, plan.NoisyShare, plan.NoisyFrom, generator);
        var noise = randn(original.shape, generator: generator);
        var states = CascadeTexts.Encode(network.TextEncoder, batch, dtype);                 // [batch, 77, width]
        var predicted = Velocity(network.Unet, schedule.AddNoise(original, noise, timesteps), timesteps, states, dtype);
        return (predicted - schedule.Target(PredictionType.VPrediction, original, noise, timesteps)).square().mean();
    }

    /// <summary>[batch, 3, side, side] float32: the velocity, without the channels of the variance.</summary>
    private static Tensor Velocity(UNet2DConditionModel unet, Tensor noisy, Tensor timesteps, Tensor states, ScalarType dtype) =>
        unet.call(noisy.to(dtype), timesteps, new UNetConditions(states)).narrow(1, 0, 3).to(ScalarType.Float32);

    /// <summary>Draws a few prompts with the first stage of the written model, as users do.</summary>
    private void Draw(string package, PictureSheets sheets, string name)
    {
        using var pipeline = ImagePipeline.Load(package, new ImagePipelineOptions { CompanionFolders = [] });
        var drawn = pipeline.GenerateMany(Drawn.Take(plan.Measured(Drawn.Length))
            .Select(prompt => new GenerationRequest { Prompt = prompt, Seed = 1 }));
        sheets.Save(name, "stage 1", 4, [.. drawn.Select(result => (result.Image, result.Request.Prompt))]);
    }
}
