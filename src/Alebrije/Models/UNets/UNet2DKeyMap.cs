namespace Alebrije.Models.UNets;

/// <summary>Other names that an upsampler's tensors carry in published files, as (pattern, replacement) of regular expressions.</summary>
internal static class UNet2DKeyMap
{
    /// <summary>What Karlo's one file (improved-sr-ckpt) puts before the names of the network for all steps but the last.</summary>
    public const string KarloFirst = "model_first_steps.";

    /// <summary>What it puts before the names of the network for the last step.</summary>
    public const string KarloLast = "model_last_step.";

    /// <summary>Karlo's own names: the trunk without attention.</summary>
    public static IReadOnlyList<(string Pattern, string Replacement)> FromKarlo(UNet2DConfig config) =>
        [.. OriginalTrunk.OfKarlo(config.BlockOutChannels.Length, _ => config.LayersPerBlock, attends: _ => false)];
}
