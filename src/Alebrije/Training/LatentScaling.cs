using Alebrije.Models.Autoencoders;
using Alebrije.Published;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Training;

/// <summary>Scales every latent channel to mean 0 and standard deviation 1 within the published layout.</summary>
internal static class LatentScaling
{
    /// <summary>
    /// Writes the autoencoder with both folded into its 1 x 1 convolutions: quant_conv shifts and divides, post_quant_conv multiplies and
    /// shifts back, so that reconstructions are unchanged and scaling_factor is 1.
    /// </summary>
    /// <param name="folder">Output folder of config.json and the weights.</param>
    /// <param name="network">The autoencoder, not modified; it must have both convolutions.</param>
    /// <param name="statistics">Mean and standard deviation of each latent channel.</param>
    public static void Export(string folder, AutoencoderKL network, (double[] Mean, double[] Deviation) statistics)
    {
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        var weights = network.state_dict().ToDictionary(p => p.Key, p => p.Value.detach().clone());
        var channels = statistics.Mean.Length;
        var mean = tensor(statistics.Mean, ScalarType.Float32);
        var deviation = tensor(statistics.Deviation, ScalarType.Float32);

        var (encode, encodeBias) = (weights["quant_conv.weight"], weights["quant_conv.bias"]);
        encode[..channels].div_(deviation.reshape(-1, 1, 1, 1));
        encodeBias[..channels].sub_(mean).div_(deviation);
        encodeBias[channels..].sub_(2 * deviation.log());

        var (decode, decodeBias) = (weights["post_quant_conv.weight"], weights["post_quant_conv.bias"]);
        decodeBias.add_(decode.squeeze(-1).squeeze(-1).mv(mean));
        decode.mul_(deviation.reshape(1, -1, 1, 1));

        ComponentCatalog.Export(folder, weights);
        ConfigFile.Write(Path.Combine(folder, "config.json"), network.Config with { ScalingFactor = 1 }, "AutoencoderKL");
    }
}
