namespace Alebrije.Nn;

/// <summary>
/// Limit of the parameters of networks that are built for a file: it is reached before memory is taken for more, so that a
/// configuration cannot take more than the file next to it holds.
/// </summary>
/// <param name="elements">Maximum number of elements of all parameters.</param>
/// <param name="tensors">Maximum number of parameters.</param>
/// <param name="refusal">Makes the error of a network that exceeds one of both.</param>
internal sealed class WeightLimit(double elements, long tensors, Func<Exception> refusal)
{
    /// <summary>Parameters of networks without a file, at most: fifty times those of the largest published ones.</summary>
    private const long MostTensors = 100_000;

    /// <summary>Elements of a network without memory, at most: thousand times those of the largest published ones.</summary>
    private const double MostElements = 1L << 44;

    private const long Slack = 4, SmallNetwork = 1 << 20, FewTensors = 2000;

    private double elements = elements;
    private long tensors = tensors;

    /// <summary>Limit of networks that are compared with no file.</summary>
    /// <param name="takesMemory">True if the weights are allocated, as float32: all memory of the machine is the limit.</param>
    public static WeightLimit General(bool takesMemory) => new(
        takesMemory ? GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / sizeof(float) : MostElements,
        MostTensors, () => new InvalidDataException(
        "The configuration describes a network larger than any that was ever trained; it is damaged."));

    /// <summary>
    /// Limit of a network whose weights are in a file: several times its size, so that a network that merely differs is built, compared,
    /// and refused with a list of its tensors.
    /// </summary>
    /// <param name="config">Name of the configuration, for the error.</param>
    /// <param name="file">Name of the file, for the error.</param>
    /// <param name="size">Elements and tensors in the file.</param>
    /// <param name="error">Makes the error of a sentence.</param>
    public static WeightLimit Of(string config, string file, (double Elements, long Tensors) size, Func<string, Exception> error) =>
        new((Slack * size.Elements) + SmallNetwork, (Slack * size.Tensors) + FewTensors, () => error(
            $"{config} describes a network of far more weights than the {size.Elements:0} in {file}: "
                + "one of the two is damaged or of another model; fetch both again."));

    /// <summary>Counts a parameter.</summary>
    /// <param name="shape">Its sizes.</param>
    public void Spend(ReadOnlySpan<long> shape)
    {
        // In floating point, since the sizes' product may exceed 64 bits.
        var count = 1.0;
        foreach (var size in shape) count *= size;
        if ((elements -= Math.Max(0, count)) < 0 || --tensors < 0) throw refusal();
    }
}
