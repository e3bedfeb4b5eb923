using Alebrije.Nn;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Models.Priors;

/// <summary>config.json of a <see cref="LinearPriorMap"/>.</summary>
internal sealed record LinearPriorConfig
{
    /// <summary>Name of the class in config.json.</summary>
    public const string ClassName = "LinearPriorMap";

    /// <summary>Width of the predicted image embedding.</summary>
    public int EmbeddingDim { get; init; } = 768;

    /// <summary>Width of the text embedding, or null: <see cref="EmbeddingDim"/>.</summary>
    public int? EmbeddingProjDim { get; init; }

    /// <summary>Fingerprint of the embedding space of the fit, if stored.</summary>
    public string? EmbeddingSpace { get; init; }

    /// <summary>Reads a folder's config.json; without one, infers the config from the shape of the map.</summary>
    public static LinearPriorConfig Read(string folder)
    {
        if (File.Exists(Path.Combine(folder, "config.json"))) return ConfigFile.Read<LinearPriorConfig>(folder);
        using var weights = CheckpointFolder.OpenWeights(folder);
        var shape = weights.Describe("map.weight").Shape;
        return new LinearPriorConfig { EmbeddingDim = (int)shape[0], EmbeddingProjDim = (int)shape[1] };
    }
}

/// <summary>
/// Image embedding = text embedding · weightᵀ + bias, on CLIP's scale: the linear prior, a strong baseline in Kandinsky's paper (Razzhigaev
/// et al., 2023). Fitted in closed form.
/// </summary>
internal sealed class LinearPriorMap : nn.Module<Tensor, Tensor>
{
    private readonly LinearLayer map;

    public LinearPriorMap(LinearPriorConfig config) : base(nameof(LinearPriorMap))
    {
        Config = config;
        map = Layers.Linear(config.EmbeddingProjDim ?? config.EmbeddingDim, config.EmbeddingDim);
        RegisterComponents();
    }

    /// <summary>Configuration of the network.</summary>
    public LinearPriorConfig Config { get; }

    /// <summary>
    /// Fits the map by ridge regression: (XᵀX + n λ I) W = XᵀY on centred embeddings (Hoerl and Kennard, 1970, eq. 2.1), in float64.
    /// </summary>
    /// <param name="texts">[n, text features]</param>
    /// <param name="images">[n, image features]</param>
    /// <param name="ridge">λ in units of the mean squared centred text feature, at least 0.</param>
    public void Fit(Tensor texts, Tensor images, double ridge)
    {
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        var (x, y) = (texts.to(ScalarType.Float64), images.to(ScalarType.Float64));
        var (textMean, imageMean) = (x.mean([0]), y.mean([0]));
        (x, y) = (x - textMean, y - imageMean);
        var penalty = ridge * x.square().mean().ToDouble() * x.shape[0];
        // [text features, image features]
        var weight = linalg.solve(x.t().mm(x) + (penalty * eye(x.shape[1], dtype: ScalarType.Float64)), x.t().mm(y));
        map.Weight.copy_(weight.t());
        map.Pair.Bias.copy_(imageMean - textMean.unsqueeze(0).mm(weight).squeeze(0));
    }

    /// <param name="texts">[batch, text features]</param>
    /// <returns>[batch, image features]</returns>
    public override Tensor forward(Tensor texts) => map.call(texts);
}
