using Alebrije.Catalog;
using Alebrije.Tensors;
using Alebrije.Weights;
using Microsoft.Extensions.Options;

namespace Alebrije.Extensions.AI;

/// <summary>Errors in the options that all generators share.</summary>
internal static class ModelFaults
{
    /// <summary>A sentence for each error.</summary>
    public static IEnumerable<string> Of(string model, Precision precision, int? threads)
    {
        if (!Enum.IsDefined(precision))
            yield return $"There is no precision {precision}; there are {string.Join(", ", Enum.GetNames<Precision>())}.";
        if (threads < 1) yield return $"The number of threads is {threads}, but must be at least 1, or null for libtorch's choice.";
        if (MissingModel(model) is { } missing) yield return missing;
    }

    public static ValidateOptionsResult Result(IEnumerable<string> faults) =>
        faults.ToArray() is { Length: > 0 } all ? ValidateOptionsResult.Fail(all) : ValidateOptionsResult.Success;

    private static string? MissingModel(string model)
    {
        try
        {
            _ = ModelCatalog.Create().Find(model);
            return null;
        }
        catch (CheckpointNotFoundException e)
        {
            return e.Message;
        }
    }
}
