using Alebrije.Nn;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Models.Autoencoders;

/// <summary>
/// Autoencoder with optionally quantised latents: nearest codes of a learned codebook (van den Oord et al., 2017; Esser et al., 2021,
/// §3.1), as diffusers' models/autoencoders/vq_model.py. With a spatial norm it is MoVQ (Zheng et al., 2022), the autoencoder of Kandinsky
/// 2.1 and 2.2.
/// </summary>
internal sealed class VQModel : nn.Module<Tensor, Tensor>
{
    private readonly Encoder encoder;
    private readonly nn.Module decoder;
    private readonly ConvolutionLayer quant_conv, post_quant_conv;
    private readonly Codebook quantize;

    public VQModel(VQModelConfig config) : base(nameof(VQModel))
    {
        Config = config;
        encoder = new Encoder(config.Encoder);
        quant_conv = Layers.Conv2d(config.LatentChannels, config.CodeWidth, 1);
        quantize = new Codebook(config.NumVqEmbeddings, config.CodeWidth);
        post_quant_conv = Layers.Conv2d(config.CodeWidth, config.LatentChannels, 1);
        decoder = config.IsSpatial ? new SpatialDecoder(config.Decoder) : new Decoder(config.Decoder);
        RegisterComponents();
    }

    /// <summary>Configuration of the network.</summary>
    public VQModelConfig Config { get; }

    /// <summary>Encodes images to latents; deterministic and not quantised.</summary>
    /// <param name="pixels">[batch, 3, h, w] in [-1, 1], sides divisible by <see cref="CoderConfig.Factor"/>.</param>
    /// <returns>[batch, code width, h/8, w/8]; Kandinsky does not scale them.</returns>
    public Tensor Encode(Tensor pixels)
    {
        using var scope = NewDisposeScope();
        return quant_conv.call(encoder.call(pixels)).MoveToOuterDisposeScope();
    }

    /// <summary>Replaces the latent at every position by the nearest code.</summary>
    /// <param name="latents">[batch, code width, h, w]</param>
    /// <returns>The codes, shaped as the latents, and their indices, [batch · h · w] int64.</returns>
    public (Tensor Quantized, Tensor Indices) Quantize(Tensor latents)
    {
        using var scope = NewDisposeScope();
        var indices = quantize.Nearest(latents);
        var quantized = Lookup(indices.reshape(latents.shape[0], latents.shape[2], latents.shape[3]));
        return (quantized.MoveToOuterDisposeScope(), indices.MoveToOuterDisposeScope());
    }

    /// <summary>Looks up codes by index.</summary>
    /// <param name="indices">[batch, h, w] int64 in [0, codes)</param>
    /// <returns>[batch, code width, h, w]</returns>
    public Tensor Lookup(Tensor indices)
    {
        using var scope = NewDisposeScope();
        return quantize.call(indices).permute(0, 3, 1, 2).contiguous().MoveToOuterDisposeScope();
    }

    /// <summary>
    /// Decodes latents without quantising (the reference's force_not_quantize, as Kandinsky decodes); to decode codes,
    /// <see cref="Quantize"/> first.
    /// </summary>
    /// <param name="latents">[batch, code width, h, w]</param>
    /// <returns>[batch, 3, 8h, 8w], mostly in [-1, 1], not clamped.</returns>
    public Tensor Decode(Tensor latents)
    {
        using var scope = NewDisposeScope();
        var features = post_quant_conv.call(latents);

        // The condition is the latents before the convolution.
        var pixels = decoder is SpatialDecoder spatial ? spatial.call(features, latents) : ((Decoder)decoder).call(features);
        return pixels.MoveToOuterDisposeScope();
    }

    /// <summary>Encodes, quantises and decodes.</summary>
    /// <param name="pixels">[batch, 3, h, w] in [-1, 1]</param>
    /// <returns>As the input, not clamped.</returns>
    public override Tensor forward(Tensor pixels)
    {
        using var scope = NewDisposeScope();
        return Decode(Quantize(Encode(pixels)).Quantized).MoveToOuterDisposeScope();
    }
}

/// <summary>Learned codes (diffusers, models/autoencoders/vae.py, VectorQuantizer).</summary>
internal sealed class Codebook : nn.Module<Tensor, Tensor>
{
    /// <summary>Positions compared at once: with 16384 codes their distances take 256 MiB.</summary>
    private const long Places = 4096;

    private readonly EmbeddingLayer embedding;

    public Codebook(long codes, long width) : base(nameof(Codebook))
    {
        if (codes < 1) throw new ArgumentException(
            $"num_vq_embeddings is {codes}, but must be at least 1.");
        embedding = Layers.Embedding(codes, width);
        RegisterComponents();
    }

    /// <param name="indices">[...] int64 in [0, codes)</param>
    /// <returns>[..., width]</returns>
    public override Tensor forward(Tensor indices) => embedding.call(indices);

    /// <summary>Index of the code at the least Euclidean distance.</summary>
    /// <param name="latents">[batch, width, h, w]</param>
    /// <returns>[batch · h · w] int64</returns>
    public Tensor Nearest(Tensor latents)
    {
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        var places = latents.ToSequence().flatten(0, 1).to(embedding.Weight.dtype);          // [batch · h · w, width]
        var nearest = new List<Tensor>();
        foreach (var part in places.split(Places))
        {
            using var distances = cdist(part, embedding.Weight);                             // [places, codes]
            nearest.Add(distances.argmin(1));
        }

        return cat(nearest).MoveToOuterDisposeScope();
    }
}
