using System.Text.Json;
using Alebrije.Pipelines;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Tensors;
using Alebrije.Weights;
using static TorchSharp.torch;

namespace Alebrije.Embeddings;

/// <summary>
/// A linear classifier on a model's image embeddings of unit length, with a fingerprint that identifies the model. Stored as one
/// safetensors file. Immutable and thread-safe.
/// </summary>
/// <param name="Model">Name of the model whose embeddings it was fitted on.</param>
/// <param name="Labels">Names of the classes.</param>
/// <param name="Weights">[classes][width]</param>
/// <param name="Bias">[classes]</param>
/// <param name="Space">[width]: that model's embedding of one fixed image.</param>
public sealed record LinearHead(string Model, IReadOnlyList<string> Labels,
    IReadOnlyList<float[]> Weights, IReadOnlyList<float> Bias, IReadOnlyList<float> Space)
{
    private const string Format = "alebrije.linear_head";

    /// <summary>Cosine below which two embeddings of the fixed image are of different models; rounding to bf16 stays above it.</summary>
    private const double SameSpace = 0.9998;

    /// <summary>Logits of an image, one for each class.</summary>
    /// <param name="image">[width], unit length</param>
    /// <returns>[classes]; a softmax makes them shares.</returns>
    public double[] Logits(float[] image) => [.. Weights.Select((weight, k) => weight.Zip(image, (a, b) => (double)a * b).Sum() + Bias[k])];

    /// <summary>Embeds the fixed image: colours that run into one another, with a bright disc.</summary>
    public static float[] SpaceOf(ClipModel model)
    {
        ArgumentNullException.ThrowIfNull(model);
        const int side = 96;
        var picture = new RgbImage(side, side);
        for (var y = 0; y < side; y++)
            for (var x = 0; x < side; x++)
            {
                var isDisc = ((x - 40) * (x - 40)) + ((y - 52) * (y - 52)) < 20 * 20;
                var at = ((y * side) + x) * 3;
                (picture.Pixels[at], picture.Pixels[at + 1], picture.Pixels[at + 2]) = isDisc
                    ? ((byte)250, (byte)220, (byte)40) : ((byte)(x * 2), (byte)(y * 2), (byte)(190 - x - (y / 2)));
            }

        return model.EmbedImages([picture])[0];
    }

    /// <summary>Refuses a model whose embeddings are of another space.</summary>
    /// <exception cref="WeightsException">It is another model than the one the head was fitted on; the message names both.</exception>
    public void RequireSpace(ClipModel model)
    {
        ArgumentNullException.ThrowIfNull(model);
        if (model.Dimensions != Space.Count)
            throw new WeightsException($"The classifier reads {Space.Count} numbers an embedding "
                + $"(it was fitted on {Model}), and {model.Name} gives {model.Dimensions}; use --model with the one it was fitted on.");
        if (Vectors.Cosine(SpaceOf(model), [.. Space]) < SameSpace)
            throw new WeightsException($"The classifier was fitted on embeddings "
                + $"of {Model}, and those of {model.Name} are of another space; use --model with that of the fit, or fit it again.");
    }

    /// <summary>Writes the head.</summary>
    /// <param name="path">A <c>.safetensors</c> file; replaced as a whole.</param>
    public void Save(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        using var scope = NewDisposeScope();
        SafeTensorsWriter.Write(
            path,
            new Dictionary<string, Tensor>
            {
                ["weight"] = tensor(Weights.SelectMany(row => row).ToArray(), [Labels.Count, Space.Count]),
                    ["bias"] = tensor(Bias.ToArray()), ["space"] = tensor(Space.ToArray()),
            },
            new Dictionary<string, string> { ["format"] = Format, ["model"] = Model, ["labels"] = JsonSerializer.Serialize(Labels) });
    }

    /// <summary>Reads a head.</summary>
    /// <exception cref="CheckpointNotFoundException">There is no such file.</exception>
    /// <exception cref="WeightsException">It is damaged, or something else.</exception>
    public static LinearHead Load(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (!File.Exists(path))
            throw new CheckpointNotFoundException($"there is no classifier {path}; train probe and train classifier write one.");
        TorchRuntime.Initialize();
        using var scope = NewDisposeScope();
        using var file = new SafeTensorsFile(path);
        if (file.Metadata.GetValueOrDefault("format") != Format)
            throw new WeightsException($"{path} is not a classifier of train probe or train classifier.");
        var labels = Labels(path, file.Metadata.GetValueOrDefault("labels"));
        var (weight, bias, space) = (Read("weight"), Read("bias"), Read("space"));
        if (labels.Length < 2 || space.ndim != 1 || bias.shape is not [var classes]
            || weight.shape is not [var rows, var width] || rows != labels.Length || classes != rows || width != space.shape[0])
            throw new WeightsException($"{path} is damaged: its labels, weights and biases do not belong together.");
        return new LinearHead(file.Metadata.GetValueOrDefault("model") ?? "",
            labels, [.. Floats(weight).Chunk((int)width)], Floats(bias), Floats(space));

        Tensor Read(string name) => file.Contains(name) ? file.Read(name)
            : throw new WeightsException($"{path} is damaged: it has no {name}.");

        static float[] Floats(Tensor tensor) => tensor.to(ScalarType.Float32).contiguous().data<float>().ToArray();

        static string[] Labels(string path, string? json)
        {
            try
            {
                return JsonSerializer.Deserialize<string[]>(json ?? "[]") ?? [];
            }
            catch (JsonException e)
            {
                throw new WeightsException($"{path} is damaged: its labels cannot be read.", e);
            }
        }
    }
}
