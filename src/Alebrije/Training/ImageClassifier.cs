using Alebrije.Models.Clip;
using Alebrije.Nn;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Alebrije.Training;

/// <summary>CLIP's image tower with a linear classifier on its embeddings of unit length; the text tower is kept, frozen.</summary>
internal sealed class ImageClassifier : nn.Module
{
    private readonly ClipNetwork clip;
    private readonly Parameter weight, bias;

    /// <param name="clip">Becomes part of this module.</param>
    /// <param name="weights">[classes, projection] float32: initial weights of the classifier</param>
    /// <param name="biases">[classes] float32</param>
    public ImageClassifier(ClipNetwork clip, Tensor weights, Tensor biases) : base(nameof(ImageClassifier))
    {
        this.clip = clip;
        (weight, bias) = (nn.Parameter(weights.clone()), nn.Parameter(biases.clone()));
        RegisterComponents();
        foreach (var (name, parameter) in clip.named_parameters())
            parameter.requires_grad = name.StartsWith("vision_", StringComparison.Ordinal)
                || name.StartsWith("visual_", StringComparison.Ordinal);
    }

    public ClipNetwork Clip => clip;

    /// <summary>[classes, projection]</summary>
    public Parameter Weight => weight;

    /// <summary>[classes]</summary>
    public Parameter Bias => bias;

    /// <summary>Trained parameters by name.</summary>
    public IEnumerable<(string Name, Parameter Parameter)> Trained => named_parameters().Where(p => p.parameter.requires_grad);

    /// <param name="pixels">[batch, 3, size, size], normalised</param>
    /// <param name="dtype">Floating-point format of the tower's computation.</param>
    /// <returns>[batch, classes] float32</returns>
    public Tensor Logits(Tensor pixels, ScalarType dtype) => nn.functional.linear(clip.EmbedImage(pixels, dtype: dtype), weight, bias);

    /// <summary>
    /// Layer-wise factor of the learning rate: 1 for the classifier and the layers after the last block, each block
    /// <paramref name="decay"/> times the one above it, the least for the layers before the first (Clark et al., 2020, §3.2).
    /// </summary>
    public static double RateOf(string name, int layers, double decay)
    {
        var parts = name.Split('.');
        var at = Array.IndexOf(parts, "layers");
        if (at >= 0) return Math.Pow(decay, layers - int.Parse(parts[at + 1], System.Globalization.CultureInfo.InvariantCulture));
        return name.Contains("embeddings", StringComparison.Ordinal)
            || name.Contains("pre_layrnorm", StringComparison.Ordinal) ? Math.Pow(decay, layers + 1) : 1;
    }
}
