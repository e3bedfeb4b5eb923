using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Tensors;

/// <summary>
/// Principal axes of rows in float64 (Jolliffe, Principal Component Analysis, 2nd ed., §2-3): centred, not scaled, variance divided
/// by n - 1.
/// </summary>
/// <param name="Mean">[width]</param>
/// <param name="Directions">[axes, width], orthonormal rows, largest variance first; the first entry of largest size of each is
/// positive.</param>
/// <param name="Variance">[axes], descending; 0 beyond the rank of the rows.</param>
/// <param name="Total">[]: the variance along all directions, including omitted ones.</param>
internal readonly record struct PrincipalAxes(Tensor Mean, Tensor Directions, Tensor Variance, Tensor Total)
{
    /// <summary>Share of the total variance below which a direction is rounding error.</summary>
    private const double RankTolerance = 1e-12;

    /// <summary>Entries within this share of the largest one are ties, so that rounding does not determine the sign.</summary>
    private const double Tie = 1e-9;

    /// <summary>Fits the axes by singular values, of the triangular factor if there are more rows than columns.</summary>
    /// <param name="rows">[n, width], n ≥ 1, finite.</param>
    /// <param name="axes">Number of directions, 1 to width; those beyond the rank of the rows complete the basis.</param>
    public static PrincipalAxes Of(Tensor rows, long axes)
    {
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        var wide = rows.to(ScalarType.Float64);
        var (count, width) = (wide.shape[0], wide.shape[1]);
        var mean = wide.mean([0]);
        var centred = wide - mean;
        if (count > width) centred = linalg.qr(centred, linalg.QRMode.R).R;                           // [width, width]
        var (_, lengths, directions) = linalg.svd(centred, fullMatrices: axes > Math.Min(count, width));
        var variance = lengths.square() / Math.Max(1, count - 1);
        var total = variance.sum();
        variance = where(variance.gt(RankTolerance * total), variance, zeros_like(variance));
        variance = nn.functional.pad(variance, (0, Math.Max(0, axes - variance.shape[0]))).narrow(0, 0, axes);
        directions = directions.narrow(0, 0, axes);                                                   // [axes, width]
        var sizes = directions.abs();
        var decisive = sizes.ge(sizes.max(1, keepdim: true).values * (1 - Tie)).to(ScalarType.Int64).argmax(1, keepdim: true);
        directions = directions * directions.gather(1, decisive).sign();
        return new PrincipalAxes(
            mean.MoveToOuterDisposeScope(), directions.MoveToOuterDisposeScope(),
            variance.MoveToOuterDisposeScope(), total.MoveToOuterDisposeScope());
    }
}
