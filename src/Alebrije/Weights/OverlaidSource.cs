using static TorchSharp.torch;

namespace Alebrije.Weights;

/// <summary>Tensors of two files: those of the first, and those of the second that the first lacks. Owns neither.</summary>
/// <param name="upper">The file that wins where both have a tensor.</param>
/// <param name="lower">The file below.</param>
internal sealed class OverlaidSource(TensorSource upper, TensorSource lower) : TensorSource
{
    private readonly List<string> names = [.. upper.Names, .. lower.Names.Where(name => !upper.Contains(name))];

    /// <inheritdoc/>
    public override string Location => $"{upper.Location} over {lower.Location}";

    /// <inheritdoc/>
    public override IReadOnlyCollection<string> Names => names;

    /// <inheritdoc/>
    public override bool Contains(string name) => upper.Contains(name) || lower.Contains(name);

    /// <inheritdoc/>
    public override TensorEntry Describe(string name) => Of(name).Describe(name);

    /// <inheritdoc/>
    public override Tensor Read(string name) => Of(name).Read(name);

    /// <inheritdoc/>
    protected internal override bool CanFill(string name) => Of(name).CanFill(name);

    /// <inheritdoc/>
    protected internal override void CopyBytes(string name, long offset, Span<byte> destination) =>
        Of(name).CopyBytes(name, offset, destination);

    private TensorSource Of(string name) => upper.Contains(name) ? upper : lower;
}
