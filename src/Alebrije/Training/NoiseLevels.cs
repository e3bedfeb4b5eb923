using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Training;

/// <summary>Random noise levels of a batch, more of them where little but noise is left and the shape of the image is decided.</summary>
internal static class NoiseLevels
{
    /// <summary>Draws levels.</summary>
    /// <param name="count">Rows of the batch.</param>
    /// <param name="length">Levels of the schedule.</param>
    /// <param name="noisyShare">Share of the rows with a level from <paramref name="noisyFrom"/> on, 0 to 1; the others have any.</param>
    /// <param name="noisyFrom">Lowest of the noisy levels.</param>
    /// <param name="generator">Source of the random numbers.</param>
    /// <returns>[count] int64</returns>
    public static Tensor Draw(long count, int length, double noisyShare, int noisyFrom, Generator generator)
    {
        var all = randint(0, length, [count], dtype: ScalarType.Int64, generator: generator);
        var noisy = randint(noisyFrom, length, [count], dtype: ScalarType.Int64, generator: generator);
        return where(rand([count], generator: generator).lt(noisyShare), noisy, all);
    }

    /// <summary>Levels of which some are replaced by low ones, each of them equally often.</summary>
    /// <param name="levels">[count] int64</param>
    /// <param name="share">Share of the rows that are replaced, 0 to 1.</param>
    /// <param name="below">Levels that are low: all below this one.</param>
    /// <param name="generator">Source of the random numbers; none are drawn for a share of 0.</param>
    /// <returns>[count] int64</returns>
    public static Tensor Lower(Tensor levels, double share, int below, Generator generator)
    {
        if (share <= 0) return levels;
        var low = randint(0, below, [levels.shape[0]], dtype: ScalarType.Int64, generator: generator);
        return where(rand([levels.shape[0]], generator: generator).lt(share), low, levels);
    }
}
