using Alebrije.Datasets;
using Alebrije.Models.Clip;
using Alebrije.Nn;
using Alebrije.Pipelines;
using Alebrije.Preprocessing;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Tensors;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Training;

/// <summary>Training options of a supervised baseline.</summary>
public sealed record SupervisedOptions
{
    /// <summary>Times that each picture is seen.</summary>
    public int Epochs { get; init; } = 30;

    /// <summary>Pictures in a step.</summary>
    public int Batch { get; init; } = 64;

    /// <summary>Rate at the end of the warm-up, a twentieth of the run; a cosine to 2 % of it follows.</summary>
    public double LearningRate { get; init; } = 1e-3;

    /// <summary>Decoupled weight decay.</summary>
    public double WeightDecay { get; init; } = 0.05;

    /// <summary>Time limit in minutes; null: none.</summary>
    public double? Minutes { get; init; }

    /// <summary>Seed of initial weights, order and shifts.</summary>
    public ulong Seed { get; init; }

    /// <summary>Floating-point format of the matrix products; weights stay float32.</summary>
    public Precision Precision { get; init; } = Precision.Auto;
}

/// <summary>
/// A supervised classifier, the baseline of zero-shot classification: CLIP's image tower with random weights and a linear layer on
/// its class token, trained on labelled images by cross entropy. Training images are shifted and mirrored.
/// </summary>
public sealed class SupervisedBaseline : IDisposable
{
    private const int ClassifiedAtOnce = 64;
    private readonly SupervisedNetwork network;
    private readonly ClipImageProcessor processor;
    private readonly ScalarType dtype;
    private readonly int size;

    private SupervisedBaseline(ClipModel model, int classes, SupervisedOptions options)
    {
        var sizes = model.VisionSizes ?? throw new InvalidOperationException(
            $"The image tower of {model.Name} is not a vision transformer, so there is no baseline of its form; leave the baseline out.");
        (processor, size, dtype) = (model.ImageProcessor!, sizes.ImageSize, Processor.ScalarType(options.Precision));
        network = new SupervisedNetwork(sizes, classes);
        SeededInit.Apply(network, options.Seed, _ => (sizes.HiddenSize, sizes.NumHiddenLayers));
    }

    /// <summary>Parameters of the network.</summary>
    public long Parameters => network.parameters().Sum(parameter => parameter.numel());

    /// <summary>Steps taken and steps planned.</summary>
    public (long Done, long Planned) Steps { get; private set; }

    /// <summary>Seconds that training took.</summary>
    public double Seconds { get; private set; }

    /// <summary>Trains a baseline.</summary>
    /// <param name="model">Source of the image tower's sizes and of the preprocessing; its weights are not read.</param>
    /// <param name="pictures">Pictures to learn from, at least one.</param>
    /// <param name="right">[pictures]: class of each, from 0.</param>
    /// <param name="classes">Number of classes, at least 2.</param>
    /// <param name="options">Length, rates and seed; null takes the usual ones.</param>
    /// <param name="progress">Called after each step with steps done, total steps, loss and accuracy on the batch.</param>
    /// <param name="cancellation">Stops between steps.</param>
    /// <exception cref="ArgumentException">No images, another number of classes than of images, or a class that does not exist.</exception>
    /// <exception cref="InvalidOperationException">The model's image tower is of another kind, or the loss is not a number.</exception>
    public static SupervisedBaseline Train(
        ClipModel model, IReadOnlyList<RgbImage> pictures, IReadOnlyList<int> right, int classes, SupervisedOptions? options = null,
        Action<long, long, double, double>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(pictures);
        ArgumentNullException.ThrowIfNull(right);
        if (pictures.Count == 0 || pictures.Count != right.Count)
            throw new ArgumentException(
                $"There are {pictures.Count} images and {right.Count} labels to learn from; each image needs one.", nameof(right));
        if (classes < 2 || right.Any(label => label < 0 || label >= classes))
            throw new ArgumentException($"A label lies outside 0 to {classes - 1}, or there are not two classes.", nameof(right));
        var baseline = new SupervisedBaseline(model, classes, options ?? new SupervisedOptions());
        try
        {
            baseline.Run([.. pictures.Select(picture => baseline.processor.PrepareBytes(picture.ToPillow()))],
                right, options ?? new SupervisedOptions(), progress, cancellation);
        }
        catch
        {
            baseline.Dispose();
            throw;
        }

        return baseline;
    }

    /// <summary>The class of each picture.</summary>
    /// <param name="pictures">Pictures of any size.</param>
    /// <param name="cancellation">Stops between batches.</param>
    /// <returns>[pictures]</returns>
    public int[] Classify(IReadOnlyList<RgbImage> pictures, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(pictures);
        using var inference = inference_mode();
        var classes = new List<int>();
        foreach (var chunk in pictures.Chunk(ClassifiedAtOnce))
        {
            cancellation.ThrowIfCancellationRequested();
            using var scope = NewDisposeScope();
            var prepared = chunk.SelectMany(picture => processor.Prepare(picture)).ToArray();
            var logits = network.Forward(tensor(prepared, [chunk.Length, 3, size, size]), dtype);   // [batch, classes]
            classes.AddRange(logits.argmax(1).data<long>().Select(label => (int)label));
        }

        return [.. classes];
    }

    /// <inheritdoc/>
    public void Dispose() => network.Dispose();

    private void Run(
        RgbImage[] pictures, IReadOnlyList<int> right, SupervisedOptions options, Action<long, long, double, double>? progress,
        CancellationToken cancellation)
    {
        var batch = Math.Min(options.Batch, pictures.Length);
        var perEpoch = pictures.Length / batch;
        var plan = new Plan
        {
            Seed = options.Seed, Batch = batch, Samples = (long)perEpoch * options.Epochs * batch, LearningRate = options.LearningRate,
            WarmUp = Math.Max(1, (long)perEpoch * options.Epochs / 20), Optimizer = OptimizerMethod.Muon, EmaDecay = 0,
            Precision = options.Precision,
            SaveMinutes = double.PositiveInfinity, EvaluateMinutes = double.PositiveInfinity,
        };
        using var run = new TrainingRun(options.Minutes);
        var (order, accuracy) = (Array.Empty<int>(), 0.0);
        var result = TrainingLoop.Run(run, plan, new TrainingTask<(float[] Pixels, long[] Classes)>(network)
        {
            Begin = () => { },
            Optimizer = new() { Beta2 = 0.99, Epsilon = 1e-8, WeightDecay = options.WeightDecay },
            Batches = first => new BatchQueue<(float[] Pixels, long[] Classes)>(Make, first),
            Loss = (made, _, _) =>
            {
                var targets = tensor(made.Classes);
                var logits = network.Forward(tensor(made.Pixels, [batch, 3, size, size]), dtype);
                if (progress is not null) accuracy = logits.argmax(1).eq(targets).to(ScalarType.Float32).mean().ToDouble();
                return nn.functional.cross_entropy(logits, targets);
            },
            AfterStep = loss => progress?.Invoke(run.Step, plan.TotalSteps, loss, accuracy),
        }, cancellation);
        cancellation.ThrowIfCancellationRequested();
        (Steps, Seconds) = ((result.Steps, plan.TotalSteps), result.Seconds);

        (float[] Pixels, long[] Classes) Make(long step)
        {
            if (step % perEpoch == 0) order = Order(pictures.Length, options.Seed, step / perEpoch);
            var chosen = order.AsSpan((int)(step % perEpoch) * batch, batch).ToArray();
            var shifts = new SeededRandom(options.Seed, step, 32);
            var pixels = new List<float>();
            foreach (var i in chosen) pixels.AddRange(processor.Prepare(Shifted(pictures[i], ref shifts)));
            return ([.. pixels], [.. chosen.Select(i => (long)right[i])]);
        }
    }

    /// <summary>Configuration of its loop.</summary>
    private sealed record Plan : TrainingPlan;

    private static int[] Order(int count, ulong seed, long epoch)
    {
        var random = new SeededRandom(seed, epoch, 31);
        var order = Enumerable.Range(0, count).ToArray();
        for (var i = count - 1; i > 0; i--)
        {
            var j = random.Below(i + 1);
            (order[i], order[j]) = (order[j], order[i]);
        }

        return order;
    }

    /// <summary>Shifts by up to a tenth of the side, edges continued, and mirrors with probability one half.</summary>
    private static RgbImage Shifted(RgbImage image, ref SeededRandom random)
    {
        var (reachX, reachY) = (image.Width / 10, image.Height / 10);
        var (dx, dy, mirrored) = (random.Below((2 * reachX) + 1) - reachX, random.Below((2 * reachY) + 1) - reachY, random.Chance(0.5));
        var shifted = new RgbImage(image.Width, image.Height);
        for (var y = 0; y < image.Height; y++)
            for (var x = 0; x < image.Width; x++)
            {
                var fromX = Math.Clamp((mirrored ? image.Width - 1 - x : x) + dx, 0, image.Width - 1);
                var fromY = Math.Clamp(y + dy, 0, image.Height - 1);
                image.Pixels.AsSpan(3 * ((fromY * image.Width) + fromX), 3).CopyTo(shifted.Pixels.AsSpan(3 * ((y * image.Width) + x)));
            }
        return shifted;
    }
}

/// <summary>An image tower of CLIP and a linear layer on its class token.</summary>
internal sealed class SupervisedNetwork : nn.Module
{
    private readonly ClipVisionTransformer vision_model;
    private readonly nn.Module<Tensor, Tensor> classifier;

    public SupervisedNetwork(ClipVisionConfig config, int classes) : base(nameof(SupervisedNetwork))
    {
        vision_model = new ClipVisionTransformer(config);
        classifier = Layers.Linear(config.HiddenSize, classes);
        RegisterComponents();
    }

    /// <param name="pixels">[batch, 3, size, size], normalised</param>
    /// <param name="dtype">Type of the computation.</param>
    /// <returns>[batch, classes] float32</returns>
    public Tensor Forward(Tensor pixels, ScalarType dtype) =>
        classifier.call(vision_model.Encode(pixels, dtype: dtype).Pooled.to(ScalarType.Float32));
}
