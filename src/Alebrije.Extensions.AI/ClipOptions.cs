using Alebrije.Catalog;
using Alebrije.Tensors;
using Microsoft.Extensions.Options;

namespace Alebrije.Extensions.AI;

/// <summary>Options of a <see cref="ClipEmbeddingGenerator"/>: its CLIP, and the batching of its inputs.</summary>
public sealed class ClipOptions
{
    /// <summary>Name of a model, or the path of its folder (or of a <c>.pt</c> file of openai/CLIP).</summary>
    public string Model { get; set; } = ModelCatalog.DefaultName;

    /// <summary>Number format of the towers.</summary>
    public Precision Precision { get; set; } = Precision.Auto;

    /// <summary>Threads for tensor operations, 1 or more, for the whole process; null leaves libtorch's choice.</summary>
    public int? Threads { get; set; }

    /// <summary>Texts or images in a batch at most, 1 to 1024, over all callers.</summary>
    public int BatchSize { get; set; } = 32;

    /// <summary>Time that the first of a batch waits for others, at most a second; zero takes only those already waiting.</summary>
    public TimeSpan BatchWindow { get; set; } = TimeSpan.FromMilliseconds(2);

    /// <summary>Errors in these options, a sentence each.</summary>
    internal IEnumerable<string> Faults()
    {
        if (BatchSize is < 1 or > 1024) yield return $"The batch size is {BatchSize}, but must be between 1 and 1024.";
        if (BatchWindow < TimeSpan.Zero || BatchWindow > TimeSpan.FromSeconds(1))
            yield return $"The batch window is {BatchWindow.TotalMilliseconds} ms, but must be between 0 and 1000 ms.";
        foreach (var fault in ModelFaults.Of(Model, Precision, Threads)) yield return fault;
    }

    internal string Folder => ModelCatalog.Create().Find(Model);
}

/// <summary>Validates options before a model is loaded with them.</summary>
internal sealed class ClipOptionsValidation : IValidateOptions<ClipOptions>
{
    public ValidateOptionsResult Validate(string? name, ClipOptions options) => ModelFaults.Result(options.Faults());
}
