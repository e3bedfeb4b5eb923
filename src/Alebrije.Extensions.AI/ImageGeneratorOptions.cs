using Alebrije.Catalog;
using Alebrije.Tensors;
using Microsoft.Extensions.Options;

namespace Alebrije.Extensions.AI;

/// <summary>Options of an <see cref="AlebrijeImageGenerator"/>: its model.</summary>
public sealed class ImageGeneratorOptions
{
    /// <summary>Name of a model that draws, or the path of its folder or file.</summary>
    public string Model { get; set; } = ModelCatalog.DefaultName;

    /// <summary>Number format of the large networks.</summary>
    public Precision Precision { get; set; } = Precision.Auto;

    /// <summary>Threads for tensor operations, 1 or more, for the whole process; null leaves libtorch's choice.</summary>
    public int? Threads { get; set; }

    /// <summary>Errors in these options, a sentence each.</summary>
    internal IEnumerable<string> Faults() => ModelFaults.Of(Model, Precision, Threads);
}

/// <summary>Validates options before a model is loaded with them.</summary>
internal sealed class ImageGeneratorOptionsValidation : IValidateOptions<ImageGeneratorOptions>
{
    public ValidateOptionsResult Validate(string? name, ImageGeneratorOptions options) => ModelFaults.Result(options.Faults());
}
