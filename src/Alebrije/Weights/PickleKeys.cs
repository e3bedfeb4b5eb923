namespace Alebrije.Weights;

/// <summary>
/// Keys of the dictionaries and of the memo of a pickle, hashed with the process's seed: the platform's hashes of numbers are public, and a
/// file of colliding ones takes time in the square of its size.
/// </summary>
internal sealed class PickleKeys : IEqualityComparer<object>
{
    public static PickleKeys Instance { get; } = new();

    private PickleKeys()
    {
    }

    bool IEqualityComparer<object>.Equals(object? x, object? y) => Equals(x, y);

    public int GetHashCode(object key) => key switch
    {
        long number => Of(number),
        double number => Of(BitConverter.DoubleToInt64Bits(number == 0 ? 0 : number)),
        _ => key.GetHashCode(),
    };

    private static int Of(long bits) => HashCode.Combine((int)bits, (int)(bits >> 32));
}
