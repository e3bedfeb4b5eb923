namespace Alebrije.Models.UNets;

/// <summary>Names of an upsampler's tensors in published files, as (pattern, replacement) of regular expressions.</summary>
internal static class UNet2DKeyMap
{
    /// <summary>Prefix, in Karlo's single file (improved-sr-ckpt), of the network for all steps except the last.</summary>
    public const string KarloFirst = "model_first_steps.";

    /// <summary>Prefix of the network for the last step.</summary>
    public const string KarloLast = "model_last_step.";

    /// <summary>Karlo's names: the trunk without attention.</summary>
    public static IReadOnlyList<(string Pattern, string Replacement)> FromKarlo(UNet2DConfig config) =>
        [.. OriginalTrunk.OfKarlo(config.BlockOutChannels.Length, _ => config.LayersPerBlock, attends: _ => false)];
}
