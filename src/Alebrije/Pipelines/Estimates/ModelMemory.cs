namespace Alebrije.Pipelines.Estimates;

/// <summary>Memory of a model, and of the machine.</summary>
internal static class ModelMemory
{
    /// <summary>True if all networks of folders take less than half of the memory that is free.</summary>
    public static bool FitsTwice(params IReadOnlyList<PipelineFolder> folders) =>
        2 * folders.Sum(folder => folder.Components.Keys.SelectMany(folder.WeightBytes).Sum()) < Available();

    /// <summary>Bytes available: the system's figure, at most the limit of this process.</summary>
    public static long Available() => Preprocessing.FreeMemory.Bytes();
}
