using static TorchSharp.torch;

namespace Alebrije.Weights;

/// <summary>Names and shapes of tensors without their values, such as those of a census.</summary>
/// <param name="shapes">Shapes by name.</param>
/// <param name="location">Source of the list, for messages.</param>
internal sealed class ShapesOnly(IReadOnlyDictionary<string, long[]> shapes, string location) : TensorSource
{
    /// <inheritdoc/>
    public override string Location => location;

    /// <inheritdoc/>
    public override IReadOnlyCollection<string> Names => [.. shapes.Keys];

    /// <inheritdoc/>
    public override bool Contains(string name) => shapes.ContainsKey(name);

    /// <inheritdoc/>
    public override TensorEntry Describe(string name) => new(ScalarType.Float32, shapes[name]);

    /// <inheritdoc/>
    protected internal override void CopyBytes(string name, long offset, Span<byte> destination) =>
        throw new NotSupportedException($"{Location} lists tensors and holds no numbers.");
}
