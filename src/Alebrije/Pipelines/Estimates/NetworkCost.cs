using System.Globalization;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Pipelines.Estimates;

/// <summary>Cost of one run of a network, counted from the shapes of its weights.</summary>
/// <param name="Weights">Numbers that it has learnt.</param>
/// <param name="Convolution">Multiplications of its convolutions, for one sample.</param>
/// <param name="Linear">Multiplications of its linear layers and attention, for one sample.</param>
/// <param name="Activations">Numbers that it holds at its widest point, for one sample.</param>
internal sealed record NetworkCost(long Weights, double Convolution, double Linear, double Activations)
{
    /// <summary>Multiplications of attention, scores and their use, for one sample.</summary>
    public double Attention { get; private init; }

    /// <summary>
    /// Numbers that pass through normalisations and activations, for one sample: the input of each convolution, half of the output of each
    /// linear layer.
    /// </summary>
    public double Maps { get; private init; }

    /// <summary>Layers that a run calls.</summary>
    public int Layers { get; private init; }

    /// <summary>
    /// Maps that a residual block holds at once, in maps of its own size: its joined input, twice normalised and activated, and what comes
    /// after.
    /// </summary>
    private const double LiveMaps = 14;

    /// <summary>
    /// Widest maps that a decoder holds at once: input and output of a convolution, each also in the kernel's layout.
    /// </summary>
    private const double LiveDecoderMaps = 4.2;

    /// <summary>A denoiser or upsampler of diffusers' layout.</summary>
    /// <param name="network">Built on the meta device.</param>
    /// <param name="levels">Levels of resolution.</param>
    /// <param name="positions">Height times width of the sample.</param>
    /// <param name="context">Tokens of its attention's context.</param>
    public static NetworkCost OfUNet(nn.Module network, int levels, double positions, long context)
    {
        var (weights, convolution, linear, attention, maps, skips, widest) = (0L, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0);
        foreach (var (name, parameter) in network.named_parameters())
        {
            weights += parameter.numel();
            if (parameter.shape.Length < 2 || !name.EndsWith("weight", StringComparison.Ordinal)) continue;
            var at = positions / Math.Pow(4, LevelOf(name, levels));
            if (parameter.shape.Length == 4)
            {
                convolution += parameter.numel() * at;
                maps += parameter.shape[1] * at;
                if (name.EndsWith("conv2.weight", StringComparison.Ordinal))
                {
                    widest = Math.Max(widest, parameter.shape[0] * at);
                    if (name.StartsWith("down_blocks", StringComparison.Ordinal)) skips += parameter.shape[0] * at;
                }
            }
            else if (name.Contains("time_emb", StringComparison.Ordinal) || name.Contains("embedding", StringComparison.Ordinal))
            {
                linear += parameter.numel();
            }
            else if (name.Contains("add_k_proj", StringComparison.Ordinal) || name.Contains("add_v_proj", StringComparison.Ordinal)
                || name.Contains("attn2.to_k", StringComparison.Ordinal) || name.Contains("attn2.to_v", StringComparison.Ordinal))
            {
                linear += (double)parameter.numel() * context;
            }
            else
            {
                linear += parameter.numel() * at;
                maps += parameter.shape[0] * at / 2;
                // Scores and their use: two products of positions by keys, as wide as the queries.
                if (name.EndsWith("to_q.weight", StringComparison.Ordinal))
                    attention += 2 * at * (name.Contains("attn2", StringComparison.Ordinal) ? context : at + context) * parameter.shape[0];
            }
        }

        return new NetworkCost(weights, convolution, linear, skips + (LiveMaps * widest)) { Layers = LayersOf(network, ""),
            Attention = attention, Maps = maps };
    }

    /// <summary>The decoding half of an autoencoder of diffusers' layout.</summary>
    /// <param name="network">Built on the meta device.</param>
    /// <param name="levels">Levels of resolution.</param>
    /// <param name="positions">Height times width of the latents.</param>
    public static NetworkCost OfDecoder(nn.Module network, int levels, double positions)
    {
        var (weights, convolution, linear, attention, maps, widest) = (0L, 0.0, 0.0, 0.0, 0.0, 0.0);
        foreach (var (name, parameter) in network.named_parameters())
        {
            weights += parameter.numel();
            if (!name.StartsWith("decoder.", StringComparison.Ordinal) || parameter.shape.Length < 2) continue;
            var up = IndexAfter(name, "up_blocks.");
            var doublings = up is { } level ? level + (name.Contains("upsamplers", StringComparison.Ordinal) ? 1 : 0)
                : name.Contains("conv_out", StringComparison.Ordinal) ? levels - 1 : 0;
            var at = positions * Math.Pow(4, Math.Min(doublings, levels - 1));
            if (parameter.shape.Length == 4)
            {
                convolution += parameter.numel() * at;
                maps += parameter.shape[1] * at;
                widest = Math.Max(widest, Math.Max(parameter.shape[0], parameter.shape[1]) * at);
            }
            else
            {
                linear += parameter.numel() * at;
                if (name.EndsWith("to_q.weight", StringComparison.Ordinal)) attention += 2 * at * at * parameter.shape[0];
            }
        }

        return new NetworkCost(weights, convolution, linear, LiveDecoderMaps * widest) { Layers = LayersOf(network, "decoder."),
            Attention = attention, Maps = maps };
    }

    /// <summary>A transformer in which every weight is applied to every token.</summary>
    /// <param name="network">Built on the meta device.</param>
    /// <param name="tokens">Tokens of a sample.</param>
    public static NetworkCost OfTransformer(nn.Module network, long tokens)
    {
        var matrices = network.named_parameters()
            .Where(p => p.parameter.shape.Length >= 2 && !p.name.Contains("embedding", StringComparison.Ordinal)).ToArray();
        return new NetworkCost(
            network.parameters().Sum(p => p.numel()), 0, matrices.Sum(p => (double)p.parameter.numel()) * tokens,
            40.0 * tokens * (matrices.Length == 0 ? 0 : matrices.Max(p => p.parameter.shape[0]))) { Layers = LayersOf(network, ""),
            Maps = matrices.Sum(p => (double)p.parameter.shape[0]) * tokens / 2 };
    }

    private static int LayersOf(nn.Module network, string prefix) =>
        network.named_parameters().Count(p => p.name.StartsWith(prefix, StringComparison.Ordinal)
            && p.name.EndsWith("weight", StringComparison.Ordinal));

    /// <summary>Halvings between the sample and a layer.</summary>
    private static int LevelOf(string name, int levels)
    {
        if (IndexAfter(name, "down_blocks.") is { } down)
            return Math.Min(levels - 1, down + (name.Contains("downsamplers", StringComparison.Ordinal) ? 1 : 0));
        if (IndexAfter(name, "up_blocks.") is { } up)
            return Math.Max(0, levels - 1 - up - (name.Contains("upsamplers", StringComparison.Ordinal) ? 1 : 0));
        return name.StartsWith("mid_block", StringComparison.Ordinal) ? levels - 1 : 0;
    }

    private static int? IndexAfter(string name, string prefix)
    {
        var at = name.IndexOf(prefix, StringComparison.Ordinal);
        if (at < 0) return null;
        var digits = name[(at + prefix.Length)..];
        return int.Parse(digits.AsSpan(0, digits.IndexOf('.', StringComparison.Ordinal)), CultureInfo.InvariantCulture);
    }
}
