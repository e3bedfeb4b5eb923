using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Pipelines.StableDiffusion;

/// <summary>A text tower that vectors are added to.</summary>
/// <param name="Component">Its component in the folder.</param>
/// <param name="Width">Features of a token.</param>
/// <param name="Key">Name of its vectors in files of Stable Diffusion XL; null for towers of others.</param>
internal sealed record TokenTower(string Component, int Width, string? Key);

/// <summary>
/// A token with vectors of its own (Gal et al., 2022), from the formats of web interfaces (<c>string_to_param</c>, <c>emb_params</c>,
/// <c>clip_l</c> with <c>clip_g</c>) and of diffusers ({token: vectors}; loaders/textual_inversion.py).
/// </summary>
/// <param name="File">The file.</param>
/// <param name="Token">Text that stands for it.</param>
/// <param name="Vectors">[vectors, width] float32 for each text tower.</param>
internal sealed record TextualInversion(string File, string Token, IReadOnlyList<Tensor> Vectors) : IDisposable
{
    private const string Nested = "string_to_param.", Single = "emb_params";

    internal const string Option = "or leave the embedding out (--embedding)";

    /// <summary>Number of vectors.</summary>
    public int Count => (int)Vectors[0].shape[0];

    /// <summary>Reads a file for the towers of a model.</summary>
    /// <param name="input">The file.</param>
    /// <param name="towers">One tower, or SDXL's two.</param>
    /// <param name="model">The model's name.</param>
    /// <exception cref="FileNotFoundException">The file is missing.</exception>
    /// <exception cref="InvalidDataException">The file has another hash than the recipe's.</exception>
    /// <exception cref="WeightsException">It is not a textual inversion, or one of another width.</exception>
    public static TextualInversion Read(EmbeddingInput input, IReadOnlyList<TokenTower> towers, string model)
    {
        using var source = input.OpenTensors();
        var (file, names) = (source.Location, source.Names.Order(StringComparer.Ordinal).ToArray());
        var nested = names.Where(name => name.StartsWith(Nested, StringComparison.Ordinal)).ToArray();
        if (nested.Length > 0) names = nested;
        string[] keys = [.. towers.Select(tower => tower.Key ?? "")];
        string? own = null;
        if (names.Contains("clip_l") && names.Contains("clip_g"))
        {
            if (towers[0].Key is null)
            {
                throw new WeightsException(
                    $"{file} is for the two text encoders of Stable Diffusion XL (clip_l, clip_g), and {model} has one; "
                    + $"name such a model (--model), {Option}.");
            }
        }
        else if (names is [var only])
        {
            if (towers.Count > 1)
            {
                throw new WeightsException(
                    $"{file} is for one text encoder ('{only}'), and {model} has two; textual inversions of Stable Diffusion XL "
                    + $"hold clip_l and clip_g: name such a file, {Option}.");
            }

            keys = [only];
            own = nested.Length > 0 || only is Single or "clip_l" or "clip_g" ? null : only;
        }
        else
        {
            throw new WeightsException(
                $"{file} is not a textual inversion: it holds {names.Length} tensors, and one has string_to_param, emb_params, clip_l with "
                + $"clip_g, or one tensor by its token; name such a file, {Option}.");
        }

        var token = input.Token ?? own ?? Path.GetFileNameWithoutExtension(file);
        var vectors = new List<Tensor>();
        for (var i = 0; i < towers.Count; i++)
        {
            var entry = source.Describe(keys[i]);
            if (entry.Shape.Length is not (1 or 2) || !TensorTypes.IsFloating(entry.Type) || entry.Count == 0)
            {
                throw new WeightsException(
                    $"{file} holds '{keys[i]}' as {entry}, and the vectors of a token are [vectors, width] of floating-point numbers; "
                    + $"name another file, {Option}.");
            }

            if (entry.Shape[^1] != towers[i].Width)
            {
                throw new WeightsException(
                    $"{file} has vectors of {entry.Shape[^1]} numbers, and the text encoder of {model} {towers[i].Width}; a textual "
                    + "inversion fits the kind of model that it was trained on (768: Stable Diffusion 1, 1024: 2, 768 and 1280: XL): "
                    + $"name one (--model), {Option}.");
            }

            using var read = source.Read(keys[i]);
            vectors.Add(read.to(ScalarType.Float32, copy: true).reshape(-1, towers[i].Width).DetachFromDisposeScope());
        }

        if (vectors.Any(vector => vector.shape[0] != vectors[0].shape[0]))
        {
            var counts = string.Join(" and ", vectors.Select(vector => vector.shape[0]));
            throw new WeightsException(
                $"{file} has {counts} vectors for the two text encoders, and each has to have as many; name another file, {Option}.");
        }

        return new TextualInversion(file, token, vectors);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var vector in Vectors) vector.Dispose();
    }
}
