using System.Globalization;
using Alebrije.Datasets;
using Alebrije.Evaluation;
using Alebrije.Models.Flamingo;
using Alebrije.Pipelines.Flamingo;
using Alebrije.Preprocessing.Tokenizers;
using Alebrije.Tensors;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Training;

/// <summary>
/// Trains the resampler and the gated blocks of a Flamingo (Alayrac et al., 2022, §2.2) on sequences of scenes and texts; image tower and
/// language model are frozen. Scenes are encoded once and kept in the run's cache, in which each is used for several texts.
/// </summary>
internal sealed class FlamingoImageTrainer(FlamingoImagePlan plan, TrainedClip clip, CaptionedScenes scenes)
{
    private const string CacheName = "scenes.cache";
    private const ulong ProbeSeed = 9008;

    /// <summary>Most scenes of each figure of captions and answers.</summary>
    private const int Probed = 32;

    /// <param name="options">The run's folder and limits.</param>
    /// <param name="package">Folder of the model, which has the language model of the first stage.</param>
    /// <param name="cancellation">Stops the run.</param>
    /// <returns>The result, with the loss on held-out scenes, <c>image_loss</c>, and shares of right captions and answers.</returns>
    public TrainingResult Run(TrainingOptions options, string package, CancellationToken cancellation = default)
    {
        plan.Check();
        var language = Path.Combine(package, plan.Model.Language);
        var sizes = LanguageConfig.Read(language);
        using var run = new TrainingRun(options, plan, new LossWatch(double.PositiveInfinity, 0, ""));
        var tokenizer = ByteLevelTokenizer.Load(language);
        var texts = new FlamingoTexts(scenes.World, tokenizer);
        var dtype = Processor.ScalarType(plan.Precision);
        using var network = new FlamingoNetwork(plan.Model, sizes, clip.Network.Config.VisionConfig.HiddenSize)
        {
            MediaToken = tokenizer.IdOf(FlamingoPrompt.ImageToken),
        };
        foreach (var (name, parameter) in network.named_parameters())
            if (!FlamingoNetwork.IsTrained(name)) parameter.requires_grad = false;
        using var probe = Probe(texts, dtype);
        return TrainingLoop.Run(run, plan, new TrainingTask<EncodedScenes>(network)
        {
            Trained = [.. network.Trained()],
            Optimizer = new()
            {
                Beta2 = 0.98, Epsilon = 1e-8, WeightDecay = plan.WeightDecay, RateOf = name => IsGate(name) ? plan.GateRate : 1,
            },
            Begin = () => Begin(network, language),
            Batches = first => new SceneCache(Path.Combine(run.Folder, CacheName), new(plan.Seed, plan.Batch, plan.Fresh, plan.Window),
                Identity(dtype), [Shape], group => Encode(plan.Fresh, i => Picture((group * plan.Fresh) + i), dtype), first),
            Loss = (batch, step, _) =>
            {
                var each = FlamingoTexts.ScenesOf(plan, step);
                var drawn = batch.Numbers.Select(number => scenes.Scene(plan.Seed, number, plan.WorldOf(number))).ToArray();
                return Loss(network, batch.Parts[0], texts.Encode(texts.Sequences(drawn, each, plan, step), learnsAll: false), each, dtype);
            },
            Evaluate = () =>
            {
                using var guard = no_grad();
                using var scope = NewDisposeScope();
                FlamingoPackage.WriteTrained(package, network, plan.Model with { MaxImages = plan.MostScenes });
                FlamingoPackage.WriteVision(package, plan.Model, clip, plan.Clip);
                return Measure(package, Loss(network, probe.Patches, probe.Texts, probe.Each, dtype).ToDouble());
            },
        }, cancellation);
    }

    /// <summary>[patches, width] of a scene.</summary>
    private long[] Shape
    {
        get
        {
            var vision = clip.Network.Config.VisionConfig;
            return [vision.Grid * vision.Grid, vision.HiddenSize];
        }
    }

    private static bool IsGate(string name) => name.EndsWith("_gate", StringComparison.Ordinal);

    /// <summary>Cross-entropy of the answers' tokens.</summary>
    /// <param name="network">The network.</param>
    /// <param name="patches">[scenes, patches, width]</param>
    /// <param name="texts">Sequences about these scenes in the same order.</param>
    /// <param name="each">Scenes of a sequence.</param>
    /// <param name="dtype">Number format of the layers.</param>
    private static Tensor Loss(FlamingoNetwork network, Tensor patches, FlamingoBatch texts, int each, ScalarType dtype)
    {
        using var scope = NewDisposeScope();
        var media = network.Resample(patches.to(dtype).reshape(texts.Rows, each, patches.shape[1], patches.shape[2]));
        var logits = network.Predict(texts.IdTensor(), media, type: dtype);
        return FlamingoNetwork.Loss(logits, texts.LabelTensor()).MoveToOuterDisposeScope();
    }

    private void Begin(FlamingoNetwork network, string language)
    {
        using var guard = no_grad();
        SeededInit.Apply(network, plan.Seed);
        foreach (var (name, parameter) in network.named_parameters())
            if (IsGate(name)) parameter.fill_(plan.Gate);
        FlamingoPackage.FillLanguage(network, language);
        if (plan.Start is { } start) FlamingoPackage.FillTrained(network, start);
    }

    private Preprocessing.Imaging.RgbImage Picture(long number) => scenes.Train(plan.Seed, number, plan.WorldOf(number)).Picture;

    /// <summary>Patches of scenes after the image tower's last norm, as the pipeline takes them.</summary>
    private EncodedScenes Encode(int count, Func<int, Preprocessing.Imaging.RgbImage> picture, ScalarType dtype)
    {
        using var guard = no_grad();
        using var scope = NewDisposeScope();
        var batch = PairBatch.Make(clip, count, side: 0, i => (picture(i), ""));
        var patches = clip.Network.Vision.Patches(batch.ClipTensor(), plan.Model.PatchNorm, dtype).to(ScalarType.Float32);
        return new EncodedScenes([patches.MoveToOuterDisposeScope()]);
    }

    private FlamingoProbe Probe(FlamingoTexts texts, ScalarType dtype)
    {
        var heldOut = Enumerable.Range(0, plan.Batch).Select(i => scenes.HeldOut(ProbeSeed, i, SceneOptions.Default)).ToArray();
        var each = plan.MostScenes;
        using var scope = NewDisposeScope();
        var patches = Encode(heldOut.Length, i => scenes.Draw(heldOut[i]), dtype).Parts[0].DetachFromDisposeScope();
        return new(patches, texts.Encode(texts.Sequences(heldOut, each, plan, -1), learnsAll: false), each);
    }

    /// <summary>Loss, and captions and answers of the exported model on a few held-out scenes.</summary>
    private Dictionary<string, double> Measure(string package, double loss)
    {
        var metrics = new Dictionary<string, double> { ["image_loss"] = loss };
        using var model = FlamingoPipeline.Load(package);
        var group = FlamingoEvaluation.Measure(
            model, new EvaluationScenes(scenes.World, ProbeSeed), plan.Measured(Probed), Language.English);
        foreach (var (name, figure) in group.Figures) metrics[name] = figure.Value;
        foreach (var gates in model.Gates()) metrics[$"gate_{gates.Layer}"] = gates.Attention;
        return metrics;
    }

    /// <summary>Identity of the encoding: sum of the image tower's weights, mixtures.</summary>
    private string Identity(ScalarType dtype)
    {
        using var guard = no_grad();
        using var scope = NewDisposeScope();
        var sum = clip.Network.Vision.parameters().Sum(p => p.abs().sum().ToDouble() + p.flatten()[0].ToDouble());
        var mixtures = plan.Curriculum is { } stages ? string.Join(';', stages.Select(stage => $"{stage.Share}:{stage.World}"))
            : plan.Scenes.ToString();
        return string.Create(CultureInfo.InvariantCulture, $"{sum:R}|{mixtures}|{plan.TotalSteps}|{plan.Model.PatchNorm}|{dtype}");
    }

    private sealed record FlamingoProbe(Tensor Patches, FlamingoBatch Texts, int Each) : IDisposable
    {
        public void Dispose() => Patches.Dispose();
    }
}
